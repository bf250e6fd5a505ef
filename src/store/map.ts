/** The map of the shards, as each of them keeps it: `<epoch> <JSON>`. Storage knows nothing of it but that the highest epoch wins. */
import * as scripts from '../redis/lua/generated.ts';
import { digits } from '../redis/lua/script.ts';
import { makeReplyRunner } from '../redis/runner.ts';
import type { Shard } from '../redis/shard.ts';

/** @returns undefined where this shard has none @throws StorageError */
export async function readMap({ keys, send }: Shard): Promise<string | undefined> {
  const map = await send(['GET', keys.map]);
  return map === null ? undefined : String(map);
}

/**
 * Puts a map in the place of an older one.
 * @param epoch with which the map begins
 * @returns what is stored now: another map, where that is as new or newer @throws StorageError
 */
export async function putMap(shard: Shard, map: string, epoch: number): Promise<{ stored: string }> {
  const { keys } = shard;
  return {
    stored: String(await makeReplyRunner(shard)(scripts.putMap, [keys.map, keys.totals], [map, digits(epoch)])),
  };
}
