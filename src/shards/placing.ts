/** Placing: the shard of each message, and what another shard stores in its place. */
import type { PreparedMessage } from '../message/envelope.ts';
import { parseLane } from '../message/lane.ts';
import { isParcelLane, packOne } from './parcel.ts';
import type { Place } from './placement.ts';
import { isBound, type PartitionedQueue, placeOf, placeOfSchedule } from './places.ts';
import type { Topology } from './topology.ts';

/** Those of a deployment, by name. */
export type PartitionedQueues = ReadonlyMap<string, PartitionedQueue>;

/** @param token of its request */
export function placeMessage(queues: PartitionedQueues, { lane, dedup }: PreparedMessage, token: string): Place {
  const { queue, group } = parseLane(lane);
  return placeOf(queues.get(queue) ?? { name: queue }, { group, dedupDigest: dedup?.digest }, token);
}

/** Where a message belongs that is stored: by its envelope. */
export function placeStored(queues: PartitionedQueues, id: string, envelope: string): Place {
  const [lane = '', , , , , , dedup = '-'] = envelope.slice(0, envelope.indexOf('\n')).split(' ');
  const { queue, group } = parseLane(lane);
  const dedupDigest = dedup === '-' ? undefined : dedup.replace(/!$/, '');
  return placeOf(queues.get(queue) ?? { name: queue }, { group, dedupDigest }, id);
}

/** The name of the shard where something belongs that comes in as it was: counts are as good on each. */
export function homeOfMoved(
  topology: Topology,
  queues: PartitionedQueues,
  [kind, name = '', ...rest]: string[],
): string {
  if (kind === 'm') return topology.home(placeStored(queues, name, rest[5] as string));
  return topology.home(kind === 's' ? placeOfSchedule(name) : COUNTS);
}

/** No queue has this name. */
const COUNTS: Place = 'q:*';

/** Of no request more than of any other: it is as good on each shard. */
export function isAnywhere(queues: PartitionedQueues, { lane, dedup }: PreparedMessage): boolean {
  return !dedup && queues.get(parseLane(lane).queue)?.partition === 'any';
}

/** Whether it matters which of two such messages is stored first. */
export function hasOrder(queues: PartitionedQueues, { lane, dedup }: PreparedMessage): boolean {
  const queue = queues.get(parseLane(lane).queue);
  return dedup !== undefined || (queue !== undefined && isBound(queue));
}

const UNBOUND: PartitionedQueue = { name: '' };

export interface Placing {
  /** A message that is stored on this shard: what is to follow on it on another is a parcel. The map has to be known. */
  settle(message: PreparedMessage, shard: string): PreparedMessage;
  /**
   * What this shard stores for a message that is made there: itself, or a parcel. One whose queue has an order or limits is a parcel even
   * where it stays: whoever forwards that is told where its home has moved meanwhile. The map has to be known.
   */
  placeFrom(message: PreparedMessage, shard: string, token: string): { message: PreparedMessage; home: string };
}

export function openPlacing(topology: Topology, queues: PartitionedQueues): Placing {
  const placing: Placing = {
    settle(message, shard) {
      if (!message.callbacks) return message;
      const callbacks = message.callbacks.map(({ on, message: callback }) => ({
        on,
        message: placing.placeFrom(callback, shard, shard).message,
      }));
      return { ...message, callbacks };
    },
    placeFrom(message, shard, token) {
      if (isParcelLane(message.lane)) return { message, home: shard }; // it says itself where it goes
      const stays = isAnywhere(queues, message) && topology.stateOf(shard) === 'active';
      const home = stays ? shard : topology.home(placeMessage(queues, message, token));
      const settled = placing.settle(message, home);
      const isPacked = home !== shard || isBound(queues.get(parseLane(message.lane).queue) ?? UNBOUND);
      return { message: isPacked ? packOne(home, settled) : settled, home };
    },
  };
  return placing;
}
