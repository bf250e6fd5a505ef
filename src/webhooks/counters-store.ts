/** Counters of sources: how often something happened at a source, as the store keeps it. */
import { newToken } from '../message/ids.ts';
import * as scripts from '../redis/lua/generated.ts';
import { digits } from '../redis/lua/script.ts';
import { pairs, strings } from '../redis/reply.ts';
import type { Shard } from '../redis/shard.ts';

export interface SourceCounters {
  /** Adds to each; a repetition of the same call counts nothing twice. @throws StorageError */
  add(counts: ReadonlyMap<string, number>): Promise<void>;
  /** @throws StorageError */
  read(): Promise<Map<string, number>>;
}

/** `unpack` takes twice as many in the script. */
const MAX_FIELDS = 100;

export function openSourceCounters(shard: Shard): SourceCounters {
  const { keys, recognisedMs } = shard;
  const run = async (args: string[]) => {
    const token = keys.request(newToken());
    return (await shard.run(scripts.countSources, [token, keys.sources], [digits(recognisedMs), ...args])).reply;
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
