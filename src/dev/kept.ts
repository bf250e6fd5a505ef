/** What `npm run dev` and `sluice dev` keep from one run to the next, in a folder that git ignores: secrets, and the data of its Redis. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Kept {
  /** Where the data is. */
  data: string;
  /** The secret of this name: that of the last run, or a new one. */
  secret(name: string, make: () => string): Promise<string>;
}

const DATA = 'redis';
const SECRETS = ['token', 'storage-token', 'webhook-secret'] as const;

/** @param fresh begins anew: of the folder only what was written here goes */
export async function openKept(folder: string, { fresh }: { fresh: boolean }): Promise<Kept> {
  if (fresh) {
    await Promise.all([DATA, ...SECRETS].map((name) => rm(join(folder, name), { recursive: true, force: true })));
  }
  const data = join(folder, DATA);
  await mkdir(data, { recursive: true, mode: 0o700 }); // bodies of messages are nobody else's business
  return {
    data,
    async secret(name, make) {
      const path = join(folder, name);
      const known = await readFile(path, 'utf8').catch(() => '');
      if (known !== '') return known;
      const made = make();
      await writeFile(path, made, { mode: 0o600 });
      return made;
    },
  };
}
