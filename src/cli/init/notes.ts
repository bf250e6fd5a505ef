/** What `sluice init` says of what it has chosen, and of what it has left out, a sentence or some each. */
import type { ModuleKind } from './modules.ts';
import type { PackageJson } from './package-json.ts';
import { findServer, type Platform } from './platform.ts';

/** What was chosen for the project is said, and why. */
export function noteModules(kind: ModuleKind, manifest: PackageJson | undefined): string[] {
  if (kind === 'as-is') return [];
  if (kind === 'module') {
    return [
      'package.json says "type": "module" now: what is written here are modules, and the folder has no other code.',
    ];
  }
  const says = manifest?.type === undefined ? 'says no "type"' : `says "type": "${manifest.type}"`;
  return [
    `package.json ${says}, for which Node takes .ts files for CommonJS: so what is written has the ending .mts. It is ` +
      '`npx sluice worker ./sluice.mts --env-file .env`, and other files import or require "./sluice.mts".',
  ];
}

export function noteServer(platform: Platform, manifest: PackageJson | undefined): string[] {
  const server = platform === 'node' && manifest ? findServer(manifest) : undefined;
  if (server === undefined) return [];
  return [
    `The project has a server of its own, by ${server}. It can do all of it instead: \`toListener(sluice)\` of "sluice/node" answers ` +
      'below one of its paths, and `run(sluice, { signal })` delivers in its process. The server that is written here is then not needed.',
  ];
}

/** Its page is `/`, which in a Worker that is there belongs to that. */
export const DASHBOARD_LEFT_OUT =
  'The dashboard is left out, because its files take `/` before your Worker is asked. Where that has no page at `/` and no [assets] of its own, ' +
  'it is `directory = "node_modules/sluice/dist/assets"` under [assets].';
