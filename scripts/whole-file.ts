/** Writes a file whole or not at all: builds may run side by side, and none of them may read half of what another writes. */
import { randomUUID } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

export async function writeWhole(path: string, contents: string): Promise<void> {
  const draft = join(dirname(path), '..', `.${basename(path)}.${randomUUID()}`); // where nobody looks for files to serve
  await writeFile(draft, contents);
  await rename(draft, path);
}
