// A drain with several leases: what storage sees of it, and what becomes of messages whatever happens to one of the leases.
import { expect, test } from 'vitest';
import { type Limits, openBudget } from '../../src/drain/budget.ts';
import { planLife } from '../../src/drain/life.ts';
import { drain } from '../../src/drain/loop.ts';
import type { Attention, DrainOptions } from '../../src/drain/report.ts';
import { StorageError } from '../../src/errors.ts';
import { defineQueue, type QueueOptions } from '../../src/index.ts';
import type { Store } from '../../src/store/store.ts';
import type { SyncAnswer, SyncRequest } from '../../src/store/sync.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';
import { eventually } from '../support/worker.ts';

const PLENTY: Limits = { ...planLife(20_000, [15_000]), requests: 9_000, requestsPerDelivery: 0, messages: 1_000_000 };
const LEASE_MS = 30_000;
const TRIP_MS = 4;

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** What may happen to a sync on its way: called before it runs, and with its answer before that arrives. */
interface Road {
  there?(request: SyncRequest): Promise<void> | void;
  back?(request: SyncRequest, answer: SyncAnswer): Promise<void> | void;
}

/** A store that is some ms away, and what of it is in flight. */
function away(store: Store, road: Road = {}) {
  const seen = { inFlight: [] as string[], most: 0, twice: 0, names: new Set<string>(), requests: [] as SyncRequest[] };
  const sync: Store['sync'] = async (request) => {
    if (seen.inFlight.includes(request.lease)) seen.twice += 1;
    seen.inFlight.push(request.lease);
    seen.most = Math.max(seen.most, seen.inFlight.length);
    seen.names.add(request.lease);
    seen.requests.push(request);
    try {
      await pause(TRIP_MS);
      await road.there?.(request);
      const answer = await store.sync(request);
      await road.back?.(request, answer);
      await pause(TRIP_MS);
      return answer;
    } finally {
      seen.inFlight.splice(seen.inFlight.indexOf(request.lease), 1);
    }
  };
  return { store: { ...store, sync }, seen };
}

const queueOf = (handler: QueueOptions['handler'], subrequests = 0) =>
  defineQueue('work', { subrequests, handler: handler as NonNullable<typeof handler> });

/** Batches of ten: a backlog of more than a hundred stands. */
function start(work: ReturnType<typeof queueOf>, { store, ...options }: Partial<DrainOptions> & { store: Store }) {
  return drain({
    shards: [{ name: '', store }],
    pool: '*',
    queues: new Map([[work.name, work]]),
    env: {},
    budget: openBudget(PLENTY, Date.now),
    concurrency: 20,
    connections: Number.POSITIVE_INFINITY,
    batch: 10,
    leases: 4,
    leaseMs: LEASE_MS,
    ...options,
  });
}

async function enqueue(b: Bench, count: number, priority: 0 | 5 = 5): Promise<string[]> {
  const messages = Array.from({ length: count }, (_, i) => b.message('work', i, { priority }));
  const { ids } = await b.openStore().enqueue({ messages });
  b.expectAlive(ids, messages);
  return ids;
}

onEachRedis(
  'a drain with several leases',
  (bench) => {
    test('has one sync in flight on each while a backlog stands, and at its end nobody holds anything or is awake', async () => {
      const b = bench();
      const ids = await enqueue(b, 600);
      const { store, seen } = away(b.openStore());
      const handled: string[] = [];
      const report = await start(
        queueOf(({ id }) => void handled.push(id)),
        { store },
      );
      expect(report).toMatchObject({ delivered: 600, acked: 600, stale: 0, gone: 0, ended: 'idle' });
      expect(handled.toSorted()).toEqual(ids.toSorted());
      expect([seen.most, seen.twice]).toEqual([4, 0]);
      const { leases } = await b.shard();
      expect([leases, await b.redises.raw.exists(`${b.root}awake`)]).toEqual([{}, 0]);
      b.alive.clear();
    });

    test('has one where no backlog stands, and where one handler is to see each lane in its order', async () => {
      const b = bench();
      await enqueue(b, 100);
      const few = away(b.openStore());
      await start(
        queueOf(() => {}),
        { store: few.store },
      );
      expect([few.seen.most, few.seen.names.size]).toEqual([1, 1]);
      const ids = await enqueue(b, 200);
      const many = away(b.openStore());
      const handled: string[] = [];
      await start(
        queueOf(({ id }) => void handled.push(id)),
        { store: many.store, concurrency: 1 },
      );
      expect([many.seen.most, handled]).toEqual([1, ids]);
      b.alive.clear();
    });

    test('starts nothing less urgent once a sync has brought what is urgent, and that is the next of any lease', async () => {
      const b = bench();
      await enqueue(b, 800);
      const events: string[] = [];
      let [syncs, handled] = [0, 0];
      const began = new WeakMap<SyncRequest, number>();
      const road: Road = {
        there: (request) => void began.set(request, ++syncs),
        back(request, answer) {
          if (request.want > 0 && answer.taken.length > 0) events.push(`answer ${began.get(request)}`);
        },
      };
      const { store, seen } = away(b.openStore(), road);
      let readyAt = Number.POSITIVE_INFINITY;
      const handler = async ({ priority }: { priority: number }) => {
        events.push(priority === 0 ? 'urgent' : 'other');
        handled += 1;
        if (handled === 400) {
          await enqueue(b, 3, 0);
          readyAt = syncs;
        }
        await pause(1);
      };
      await start(queueOf(handler), { store });
      const next = events.findIndex((event) => event.startsWith('answer ') && Number(event.slice(7)) > readyAt);
      const before = events.slice(next, events.lastIndexOf('urgent'));
      const later = before.filter((event) => event === 'other').length;
      expect(events.filter((event) => event === 'urgent')).toHaveLength(3);
      expect(seen.most).toBeGreaterThan(1);
      // While that answer is on its way back handlers that become free go on with what was there already.
      expect(later).toBeLessThanOrEqual(20 * (TRIP_MS + 4));
      const arrived = before.indexOf('urgent');
      expect(before.slice(arrived).filter((event) => event === 'other')).toEqual([]);
      b.alive.clear();
    });

    test('loses no answer: one without takes its messages with the next, and the other leases go on meanwhile', async () => {
      const b = bench();
      const ids = await enqueue(b, 600);
      const lost = new Set<string>();
      const road: Road = {
        back({ lease, want }, { taken }) {
          if (want === 0 || taken.length === 0 || lost.size >= 2 || lost.has(lease) || seen.most < 4) return;
          lost.add(lease);
          throw new StorageError('slow', 'no answer');
        },
      };
      const { store, seen } = away(b.openStore(), road);
      const handled: string[] = [];
      const report = await start(
        queueOf(({ id }) => void handled.push(id)),
        { store },
      );
      expect(lost.size).toBe(2);
      expect(report).toMatchObject({ delivered: 600, stale: 0, ended: 'idle' });
      expect(report.acked + report.gone).toBe(600); // what those two had settled was gone at their repeats
      expect(report.gone).toBeLessThanOrEqual(20);
      expect(handled.toSorted()).toEqual(ids.toSorted());
      expect([seen.twice, (await b.shard()).leases]).toEqual([0, {}]);
      b.alive.clear();
    });

    test('loses one lease and nothing of the others: only its messages come again', async () => {
      const b = bench();
      const ids = await enqueue(b, 400);
      let swept: string | undefined;
      const attempts: string[] = [];
      const road: Road = {
        async there({ lease }) {
          const held = (await b.shard()).leases[lease]?.length ?? 0;
          if (swept || seen.most < 3 || held === 0) return;
          swept = lease;
          await b.redises.raw.zadd(`${b.root}timers`, 1, `l ${lease}`); // as if it had expired long ago
          await b.openStore().sweep('*');
        },
      };
      const { store, seen } = away(b.openStore(), road);
      const handler = ({ id, attempt }: { id: string; attempt: number }) => void attempts.push(`${attempt}.${id}`);
      const report = await start(queueOf(handler), { store });
      const again = attempts.filter((each) => each.startsWith('2.'));
      expect(report).toMatchObject({ acked: 400, delivered: 400 + again.length, ended: 'idle' });
      expect(again.length).toBeGreaterThan(0);
      expect(again.length).toBeLessThanOrEqual(10);
      expect(new Set(attempts.map((each) => each.slice(2)))).toEqual(new Set(ids));
      b.alive.clear();
    });

    test('that ends gives back what its syncs in flight still bring, uncounted, and more requests than it may it never makes', async () => {
      const b = bench();
      const ids = await enqueue(b, 900);
      const budget = openBudget({ ...PLENTY, requests: 130 }, Date.now);
      const { store, seen } = away({ ...b.openStore() }, { there: () => budget.onRequest() });
      const handled: string[] = [];
      const handler = async ({ id }: { id: string }) => {
        await pause(1);
        if (handled.push(id) === 500) budget.close();
      };
      const report = await start(queueOf(handler), { store, budget });
      expect(report).toMatchObject({ ended: 'budget', stale: 0, gone: 0 });
      expect(report.acked).toBe(handled.length);
      expect([seen.most > 1, report.requests <= 130]).toEqual([true, true]);
      const { leases, lanes } = await b.shard();
      expect([leases, lanes['5:work']?.length]).toEqual([{}, 900 - handled.length]);
      expect(lanes['5:work']?.every((entry) => entry.startsWith('1.'))).toBe(true);
      for (const id of handled) b.alive.delete(id);
      for (const id of ids) b.unordered.add(id); // what goes back goes to the head, lease by lease
    });

    test('adds none where few requests are left', async () => {
      const b = bench();
      await enqueue(b, 300);
      const { store, seen } = away(b.openStore());
      const budget = openBudget({ ...PLENTY, requests: 90 }, Date.now);
      expect(
        await start(
          queueOf(() => {}),
          { store, budget },
        ),
      ).toMatchObject({ acked: 300 });
      expect(seen.most).toBe(1);
      b.alive.clear();
    });

    test('has no more syncs in flight than its handlers leave connections, and one', async () => {
      const b = bench();
      await enqueue(b, 500);
      let [running, most] = [0, 0];
      const { store, seen } = away(b.openStore(), { there: () => count(0) });
      const count = (by: number) => {
        running += by;
        most = Math.max(most, running + seen.inFlight.length);
      };
      const handler = async () => {
        count(1);
        await pause(0);
        count(-1);
      };
      await start(queueOf(handler, 1), { store, connections: 3 });
      expect(most).toBeLessThanOrEqual(4);
      b.alive.clear();
    });

    test('takes one more that an enqueue has filled, and none at its end', async () => {
      const b = bench();
      const [first = ''] = await enqueue(b, 1);
      const attention: Attention = { asked: false };
      const ends = Promise.withResolvers<void>();
      const begun = Promise.withResolvers<void>();
      const handled: string[] = [];
      const handler = async ({ id }: { id: string }) => {
        handled.push(id);
        if (id !== first) return ends.resolve();
        begun.resolve();
        return ends.promise;
      };
      const handedOver = Promise.withResolvers<void>();
      /** The drain's own look would take it where it came first. */
      const there = () => (handled.length > 0 ? handedOver.promise : undefined);
      const { store, seen } = away(b.openStore(), { there });
      const work = start(queueOf(handler), { store, attention });
      await begun.promise;
      const [second = ''] = await enqueue(b, 1);
      const handOff = { lease: 'handed', leasedUntil: Date.now() + LEASE_MS, takenAt: Date.now(), clockAheadMs: 0 };
      const { taken } = await b
        .openStore()
        .sync({ lease: 'handed', leaseMs: LEASE_MS, held: 0, want: 1, pools: ['*'], settlements: [] });
      expect(attention.adopt?.({ ...handOff, taken })).toBe(true);
      handedOver.resolve();
      expect(await work).toMatchObject({ acked: 2, ended: 'idle' });
      expect([handled, seen.names.has('handed')]).toEqual([[first, second], true]);
      expect(attention.adopt?.({ ...handOff, taken })).toBe(false);
      b.alive.clear();
    });

    test('that dies leaves all of them to the sweep: each of its messages comes again', async () => {
      const b = bench();
      const ids = await enqueue(b, 600);
      let isDead = false;
      const handled = new Map<string, number>();
      const died = Promise.withResolvers<void>();
      const never = new Promise<void>(() => {});
      const road: Road = {
        async back() {
          if (seen.most === 4) isDead = true;
          if (!isDead) return;
          died.resolve();
          await never;
        },
        async there() {
          if (isDead) await never;
        },
      };
      const near = b.openStore();
      let atStorage = 0;
      const sync: Store['sync'] = (request) => {
        atStorage += 1;
        return near.sync(request).finally(() => {
          atStorage -= 1;
        });
      };
      const { store, seen } = away({ ...near, sync }, road);
      const count = ({ id }: { id: string }) => void handled.set(id, (handled.get(id) ?? 0) + 1);
      void start(queueOf(count), {
        store,
        budget: openBudget({ ...PLENTY, livesMs: 1_000_000, takesMs: 1_000_000 }, Date.now),
      });
      await died.promise;
      await eventually('storage has answered all of it', () => atStorage === 0);
      const held = Object.entries((await b.shard()).leases).filter(([, entries]) => entries.length > 0);
      expect(held.length).toBeGreaterThan(1);
      for (const [lease] of held) await b.redises.raw.zadd(`${b.root}timers`, 1, `l ${lease}`);
      await b.openStore().sweep('*');
      await start(queueOf(count), { store: b.openStore() });
      expect([...handled.keys()].toSorted()).toEqual(ids.toSorted());
      expect((await b.shard()).leases).toEqual({});
      b.alive.clear();
    });
  },
  ['the embedded Redis'],
);
