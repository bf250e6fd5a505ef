// The deployed bundle, built once in a run: by whichever file asks for it first, while the others wait.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inject, vi } from 'vitest';
import { type Bundle, buildBundle } from '../../src/dev/bundle.ts';

/** On a busy machine; usually it takes four seconds. */
const BUILT_MS = 55_000;

export async function builtOnce(): Promise<Bundle> {
  const folder = inject('runFolder');
  const file = join(folder, 'bundle.json');
  const isFirst = await mkdir(join(folder, 'building')).then(
    () => true,
    () => false,
  );
  if (isFirst) {
    const bundle = await buildBundle();
    await writeFile(`${file}.new`, JSON.stringify(bundle));
    await rename(`${file}.new`, file); // whole, or not there
    return bundle;
  }
  return vi.waitFor(async () => JSON.parse(await readFile(file, 'utf8')) as Bundle, {
    timeout: BUILT_MS,
    interval: 50,
  });
}
