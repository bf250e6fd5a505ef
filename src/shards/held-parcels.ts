/** What a shard holds for others, and for how long already. */
import { parseEntry, timeOf } from '../message/ids.ts';
import type { Shard } from '../redis/shard.ts';
import { openAdminStore } from '../store/admin.ts';
import { countLive } from '../store/admin-queues.ts';
import { PARCEL_QUEUE } from './parcel.ts';

export interface HeldParcels {
  /** That wait to be forwarded. */
  count: number;
  /** Since when the oldest of them does, epoch ms. */
  oldestAt?: number;
  /** That were given up: dead letters of no queue that anybody defines. */
  undelivered: number;
}

/** Of those that wait for their next try so many are looked at. */
const LOOKED_AT = 500;

/** @throws StorageError */
export async function readHeldParcels(shard: Shard): Promise<HeldParcels> {
  const store = openAdminStore(shard);
  const counts = await store.count(PARCEL_QUEUE);
  const { delayed, dead, oldestReadyAt } = counts;
  const count = countLive(counts);
  const waiting = delayed > 0 ? (await store.browse(PARCEL_QUEUE, 'delayed', LOOKED_AT, '', false)).messages : [];
  const instants = waiting.map(({ entry }) => timeOf(parseEntry(entry).id));
  if (oldestReadyAt !== undefined) instants.push(oldestReadyAt);
  return { count, undelivered: dead, ...(instants.length > 0 && { oldestAt: Math.min(...instants) }) };
}
