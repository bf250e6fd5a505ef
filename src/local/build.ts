/** `npm run build`, which wrangler runs before it bundles: what is deployed in another form than it is written. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withoutComments } from './lua.ts';

const SCRIPTS = join(import.meta.dirname, '../store/scripts');
const BUILT = join(import.meta.dirname, '../../dist/lua'); // package.json names it under "imports"

await rm(BUILT, { recursive: true, force: true });
await mkdir(BUILT, { recursive: true });
for (const name of await readdir(SCRIPTS)) {
  if (!name.endsWith('.lua')) continue;
  await writeFile(join(BUILT, name), withoutComments(await readFile(join(SCRIPTS, name), 'utf8')));
}
