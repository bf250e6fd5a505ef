/** `npm run build`, which wrangler runs before it bundles: what is deployed in another form than it is written. */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withoutComments } from './lua.ts';

const SCRIPTS = join(import.meta.dirname, '../store/scripts');
const BUILT = join(import.meta.dirname, '../../dist/lua'); // package.json names it under "imports"

await mkdir(BUILT, { recursive: true });
const names = (await readdir(SCRIPTS)).filter((name) => name.endsWith('.lua'));
for (const name of names) {
  // Whole or not at all: another build may be reading it.
  const written = join(BUILT, `.${name}.${process.pid}`);
  await writeFile(written, withoutComments(await readFile(join(SCRIPTS, name), 'utf8')));
  await rename(written, join(BUILT, name));
}
for (const name of await readdir(BUILT)) {
  if (name.endsWith('.lua') && !names.includes(name)) await rm(join(BUILT, name), { force: true });
}
