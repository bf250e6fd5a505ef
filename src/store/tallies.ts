/** Tallies: how often something happened at a source, as the store keeps it. */
import { newToken } from '../message.ts';
import { keysOf } from './keys.ts';
import { scripts } from './scripts.ts';
import { pairs, type StoreOptions, strings } from './store.ts';

export interface Tallies {
  /** Adds to each; a repetition of the same call counts nothing twice. @throws StorageError */
  add(counts: ReadonlyMap<string, number>): Promise<void>;
  /** @throws StorageError */
  read(): Promise<Map<string, number>>;
}

/** Our own repetitions end within 20 s. */
const RECOGNISED_MS = 60_000;
/** `unpack` takes twice as many in the script. */
const MAX_FIELDS = 100;

export function openTallies({ runner, prefix }: Pick<StoreOptions, 'runner' | 'prefix'>): Tallies {
  const keys = keysOf(prefix);
  const run = async (args: string[]) => {
    const names = [keys.request(newToken()), keys.sources];
    return (await runner.run(scripts.tally, names, [String(RECOGNISED_MS), ...args])).reply;
  };
  return {
    async add(counts) {
      const fields = [...counts];
      for (let at = 0; at < fields.length; at += MAX_FIELDS) {
        await run(fields.slice(at, at + MAX_FIELDS).flatMap(([field, count]) => [field, String(count)]));
      }
    },
    read: async () => new Map(pairs(strings(await run([]))).map(([field, count]) => [field, Number(count)])),
  };
}
