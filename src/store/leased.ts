/** What one lease holds on a shard: the attempt of each message, by its id. */
import { StorageError } from '../errors.ts';
import { parseEntry } from '../message/ids.ts';
import { strings } from '../redis/reply.ts';
import type { Shard } from '../redis/shard.ts';

/** Cancelled messages included, as long as their holder has not been told. It is asked once more where no answer came. @throws StorageError */
export async function readLeased({ keys, send }: Shard, lease: string): Promise<Map<string, number>> {
  const ask = () => send(['LRANGE', keys.lease(lease), '0', '-1']);
  const items = await ask().catch((error: unknown) => {
    if (error instanceof StorageError && error.code === 'unreachable') return ask();
    throw error;
  });
  const entries = strings(items).map((item) => parseEntry(item.split(' ', 1)[0] as string)); // as lease.lua writes them
  return new Map(entries.map(({ id, attempt }) => [id, attempt]));
}
