// A drain that begins with messages in hand, which an enqueue has taken for it.
import { expect, test } from 'vitest';
import { type Limits, openBudget } from '../../src/drain/budget.ts';
import { planLife } from '../../src/drain/life.ts';
import { drain } from '../../src/drain/loop.ts';
import type { Attention, DrainOptions } from '../../src/drain/report.ts';
import { StorageError } from '../../src/errors.ts';
import { defineQueue, type QueueOptions } from '../../src/index.ts';
import { Invocation } from '../../src/runtime/invocation.ts';
import type { HandOff } from '../../src/store/enqueue.ts';
import type { SyncRequest } from '../../src/store/sync.ts';
import { engineOn } from '../regressions/engines.ts';
import { type Bench, onEachRedisAtOnce } from '../support/bench.ts';
import { eventually } from '../support/worker.ts';

const PLENTY: Limits = { ...planLife(20_000, [15_000]), requests: 9_000, requestsPerDelivery: 1, messages: 1_000_000 };
const LEASE_MS = 30_000;

/** What an enqueue of these has taken into a lease: as a sync would. */
async function takeFor(b: Bench, priorities: (0 | 5)[]): Promise<HandOff & { ids: string[] }> {
  const store = b.openStore();
  const messages = priorities.map((priority, i) => b.message('work', i, { priority }));
  const { ids } = await store.enqueue({ messages });
  b.expectAlive(ids, messages);
  const leasedUntil = Date.now() + LEASE_MS;
  const lease = { lease: 'handed', leaseMs: LEASE_MS, held: 0, settlements: [], pools: ['*'] };
  const { taken, now } = await store.sync({ ...lease, want: ids.length });
  const inOrder = ids.map((id) => taken.find(({ entry }) => entry === `1.${id}`) as (typeof taken)[0]);
  return { lease: 'handed', leasedUntil, takenAt: now, taken: inOrder, clockAheadMs: Date.now() - now, ids };
}

/** @param syncs takes those that it makes */
function begin(b: Bench, handler: QueueOptions['handler'], options: Partial<DrainOptions>, syncs: SyncRequest[] = []) {
  const work = defineQueue('work', { handler: handler as NonNullable<typeof handler> });
  const opened = b.openStore();
  const store: typeof opened = {
    ...opened,
    sync: (request) => {
      syncs.push({ ...request, settlements: [...request.settlements] });
      return opened.sync(request);
    },
  };
  return drain({
    shards: [{ name: '', store }],
    pool: '*',
    queues: new Map([[work.name, work]]),
    env: {},
    budget: openBudget(PLENTY, Date.now),
    concurrency: 5,
    connections: 5,
    batch: 100,
    leaseMs: LEASE_MS,
    ...options,
  });
}

onEachRedisAtOnce('a drain that was handed messages', (own) => {
  test('handles them before any round trip, the most urgent first, and settles them with the only one', () =>
    own(async (b) => {
      const { ids, ...handOff } = await takeFor(b, [5, 0, 5]);
      const seen: [string, number][] = [];
      const syncs: SyncRequest[] = [];
      const handler: QueueOptions['handler'] = ({ id }) => void seen.push([id, syncs.length]);
      expect(await begin(b, handler, { handOff, concurrency: 1 }, syncs)).toMatchObject({
        delivered: 3,
        acked: 3,
        ended: 'idle',
      });
      expect(seen).toEqual([ids[1], ids[0], ids[2]].map((id) => [id, 0]));
      expect(syncs.map(({ lease, held, settlements }) => [lease, held, settlements.length])).toEqual([
        ['handed', 0, 3],
      ]);
      for (const id of ids) b.alive.delete(id);
    }));

  test('of one priority begins those first that storage took first, though their enqueue had been sent before', () =>
    own(async (b) => {
      const messages = [0, 1, 2].map((i) => b.message('work', i));
      const { ids } = await b.openStore().enqueue({ messages });
      b.expectAlive(ids, messages);
      const sentAt = Date.now();
      const attention: Attention = { asked: false };
      const ends = Promise.withResolvers<void>();
      const areBusy = Promise.withResolvers<void>();
      const begun: string[] = [];
      const handler = ({ id }: { id: string }) => {
        if (begun.push(id) === 2) areBusy.resolve();
        return ends.promise;
      };
      const done = begin(b, handler, { attention, concurrency: 2, connections: 2 });
      await areBusy.promise;
      const { ids: last, ...handOff } = await takeFor(b, [5]);
      expect(attention.adopt?.({ ...handOff, leasedUntil: sentAt - 1 + LEASE_MS })).toBe(true);
      ends.resolve();
      await done;
      expect(begun).toEqual([...ids, ...last]);
      for (const id of begun) b.alive.delete(id);
    }));

  test('looks in time for what came meanwhile, where their handlers take longer', () =>
    own(async (b) => {
      const { ids, ...handOff } = await takeFor(b, [5]);
      const messages = [b.message('work', 'later')];
      const [later = ''] = (await b.openStore().enqueue({ messages })).ids;
      const { promise, resolve } = Promise.withResolvers<void>();
      const handler = async ({ id }: { id: string }) => (id === later ? resolve() : promise);
      const syncs: SyncRequest[] = [];
      expect(await begin(b, handler, { handOff }, syncs)).toMatchObject({ delivered: 2, acked: 2 });
      expect(syncs[0]).toMatchObject({ held: 1, settlements: [] });
      for (const id of ids) b.alive.delete(id);
    }));

  test('and is busy with them says so, though another has just said so for itself: what comes then wakes a drain', () =>
    own(async (b) => {
      const { raw } = b.redises;
      const { ids, ...handOff } = await takeFor(b, [5]);
      await raw.set(`${b.root}awake`, 'the enqueue');
      await raw.set(`${b.root}busy`, 'another', 'PX', 60_000);
      const { promise, resolve } = Promise.withResolvers<void>();
      const ending = begin(b, () => promise, { handOff, concurrency: 1 });
      await eventually('nobody is awake', async () => (await raw.exists(`${b.root}awake`)) === 0, 3_000);
      resolve();
      expect(await ending).toMatchObject({ acked: 1 });
      for (const id of ids) b.alive.delete(id);
    }));

  test('gives back what it cannot begin, and that is no attempt', () =>
    own(async (b) => {
      const { ids, ...handOff } = await takeFor(b, [5, 5]);
      const budget = openBudget({ ...PLENTY, messages: 1 }, Date.now);
      const report = await begin(b, () => {}, { handOff, budget });
      expect(report).toMatchObject({ delivered: 1, acked: 1, released: 1, ended: 'budget' });
      b.alive.delete(ids[0] ?? '');
      expect((await b.shard()).lanes).toEqual({ '5:work': [`1.${ids[1]}`] });
    }));

  test('goes back, and that is no attempt, where the drain at work takes nothing more: that one looks', () =>
    own(async (b) => {
      const { ids, ...handOff } = await takeFor(b, [5, 5]);
      const { waking } = engineOn(b, [defineQueue('work', { handler: () => {} })]).parts;
      const invocation = new Invocation();
      let looks = 0;
      await waking.run(invocation, async (attention) => {
        attention.adopt = () => false;
        attention.look = () => {
          looks += 1;
          return true;
        };
        expect(await waking.drain(invocation, { handOff })).toBeUndefined();
      });
      expect([looks, (await b.shard()).lanes]).toEqual([1, { '5:work': ids.map((id) => `1.${id}`).toReversed() }]);
    }));

  test('goes back where the drain at work takes nothing more, and has another begin where that one ends meanwhile', () =>
    own(async (b) => {
      const { ids, ...handOff } = await takeFor(b, [5]);
      const seen: string[] = [];
      const { waking } = engineOn(b, [defineQueue('work', { handler: ({ id }) => void seen.push(id) })]).parts;
      const invocation = new Invocation();
      let drained: Promise<unknown> | undefined;
      await waking.run(invocation, async (attention) => {
        attention.adopt = () => false;
        drained = waking.drain(invocation, { handOff });
      });
      await drained;
      expect(seen).toEqual(ids);
      for (const id of ids) b.alive.delete(id);
    }));

  test('that cannot even give back leaves word of what was noted before: it has not looked', () =>
    own(async (b) => {
      const { ids, taken: _, ...handOff } = await takeFor(b, [5]);
      const { waking, claims } = engineOn(b, [], { UPSTASH_REDIS_REST_TOKEN: 'another' }).parts;
      claims.noteWork();
      await expect(waking.giveBack(handOff, new Invocation())).rejects.toThrow(StorageError);
      expect([claims.takeWork(), (await b.shard()).leases]).toEqual([true, { handed: [`1.${ids[0]}`] }]);
    }));

  test('begins though what earlier drains could not settle is refused once more', () =>
    own(async (b) => {
      const seen: string[] = [];
      const first = new Invocation();
      const work = defineQueue('work', {
        handler: ({ id }) => {
          seen.push(id);
          first.isSpent = true;
        },
      });
      const { waking } = engineOn(b, [work]).parts;
      const messages = [b.message('work', 'kept')];
      const [kept = ''] = (await b.openStore().enqueue({ messages })).ids;
      await waking.drain(first);
      const [lease = ''] = Object.keys((await b.shard()).leases);
      await b.redises.raw.multi().del(`${b.root}lease:${lease}`).set(`${b.root}lease:${lease}`, 'x').exec();
      const { ids, ...handOff } = await takeFor(b, [5]);
      await waking.drain(new Invocation(), { handOff });
      expect(seen).toEqual([kept, ...ids]);
      await b.redises.raw.del(`${b.root}lease:${lease}`, `${b.root}m:${kept}`);
      for (const id of ids) b.alive.delete(id);
    }));

  test.each([
    [1, 'offers no lease to enqueues'],
    [2, 'offers one'],
  ])('that is at work with one of %i handlers %s', (concurrency, what) =>
    own(async (b) => {
      const invocation = new Invocation();
      const offers: unknown[] = [];
      const work = defineQueue('work', { handler: async () => void offers.push(offer()) });
      const { waking } = engineOn(b, [work], { SLUICE_CONCURRENCY: concurrency }).parts;
      const offer = () => waking.offer({ invocation, isCode: false }, [work])?.most;
      const { ids, ...handOff } = await takeFor(b, [5]);
      offers.push(offer());
      await waking.drain(invocation, { handOff });
      expect(offers).toEqual([concurrency, what === 'offers one' ? concurrency : undefined]);
      for (const id of ids) b.alive.delete(id);
    }),
  );

  test('takes no more when it has failed, though its caller is about to begin it anew', () =>
    own(async (b) => {
      const { ids, ...handOff } = await takeFor(b, [5]);
      const attention: Attention = { asked: false };
      const store = { ...b.openStore(), sync: () => Promise.reject(new StorageError('unreachable', 'away')) };
      await expect(begin(b, () => {}, { shards: [{ name: '', store }], attention })).rejects.toThrow(StorageError);
      expect(attention.adopt?.(handOff)).toBe(false);
      expect((await b.shard()).leases).toEqual({ handed: [`1.${ids[0]}`] });
    }));

  test('asks first where nobody knows what its lease holds', () =>
    own(async (b) => {
      const { ids, taken: _, ...handOff } = await takeFor(b, [5]);
      const seen: string[] = [];
      const syncs: SyncRequest[] = [];
      const report = await begin(b, ({ id }) => void seen.push(id), { handOff }, syncs);
      expect(report).toMatchObject({ acked: 1, ended: 'idle' });
      expect([seen, syncs.map(({ held }) => held)]).toEqual([ids, [0, 0]]);
      for (const id of ids) b.alive.delete(id);
    }));
});
