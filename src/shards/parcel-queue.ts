/** The queue of parcels: a push queue of the engine itself, whose handler forwards one parcel. No deployment can define or name it. */
import { NonRetriableError } from '../errors.ts';
import { exponential } from '../queue/backoff.ts';
import { type AnyQueue, defineQueue } from '../queue/queue.ts';
import type { Fleet } from './fleet.ts';
import { forwardHome } from './forward.ts';
import { openParcel, PARCEL_MS, PARCEL_QUEUE } from './parcel.ts';
import type { PartitionedQueues } from './placing.ts';

export interface ForwardingOptions {
  /** Each delivery makes one request, which its drain has counted; a few more where the map has changed. */
  fleet: Fleet;
  queues: PartitionedQueues;
  /** Messages are ready on a shard, and nobody was asked to drain there before. */
  onWork(): void;
}

export function defineParcelQueue({ fleet, queues, onWork }: ForwardingOptions): AnyQueue {
  const queue = defineQueue('parcels', {
    priority: 0,
    backoff: exponential({ base: '1s', max: '30s' }),
    ttl: PARCEL_MS,
    async handler({ id, body, enqueuedAt }) {
      if (Date.now() - enqueuedAt > PARCEL_MS)
        throw new NonRetriableError('undelivered: its shard was away for too long');
      if (await forwardHome(fleet, queues, id, openParcel(id, body))) onWork();
    },
  });
  return { ...queue, name: PARCEL_QUEUE };
}
