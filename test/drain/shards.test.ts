// One drain over several shards: equals share it, a shard that is away stops only what it owns, and no more is asked of the platform than it
// gives. What is urgent: shards-priority.test.ts.
import { expect, test } from 'vitest';
import { openBudget } from '../../src/drain/budget.ts';
import { type Life, planLife } from '../../src/drain/life.ts';
import { drain } from '../../src/drain/loop.ts';
import type { Attention, DrainOptions, DrainShard } from '../../src/drain/report.ts';
import { StorageError } from '../../src/errors.ts';
import { defineQueue, type QueueOptions } from '../../src/index.ts';
import type { Priority } from '../../src/message/message.ts';
import type { Store } from '../../src/store/store.ts';
import type { SyncRequest } from '../../src/store/sync.ts';
import { Bench, onEachRedis } from '../support/bench.ts';
import { steadyNow } from '../support/steady-clock.ts';

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
  /** One more is in flight. */
  onFlight = () => {};
  inFlight = 0;

  constructor(b: Bench, count: number) {
    this.benches = Array.from({ length: count }, () => new Bench(b.redises));
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
      this.onFlight();
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

  /** What a drain held that died: its leases are over. */
  async sweep(place: number): Promise<void> {
    const bench = this.benches[place] as Bench;
    for (const lease of Object.keys((await bench.shard()).leases)) {
      await bench.redises.raw.zadd(`${bench.root}timers`, 1, `l ${lease}`);
    }
    await this.#storeOn(place).sweep('*');
  }

  each() {
    return this.benches.map((benches, place) => ({ benches, place }));
  }

  /** Messages that are left anywhere, in lanes and leases. */
  async left(): Promise<number> {
    const shards = await Promise.all(this.benches.map((bench) => bench.shard()));
    const entries = shards.flatMap(({ lanes, leases }) => [...Object.values(lanes), ...Object.values(leases)].flat());
    return entries.length;
  }
}

type Handler = NonNullable<QueueOptions['handler']>;

function start(
  shards: Shards,
  handler: Handler,
  options: Partial<DrainOptions> & { requests?: number; subrequests?: number; limits?: Life } = {},
) {
  const { requests = 9_000, subrequests = 0, limits: life = planLife(20_000, [15_000]), ...apart } = options;
  const work = defineQueue('work', { subrequests, handler });
  const all = shards.all;
  const limits = { ...life, requests, requestsPerDelivery: subrequests, messages: 1_000_000 };
  const budget = apart.budget ?? openBudget({ ...limits, shards: all.length }, steadyNow);
  shards.onRequest = budget.onRequest;
  return drain({
    shards: all,
    pool: '*',
    queues: new Map([['work', work]]),
    env: {},
    budget,
    clock: steadyNow,
    concurrency: SLOTS,
    connections: SLOTS,
    mostSyncs: SLOTS + 1,
    batch: 100,
    leases: 4,
    leaseMs: LEASE_MS,
    ...apart,
  });
}

onEachRedis(
  'a drain over several shards',
  (bench) => {
    test('takes from equals side by side, so that none of them waits for the end of another', async () => {
      const shards = new Shards(bench(), 3);
      const places = new Map<string, number>();
      for (let place = 0; place < 3; place++) {
        for (const id of await shards.enqueue(place, 30)) places.set(id, place);
      }
      const started: number[] = [];
      await start(shards, async ({ id }) => {
        started.push(places.get(id) as number);
        await pause(10);
      });
      expect(started).toHaveLength(90);
      // Before one of them is at its end each of the others has had a third of its own.
      const first = Math.min(...[0, 1, 2].map((place) => started.lastIndexOf(place)));
      for (const place of [0, 1, 2]) {
        expect(started.slice(0, first + 1).filter((each) => each === place).length).toBeGreaterThanOrEqual(10);
      }
    });

    test('asks where it was not woken only while work waits elsewhere, and then joins in', async () => {
      const shards = new Shards(bench(), 3);
      await shards.enqueue(0, 1);
      await start(shards, () => {}, { woken: ['s0'] });
      expect(shards.requests.map(({ shard }) => shard)).toEqual([0, 0]);
      await shards.enqueue(0, 40);
      const [urgent] = await shards.enqueue(2, 1, 0);
      const started: string[] = [];
      const handler: Handler = async ({ id }) => {
        started.push(id);
        await pause(10);
      };
      expect(await start(shards, handler, { woken: ['s0'] })).toMatchObject({ acked: 41, ended: 'idle' });
      expect(started.indexOf(urgent as string)).toBeLessThanOrEqual(25);
      expect(await shards.left()).toBe(0);
    });

    test('is told of one, and looks there', async () => {
      const shards = new Shards(bench(), 2);
      await shards.enqueue(0, 1);
      const attention: Attention = { asked: false };
      const more = Promise.withResolvers<void>();
      const handled: string[] = [];
      const [first] = await shards.enqueue(0, 1);
      const handler: Handler = async ({ id }) => {
        handled.push(id);
        if (id !== first) return;
        const [other] = await shards.enqueue(1, 1);
        expect(attention.look?.(['s1'])).toBe(true);
        while (!handled.includes(other as string)) await pause(1);
        more.resolve();
      };
      expect(await start(shards, handler, { woken: ['s0'], attention })).toMatchObject({ acked: 3 });
      await more.promise;
      expect(attention.asked).toBe(false);
    });

    test('goes on where one is away, loses nothing of it, and tells of it at its end', async () => {
      const shards = new Shards(bench(), 3);
      const ids: string[][] = [];
      for (let place = 0; place < 3; place++) ids.push(await shards.enqueue(place, 40, place === 1 ? 0 : 5));
      const [first = [], , third = []] = ids;
      const owed = new Set([...first, ...third]);
      const handled: string[] = [];
      const named: (string | undefined)[] = [];
      const onAway = (error: StorageError) => void named.push(error.reason);
      const life = { takesMs: 15_000, livesMs: 30_500, settlesMs: 500 };
      const limits = { ...life, requests: 9_000, requestsPerDelivery: 0, messages: 1_000, shards: 3 };
      const budget = openBudget(limits, steadyNow);
      const handler: Handler = async ({ id }) => {
        if (handled.push(id) === 20) shards.away.add(1); // the urgent one: nothing of it may hold up the others
        owed.delete(id);
        if (owed.size === 0) budget.close();
        await pause(5);
      };
      const report = await start(shards, handler, { onAway, budget });
      expect(report.ended).toBe('storage'); // it holds outcomes that it could not settle
      expect(owed.size).toBe(0);
      expect(named).toEqual(['away']);
      shards.away.clear();
      await shards.sweep(1);
      const again = await start(shards, ({ id }) => void handled.push(id));
      expect(again).toMatchObject({ stale: 0, ended: 'idle' });
      expect(new Set(handled).size).toBe(120);
      expect(await shards.left()).toBe(0);
    });

    test('takes it in again when it answers, and each of its messages once', async () => {
      const shards = new Shards(bench(), 2);
      for (let place = 0; place < 2; place++) await shards.enqueue(place, 60, place === 1 ? 0 : 5);
      const handled: string[] = [];
      const handler: Handler = async ({ id }) => {
        const count = handled.push(id);
        if (count === 10) shards.away.add(1);
        if (count === 40) shards.away.clear();
        await pause(20);
      };
      expect(await start(shards, handler)).toMatchObject({
        acked: 120,
        stale: 0,
        gone: 0,
        leasesLost: 0,
        ended: 'idle',
      });
      expect([handled.length, new Set(handled).size, await shards.left()]).toEqual([120, 120, 0]);
    });

    test('fails where none of them answers', async () => {
      const shards = new Shards(bench(), 3);
      for (let place = 0; place < 3; place++) shards.away.add(place);
      await expect(start(shards, () => {})).rejects.toThrow(StorageError);
    });

    test.each([1, 2, 3, 5, 8])('of %i uses no more than it may: requests, and connections', async (count) => {
      const shards = new Shards(bench(), count);
      for (let place = 0; place < count; place++) await shards.enqueue(place, 40, (place % 3) as Priority);
      let [running, most] = [0, 0];
      const measure = () => {
        most = Math.max(most, running + shards.inFlight);
      };
      shards.onFlight = measure;
      const handler: Handler = async () => {
        running += 1;
        measure();
        await pause(3);
        running -= 1;
      };
      const requests = 45;
      const report = await start(shards, handler, { requests, subrequests: 1 });
      expect(report).toMatchObject({ stale: 0, gone: 0, leasesLost: 0, ended: 'budget' });
      expect([shards.requests.length + report.delivered <= requests, most <= SLOTS + 1]).toEqual([true, true]);
      expect(report.delivered).toBeGreaterThanOrEqual(requests - 8 - 5 * count);
      expect([report.acked, await shards.left()]).toEqual([report.delivered, 40 * count - report.acked]); // the rest went back
      for (const { benches, place } of shards.each()) expect((await benches.shard()).leases, `${place}`).toEqual({});
    });

    test('that ends with work left says so on each shard where new work counts on it', async () => {
      const shards = new Shards(bench(), 2);
      await shards.enqueue(0, 30, 0);
      await shards.enqueue(1, 30);
      const left: number[] = [];
      const report = await start(shards, () => pause(20), {
        onLeft: (timeoutMs) => void left.push(timeoutMs),
        limits: { takesMs: 100, livesMs: 20_000, settlesMs: 500 },
      });
      expect(report.ended).toBe('budget');
      expect(left).toHaveLength(2);
      const ended = new Set(shards.requests.filter(({ request }) => request.drain?.ending).map(({ shard }) => shard));
      expect([...ended].toSorted()).toEqual([0, 1]);
    });
  },
  ['the embedded Redis'],
);
