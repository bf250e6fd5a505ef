/** What one lease holds on a shard, by the ids of the messages. */
import { StorageError } from '../errors.ts';
import { parseEntry } from '../message/ids.ts';
import { strings } from '../redis/reply.ts';
import type { Shard } from '../redis/shard.ts';

/** Cancelled messages included, as long as their holder has not been told. It is asked once more where no answer came. @throws StorageError */
export async function readLeasedIds({ keys, send }: Shard, lease: string): Promise<Set<string>> {
  const ask = () => send(['LRANGE', keys.lease(lease), '0', '-1']);
  const items = await ask().catch((error: unknown) => {
    if (error instanceof StorageError && error.code === 'unreachable') return ask();
    throw error;
  });
  return new Set(strings(items).map((item) => parseEntry(item.split(' ', 1)[0] as string).id)); // as lease.lua writes them
}
