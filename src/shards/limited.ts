/** Limits that operators have set: every shard has them. */
import type { Shard } from '../redis/shard.ts';

/** The queues that have any. @throws StorageError */
export async function findLimited({ send, keys }: Shard): Promise<Set<string>> {
  const settings = (await send(['HGETALL', keys.config])) as string[];
  const limited = new Set<string>();
  for (let i = 0; i < settings.length; i += 2) {
    if (/^\S+ \S+ \S/.test(settings[i + 1] as string)) limited.add(settings[i] as string);
  }
  return limited;
}
