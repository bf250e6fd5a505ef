/** Puts together what is published, in a folder of its own: what `npm pack` and `npm publish` of that folder take is the package. */
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PLATFORMS } from '../../src/cli/init/platform.ts';
import { readTemplate } from '../../src/cli/init/template.ts';
import { ASSETS } from '../../src/dev/assets.ts';
import { buildAssets } from '../assets/build.ts';
import { buildScripts } from '../lua.ts';
import { buildModules, type Chunk } from './bundle.ts';
import { listEntries, ROOT, readManifest } from './entries.ts';
import { publishedManifest } from './manifest.ts';

/** As `publishConfig.directory` of package.json names it, where the release looks for it. */
export const STAGED = join(ROOT, 'dist/package');

/** For people; npm takes the license and the README by their names. */
const PAGES = ['README.md', 'LICENSE'];
/** Read by the module in which they are used, from its own folder. */
const BESIDE_MODULES = ['src/dev/emulator/guard.lua'];

/** @throws Error where something of it does not build */
export async function stagePackage(): Promise<Chunk[]> {
  const manifest = readManifest();
  const entries = listEntries(manifest);
  const dist = join(STAGED, 'dist');
  await rm(STAGED, { recursive: true, force: true });
  await mkdir(dist, { recursive: true });
  await buildScripts();
  await buildAssets();
  const chunks = await buildModules(entries, manifest, dist);
  await copyAssets(join(dist, 'assets'));
  await copyTemplates(join(dist, 'templates'));
  for (const file of BESIDE_MODULES) await cp(join(ROOT, file), join(dist, file.split('/').at(-1) ?? ''));
  for (const page of PAGES) await cp(join(ROOT, page), join(STAGED, page));
  await writeFile(join(STAGED, 'package.json'), `${JSON.stringify(publishedManifest(manifest), undefined, 2)}\n`);
  return chunks;
}

/** What `sluice init` writes. Of an example that is all but the file that shows one more use. */
async function copyTemplates(to: string): Promise<void> {
  for (const platform of PLATFORMS) {
    for (const file of ['template.json', ...readTemplate(platform).files]) {
      await cp(join(ROOT, 'examples', platform, file), join(to, platform, file), { recursive: true });
    }
  }
}

/** Without what only tells the build whether they are up to date. */
async function copyAssets(to: string): Promise<void> {
  await mkdir(to);
  const names = (await readdir(ASSETS)).filter((name) => !name.startsWith('.'));
  for (const name of names) await cp(join(ASSETS, name), join(to, name));
}
