// Which queues of a consumer are asked for on which shards, and in which order.
import type { Shard } from '../../redis/shard.ts';
import type { Fleet } from '../../shards/fleet.ts';
import { placeOf } from '../../shards/places.ts';
import type { ConsumeOptions } from '../consumer.ts';
import type { Queues } from '../validate.ts';

export interface FleetConsumerOptions {
  fleet: Fleet;
  queues: Queues;
  /** How the calls reach one shard. */
  on(shard: Shard): ConsumeOptions;
}

/** Queues that are next to each other, of one shard. */
export interface Stretch {
  shard: Shard;
  queues: string[];
}

/** Whoever only consumes is told of no newer map: so often it looks itself. */
export const LOOK_MS = 30_000;

/**
 * First each queue at its home; then, where homes have ever moved, wherever else something of it may be.
 * @param start with which shard a queue begins that is everywhere: with the same one each time the others would never get their turn
 */
export function findStretches(
  { fleet, queues: known }: FleetConsumerOptions,
  names: string[],
  start = Math.floor(Math.random() * fleet.all.length),
): { homes: Stretch[]; behind: Stretch[] } {
  const homes: Stretch[] = [];
  const add = (shard: Shard, queue: string) => {
    const last = homes.at(-1);
    if (last?.shard === shard) last.queues.push(queue);
    else homes.push({ shard, queues: [queue] });
  };
  const first = start % fleet.all.length;
  const turned = [...fleet.all.slice(first), ...fleet.all.slice(0, first)];
  const isEverywhere = (queue: string) => known.get(queue)?.partition !== undefined;
  const home = (queue: string) => fleet.home(placeOf({ name: queue }, {}, ''));
  const distinct = [...new Set(names)];
  for (const queue of distinct) {
    if (isEverywhere(queue)) for (const shard of turned) add(shard, queue);
    else add(home(queue), queue);
  }
  if (fleet.topology.map.epoch === 1) return { homes, behind: [] };
  const moved = (shard: Shard) => distinct.filter((queue) => !isEverywhere(queue) && home(queue) !== shard);
  const behind = fleet.all.map((shard) => ({ shard, queues: moved(shard) }));
  return { homes, behind: behind.filter(({ queues }) => queues.length > 0) };
}

/** Those that a lease for these queues may be on. */
export function findShards(consuming: FleetConsumerOptions, queues: string[]): Shard[] {
  const { homes, behind } = findStretches(consuming, queues);
  return [...new Set([...homes, ...behind].map(({ shard }) => shard))];
}
