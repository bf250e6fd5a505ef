/** The store: a typed function for each script of the queue on Redis. It makes no decision of its own. */
import type { Shard } from '../redis/shard.ts';
import type { Askable } from './audit.ts';
import { openDefinitions } from './definitions.ts';
import { type EnqueueAnswer, type EnqueueRequest, enqueue } from './enqueue.ts';
import { FiringPace } from './firing.ts';
import { type SweepAnswer, type SweepStep, sweep } from './sweep.ts';
import { type SyncAnswer, type SyncRequest, sync } from './sync.ts';

export interface Store extends Askable {
  /** @throws StorageError, RequestMismatch */
  enqueue(request: EnqueueRequest): Promise<EnqueueAnswer>;
  /** @throws StorageError; RequestMismatch where another lease has begun under the claim */
  sync(request: SyncRequest): Promise<SyncAnswer>;
  /** One bounded step. @throws StorageError */
  sweep(pool: string, step?: SweepStep): Promise<SweepAnswer>;
}

export interface StoreOptions {
  /** The queues of this deployment. */
  queues?: Iterable<{ name: string; pool: string }>;
  /** The policies of queues with limits, as encodeDefinitions writes them. */
  policies?: string | undefined;
}

export function openStore(shard: Shard, options: StoreOptions = {}): Store {
  return storeOpener(options)(shard);
}

/** Stores of one deployment: what it defines is encoded once for all of them. */
export function storeOpener({ queues = [], policies = '' }: StoreOptions): (shard: Shard) => Store {
  const definitions = openDefinitions(policies, queues);
  return (shard) => {
    const firing = new FiringPace();
    return {
      enqueue: (request) => enqueue(shard, request),
      sync: (request) => sync(shard, definitions, firing, request),
      sweep: (pool, step = {}) => sweep(shard, definitions, firing, pool, step),
      ask: (question) => question(shard, definitions),
    };
  };
}
