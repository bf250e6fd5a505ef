/** Measurements of each shard, for whoever scrapes: three requests each. */
import type { Shard } from '../redis/shard.ts';
import { openAdminStore } from '../store/admin.ts';
import { readMap } from '../store/map.ts';
import type { Fleet } from './fleet.ts';
import { parseMap } from './map.ts';
import { PARCEL_QUEUE } from './parcel.ts';

export interface ShardMeasurement {
  shard: string;
  /** Not there where the shard does not answer. */
  measured?: {
    epoch: number;
    /** What waits there to be forwarded, and since when, epoch ms. */
    parcels: number;
    oldestParcelAt?: number;
    usedBytes: number;
    commands: number;
  };
}

export interface FleetMeasurement {
  shards: ShardMeasurement[];
  /** Of the map that is known. */
  pins: number;
}

/** @returns undefined where there is one shard @throws StorageError where none answers */
export async function measureShards(fleet: Fleet): Promise<FleetMeasurement | undefined> {
  if (!fleet.topology.isMany) return undefined;
  await fleet.ready();
  const measured = new Map((await fleet.askAll(measureShard)).map(({ shard, answer }) => [shard, answer]));
  const shards = fleet.all.map((shard): ShardMeasurement => {
    const answer = measured.get(shard);
    return { shard: shard.identity.name, ...(answer && { measured: answer }) };
  });
  return { shards, pins: fleet.topology.map.pins.length };
}

async function measureShard(shard: Shard): Promise<NonNullable<ShardMeasurement['measured']>> {
  const [map, info, parcels] = await Promise.all([
    readMap(shard),
    shard.send(['INFO']),
    openAdminStore(shard).count(PARCEL_QUEUE),
  ]);
  const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(String(info))?.[1] ?? 0);
  const { ready, delayed, leased, oldestReadyAt } = parcels;
  return {
    epoch: map === undefined ? 0 : parseMap(map).epoch,
    parcels: Object.values(ready).reduce((sum, count) => sum + count, delayed + leased),
    ...(oldestReadyAt === undefined ? {} : { oldestParcelAt: oldestReadyAt }),
    usedBytes: field('used_memory'),
    commands: field('total_commands_processed'),
  };
}
