/** Parcels in a database, as the run itself finds them there: those that wait for their next try, those that are left, and who would not take them. */
import type { Redis } from '@upstash/redis';
import { isParcelLane, PARCEL_QUEUE } from '../../../src/shards/parcel.ts';

/** They are tried again after up to half a minute, which is as much a part of what is judged as anything. */
export const isParcelTimer = (member: string) => member.split(' ').some(isParcelLane);

/** @returns parcels that stand on this shard in whatever list: an envelope begins with its lane */
export async function countParcels(redis: Redis, root: string): Promise<number> {
  let parcels = 0;
  for (const key of await redis.keys(`${root}m:*`)) {
    if (isParcelLane(String(await redis.get(key)))) parcels += 1;
  }
  return parcels;
}

/**
 * Whether breakers remember only shards that failed last: until the next success, and the last parcel for a shard may have arrived with the
 * request that sent it, of which no breaker is told.
 */
export async function isOnlyOfShards(redis: Redis, breakers: string): Promise<boolean> {
  return (await redis.hkeys(breakers)).every((name) => name.startsWith(`${PARCEL_QUEUE}/`));
}
