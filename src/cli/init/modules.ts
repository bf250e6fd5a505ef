/** Whether Node takes a project's `.ts` files for modules, which is what a template's are, and what is done where it does not. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PackageJson } from './package-json.ts';
import type { Platform } from './platform.ts';

/**
 * `as-is`: files are written under their names. `module`: package.json gets `"type": "module"`, which changes nothing for anybody.
 * `mts`: files get the ending that is a module everywhere.
 */
export type ModuleKind = 'as-is' | 'module' | 'mts';

/** @param manifest undefined where there is none: the new one says that it is of modules */
export function chooseModules(folder: string, platform: Platform, manifest: PackageJson | undefined): ModuleKind {
  if (manifest === undefined || manifest.type === 'module') return 'as-is';
  const code = findCode(folder);
  if (code.length === 0) return 'module';
  const isBundled = platform !== 'node'; // or the runtime looks at the code itself, as Bun and Deno do
  const isWrittenBefore = manifest.type === undefined && code.includes('sluice.ts'); // Node looks at the code here, too
  return isBundled || isWrittenBefore ? 'as-is' : 'mts';
}

/** @returns those in the folder itself; where it has none, one of the first folder below that has some */
function findCode(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).filter(
    ({ name }) => name !== 'node_modules' && !name.startsWith('.'),
  );
  const code = entries.filter((entry) => entry.isFile() && /\.[cm]?[jt]sx?$/.test(entry.name)).map(({ name }) => name);
  if (code.length > 0) return code;
  for (const entry of entries) {
    const below = entry.isDirectory() ? findCode(join(folder, entry.name)) : [];
    if (below.length > 0) return below.map((name) => join(entry.name, name));
  }
  return [];
}

/** Gives the code of a template the ending `.mts`, wherever a name or a text names it. */
export function renameToMts(text: string, files: string[]): string {
  return files
    .filter((file) => file.endsWith('.ts'))
    .reduce((renamed, file) => renamed.replaceAll(file, file.replace(/\.ts$/, '.mts')), text);
}
