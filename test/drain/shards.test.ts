// One drain over several shards: what is the most urgent of all goes first, a shard that is away stops only what it owns, and no more is asked
// of the platform than it gives.
import { expect, test } from 'vitest';
import { openBudget } from '../../src/drain/budget.ts';
import { planLife } from '../../src/drain/life.ts';
import { drain } from '../../src/drain/loop.ts';
import type { Attention, DrainOptions, DrainShard } from '../../src/drain/report.ts';
import { StorageError } from '../../src/errors.ts';
import { defineQueue, type QueueOptions } from '../../src/index.ts';
import type { Priority } from '../../src/message/message.ts';
import type { Store } from '../../src/store/store.ts';
import type { SyncRequest } from '../../src/store/sync.ts';
import { Bench, onEachRedis } from '../support/bench.ts';

const SLOTS = 5;
const TRIP_MS = 2;
const LEASE_MS = 30_000;

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Shards of one drain, each some ms away, and what of them is in flight. */
class Shards {
  readonly benches: Bench[];
  readonly away = new Set<number>();
  readonly requests: { shard: number; request: SyncRequest }[] = [];
  onRequest = () => {};
  inFlight = 0;
  most = 0;

  constructor(b: Bench, count: number) {
    this.benches = Array.from({ length: count }, (_, place) => (place === 0 ? b : new Bench(b.redises)));
  }

  get all(): [DrainShard, ...DrainShard[]] {
    return this.benches.map((_, place) => this.#open(place)) as [DrainShard, ...DrainShard[]];
  }

  #open(place: number): DrainShard {
    const store = this.#storeOn(place);
    const sync: Store['sync'] = async (request) => {
      this.requests.push({ shard: place, request: { ...request, settlements: [...request.settlements] } });
      this.onRequest();
      this.inFlight += 1;
      this.most = Math.max(this.most, this.inFlight);
      try {
        await pause(TRIP_MS);
        if (this.away.has(place)) throw new StorageError('unreachable', 'away');
        return await store.sync(request);
      } finally {
        this.inFlight -= 1;
      }
    };
    return { name: `s${place}`, store: { ...store, sync } };
  }

  #storeOn(place: number): Store {
    return (this.benches[place] as Bench).openStore();
  }

  async enqueue(place: number, count: number, priority: Priority = 5): Promise<string[]> {
    const bench = this.benches[place] as Bench;
    const messages = Array.from({ length: count }, (_, i) => bench.message('work', i, { priority }));
    const { ids } = await this.#storeOn(place).enqueue({ messages });
    return ids;
  }

  /** Messages that are left anywhere, in lanes and leases. */
  async left(): Promise<number> {
    const shards = await Promise.all(this.benches.map((bench) => bench.shard()));
    const entries = shards.flatMap(({ lanes, leases }) => [...Object.values(lanes), ...Object.values(leases)].flat());
    return entries.length;
  }
}

type Handler = NonNullable<QueueOptions['handler']>;

function start(shards: Shards, handler: Handler, options: Partial<DrainOptions> & { requests?: number; subrequests?: number } = {}) {
  const { requests = 9_000, subrequests = 0, ...apart } = options;
  const work = defineQueue('work', { subrequests, handler });
  const all = shards.all;
  const limits = { ...planLife(20_000, [15_000]), requests, requestsPerDelivery: subrequests, messages: 1_000_000 };
  const budget = openBudget({ ...limits, shards: all.length }, Date.now);
  shards.onRequest = budget.onRequest;
  return drain({
    shards: all,
    pool: '*',
    queues: new Map([['work', work]]),
    env: {},
    budget,
    concurrency: SLOTS,
    connections: SLOTS,
    mostSyncs: SLOTS + 1,
    batch: 100,
    leases: 4,
    leaseMs: LEASE_MS,
    ...apart,
  });
}

/** Less urgent ones wait on the first shards while fifty urgent ones come to the last. */
async function competed(b: Bench, count: number, runMs: number) {
  const shards = new Shards(b, count);
  const others = Math.max(1, count - 1);
  for (let place = 0; place < others; place++) await shards.enqueue(place, 180 / others);
  const started: Priority[] = [];
  let readyFrom = Number.POSITIVE_INFINITY;
  let [running, busyMs, changedAt, beganAt] = [0, 0, 0, 0];
  const change = (by: number) => {
    const now = performance.now();
    beganAt ||= now;
    busyMs += running * (now - (changedAt || now));
    changedAt = now;
    running += by;
  };
  const attention: Attention = { asked: false };
  const handler: Handler = async ({ priority }) => {
    change(1);
    started.push(priority as Priority);
    if (started.length === 40) {
      void shards.enqueue(count - 1, 50, 0).then(() => {
        readyFrom = started.length;
      });
    }
    await pause(runMs);
    change(-1);
  };
  const report = await start(shards, handler, { attention });
  const last = started.lastIndexOf(0);
  const while50 = started.slice(readyFrom, last);
  const lessUrgent = while50.filter((priority) => priority !== 0).length;
  const afterFirst = while50.slice(while50.indexOf(0)).filter((priority) => priority !== 0).length;
  const used = busyMs / (SLOTS * (changedAt - beganAt));
  return { report, lessUrgent, afterFirst, until: last - readyFrom, used, left: await shards.left() };
}

onEachRedis(
  'a drain over several shards',
  (bench) => {
    test.each([20, 60])('gives what is urgent its place, wherever it is: handlers of %i ms', async (runMs) => {
      const one = await competed(bench(), 1, runMs);
      expect(one.report).toMatchObject({ acked: 230, ended: 'idle' });
      for (const count of [2, 4]) {
        const several = await competed(bench(), count, runMs);
        console.info(count, runMs, JSON.stringify({ one, several }));
        expect(several.report).toMatchObject({ acked: 230, stale: 0, gone: 0, leasesLost: 0, ended: 'idle' });
        expect(several.left).toBe(0);
        expect(several.lessUrgent).toBeLessThanOrEqual(25);
        expect(several.afterFirst).toBeLessThanOrEqual(5);
        expect(several.until).toBeLessThanOrEqual(1.35 * one.until);
        expect(several.used).toBeGreaterThanOrEqual(0.9 * one.used);
      }
      bench().alive.clear();
    });
  },
  ['the embedded Redis'],
);
