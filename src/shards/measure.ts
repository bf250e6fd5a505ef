/** Measurements of each shard, for whoever scrapes: three requests each, and one more where parcels wait. */
import type { Shard } from '../redis/shard.ts';
import { readMap } from '../store/map.ts';
import type { Fleet } from './fleet.ts';
import { type HeldParcels, readHeldParcels } from './held-parcels.ts';
import { parseMap } from './map.ts';

export interface ShardMeasurement {
  shard: string;
  /** Not there where the shard does not answer. */
  measured?: {
    epoch: number;
    parcels: HeldParcels;
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
  const [map, info, parcels] = await Promise.all([readMap(shard), shard.send(['INFO']), readHeldParcels(shard)]);
  const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(String(info))?.[1] ?? 0);
  return {
    epoch: map === undefined ? 0 : parseMap(map).epoch,
    parcels,
    usedBytes: field('used_memory'),
    commands: field('total_commands_processed'),
  };
}
