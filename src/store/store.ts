/** The store: what Sluice does to Redis, a typed function for each script. It makes no decision of its own. */
import { keysOf } from '../redis/keys.ts';
import { digits } from '../redis/lua/script.ts';
import type { Runner } from '../redis/runner.ts';
import { type AuditPage, audit } from './audit.ts';
import { type EnqueueAnswer, type EnqueueRequest, enqueue, RECOGNISED_MS } from './enqueue.ts';
import type { Head } from './head.ts';
import { type SweepAnswer, type SweepStep, sweep } from './sweep.ts';
import { type SyncAnswer, type SyncRequest, sync } from './sync.ts';

export interface Store {
  /** @throws StorageError, RequestMismatch */
  enqueue(request: EnqueueRequest): Promise<EnqueueAnswer>;
  /** @throws StorageError; RequestMismatch where another lease has begun under the claim */
  sync(request: SyncRequest): Promise<SyncAnswer>;
  /** One bounded step. @throws StorageError */
  sweep(pool: string, step?: SweepStep): Promise<SweepAnswer>;
  /**
   * One bounded step; the cursor '0' begins and ends it. A deep one looks for the entry of each envelope too; a
   * whole one that was not deep has to go before it, because it takes what a lease without a timer holds for lost.
   * @throws StorageError
   */
  audit(cursor: string, repair: boolean, deep?: boolean): Promise<AuditPage>;
}

export interface StoreOptions {
  runner: Runner;
  prefix: string;
  /** Of this deployment. */
  queues?: Iterable<{ name: string; pool: string }>;
  /** Of queues with limits: see policiesOf. */
  policies?: string | undefined;
  /** How long a call with a token is recognised whose caller does not say: see recognisedMsFor. */
  recognisedMs?: number;
  /** Tests set the clock: epoch ms. */
  clock?: (() => number) | undefined;
}

export function openStore(options: StoreOptions): Store {
  const { runner, prefix, clock, queues = [], policies = '', recognisedMs = RECOGNISED_MS } = options;
  const keys = keysOf(prefix);
  const head = (): Head => [keys.root, clock ? digits(clock()) : ''];
  const poolsOf = () => [...queues].map(({ name, pool }) => `\n${name} ${pool}`).join(''); // for sweeps and audits alone
  const deployment = () => ({ policies, pools: poolsOf() });
  return {
    enqueue: (request) => enqueue(runner, keys, head(), request, recognisedMs),
    sync: (request) => sync(runner, keys, head(), policies, request),
    sweep: (pool, step = {}) => sweep(runner, keys, head(), deployment(), pool, step),
    audit: (cursor, repair, deep = false) => audit(runner, keys, head(), deployment(), { cursor, repair, deep }),
  };
}
