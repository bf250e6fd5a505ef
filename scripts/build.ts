/** `npm run build`, which wrangler runs before it bundles: what is deployed in another form than it is written. */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { withoutComments } from '../src/dev/lua.ts';
import { buildAssets } from './assets/build.ts';
import { writeWhole } from './whole-file.ts';

const SCRIPTS = join(import.meta.dirname, '../src/store/scripts');
const BUILT = join(import.meta.dirname, '../dist/lua'); // package.json names it under "imports"

await mkdir(BUILT, { recursive: true });
const names = (await readdir(SCRIPTS)).filter((name) => name.endsWith('.lua'));
for (const name of names) {
  await writeWhole(join(BUILT, name), withoutComments(await readFile(join(SCRIPTS, name), 'utf8')));
}
for (const name of await readdir(BUILT)) {
  if (name.endsWith('.lua') && !names.includes(name)) await rm(join(BUILT, name), { force: true });
}
await buildAssets();
