/** The queue of parcels: a push queue of the engine itself, whose handler forwards one parcel. No deployment can define or name it. */
import { DeliveryError } from '../delivery/error.ts';
import { NonRetriableError, StorageError } from '../errors.ts';
import { exponential } from '../queue/backoff.ts';
import { type AnyQueue, defineQueue } from '../queue/queue.ts';
import type { Fleet } from '../shards/fleet.ts';
import { forwardHome } from '../shards/forward.ts';
import { openParcel, PARCEL_MS, PARCEL_QUEUE } from '../shards/parcel.ts';
import type { PartitionedQueues } from '../shards/placing.ts';

export interface ForwardingOptions {
  /** Each delivery makes one request, which its drain has counted; a few more where the map has changed. */
  fleet: Fleet;
  queues: PartitionedQueues;
  /** Messages are ready on a shard, and nobody was asked to drain there before. */
  onWork(): void;
}

/**
 * A shard is a destination as others are: three failures in a row, and its lane is left alone for 1 s, then twice as long each
 * time, to 32 s: with the backoff of a parcel that is a minute, so that when the shard is back two ticks bring all of them there.
 */
const POLICY = 'gh=3/1000';

export function defineParcelQueue({ fleet, queues, onWork }: ForwardingOptions): AnyQueue {
  const queue: AnyQueue = defineQueue('parcels', {
    priority: 0,
    backoff: exponential({ base: '1s', max: '30s' }),
    ttl: PARCEL_MS,
    async handler({ id, body, enqueuedAt }) {
      const ageMs = Date.now() - enqueuedAt;
      if (ageMs > PARCEL_MS) throw new NonRetriableError('undelivered: its shard was away for too long');
      const isWanted = await forwardHome(fleet, queues, id, openParcel(id, body, ageMs)).catch(tellFailure);
      if (isWanted) onWork();
    },
  });
  return { ...queue, name: PARCEL_QUEUE, policy: POLICY };
}

/** One that refuses may refuse this parcel alone. */
function tellFailure(error: unknown): never {
  if (!(error instanceof StorageError) || error.code === 'subrequests') throw error;
  throw new DeliveryError(error.message, { outcome: 'retry', endpoint: error.isFinal ? undefined : 'down' });
}
