// Clocks that are wrong: those of callers decide nothing, and a step of the server's own costs time or a delivery, never a message.
import { afterEach, expect, test, vi } from 'vitest';
import { openBudget } from '../../src/drain/budget.ts';
import { planLife } from '../../src/drain/life.ts';
import { drain } from '../../src/drain/loop.ts';
import { defineQueue } from '../../src/index.ts';
import { ANYBODYS } from '../../src/store/sweep.ts';
import { onEachRedis } from '../support/bench.ts';
import { deliverAll } from '../support/settling.ts';
import { steadyNow } from '../support/steady-clock.ts';

const LEASE_MS = 30_000;
const TEN_MINUTES = 600_000;
const SLACK_MS = 60_000; // a busy machine; a clock that counted would be ten minutes off

onEachRedis(
  'clocks',
  (bench) => {
    const realNow = Date.now;
    const clockOff = (ms: number) => vi.spyOn(Date, 'now').mockImplementation(() => realNow() + ms);
    afterEach(() => vi.restoreAllMocks());

    const skews = [-TEN_MINUTES, 0, TEN_MINUTES].flatMap((producer) =>
      [-TEN_MINUTES, 0, TEN_MINUTES].map((consumer) => ({ producer, consumer })),
    );
    test.each(skews)(
      'TI1 Skew: producer $producer ms off, consumer $consumer ms off: order, delay and lease are those of the server',
      async ({ producer, consumer }) => {
        const b = bench();
        const store = b.openStore(); // the server's clock
        clockOff(producer);
        const now = [1, 2, 3].map((n) => b.message('mail', n));
        const { ids } = await store.enqueue({ messages: now });
        clockOff(-producer);
        const later = [b.message('mail', 4), b.message('mail', 5, { delayMs: 400 })];
        const begunAt = performance.now(); // its delay begins no earlier, however long the answer takes
        const { ids: rest } = await store.enqueue({ messages: later });
        b.expectAlive([...ids, ...rest], [...now, ...later]);
        vi.restoreAllMocks();
        const { envelopes } = await b.shard();
        for (const envelope of Object.values(envelopes)) {
          expect(Math.abs(Number(envelope.split(' ')[3]) - Date.now())).toBeLessThan(SLACK_MS);
        }

        clockOff(consumer);
        const request = { lease: 'a', leaseMs: LEASE_MS, held: 0, want: 1, pools: ['*'], settlements: [] };
        const { taken } = await store.sync(request);
        expect(taken.map(({ entry }) => entry)).toEqual([`1.${ids[0]}`]);
        clockOff(-consumer);
        expect(await store.sweep('*')).toMatchObject({ requeued: 0, dead: 0 }); // not lapsed, by whatever clock
        vi.restoreAllMocks();
        const lease = (await b.shard()).timers['l a'] ?? 0;
        expect(Math.abs(lease - LEASE_MS - Date.now())).toBeLessThan(SLACK_MS);

        clockOff(consumer);
        const seen: string[] = [];
        let delayedAt = 0;
        const handler = ({ id }: { id: string }) => {
          seen.push(id);
          if (id === rest[1]) delayedAt = performance.now();
        };
        const budget = openBudget(
          { ...planLife(10_000, [15_000]), requests: 500, requestsPerDelivery: 1, messages: 100 },
          Date.now,
        );
        const queues = new Map([['mail', defineQueue('mail', { handler })]]);
        await drain({
          shards: [{ name: '', store }],
          pool: '*',
          queues,
          env: {},
          budget,
          concurrency: 1,
          connections: 1,
          batch: 10,
          leaseMs: LEASE_MS,
        });
        expect(seen).toEqual([ids[1], ids[2], ...rest]);
        expect(delayedAt - begunAt).toBeGreaterThan(395); // two clocks, and whole ms
        const settlements = [{ entry: `1.${ids[0]}`, outcome: 'ack' as const }];
        expect((await store.sync({ ...request, want: 0, settlements })).statuses).toEqual(['acked']);
        b.alive.clear();
      },
    );

    test('TI1 Skew: drains ten minutes apart work side by side: each message once', async () => {
      const b = bench();
      const store = b.openStore();
      const { ids } = await store.enqueue({ messages: Array.from({ length: 60 }, (_, n) => b.message('mail', n)) });
      const seen: string[] = [];
      const handler = async ({ id }: { id: string }) => {
        seen.push(id);
        await new Promise((resolve) => setTimeout(resolve, 5));
      };
      const queues = new Map([['mail', defineQueue('mail', { handler })]]);
      const drainBy = (offset: number) => {
        const clock = () => steadyNow() + offset;
        const budget = openBudget(
          { ...planLife(4_000, [15_000]), requests: 500, requestsPerDelivery: 1, messages: 100 },
          clock,
        );
        return drain({
          shards: [{ name: '', store }],
          pool: '*',
          queues,
          env: {},
          budget,
          clock,
          concurrency: 2,
          connections: 2,
          batch: 5,
          leaseMs: LEASE_MS,
        });
      };
      await Promise.all([drainBy(-TEN_MINUTES), drainBy(0), drainBy(TEN_MINUTES)]);
      expect(seen.toSorted()).toEqual(ids.toSorted());
    });

    test('TI2 Redis clock steps five seconds back: a lease lasts that much longer, and no message goes out twice or never', async () => {
      const b = bench();
      const [first = '', second = ''] = await b.enqueue(b.message('mail', 1), b.message('mail', 2));
      await b.take(1, 'a');
      b.now -= 5_000;
      const [third = ''] = await b.enqueue(b.message('mail', 3));
      for (const id of [first, second, third]) b.unordered.add(id); // enqueued-at goes back with the clock; the order stays
      await b.store.sweep('*');
      expect(await b.take(5, 'b')).toEqual([`1.${second}`, `1.${third}`]);
      b.now += LEASE_MS + 4_999;
      await b.sync({ lease: 'b', held: 2 });
      expect((await b.shard()).leases.a).toEqual([`1.${first}`]);
      b.now += 1;
      expect(await b.take(5, 'c')).toEqual([`2.${first}`]);
      const { given } = await deliverAll(b);
      expect([...given.values()].every((times) => times === 1)).toBe(true);
      expect(b.alive).toEqual(new Set());
    });

    test('TI2 Redis clock steps an hour back: a heartbeat brings a lease back to its length, and after a sweep lanes take turns again', async () => {
      const b = bench();
      const groups = ['x', 'y', 'z'];
      const enqueueEach = () => b.enqueue(...groups.map((group) => b.message('mail', group, { group })));
      for (let i = 0; i < 4; i++) await enqueueEach();
      const [held = ''] = await b.take(1, 'a');
      b.now -= 3_600_000;
      await enqueueEach();
      for (const id of b.alive) b.unordered.add(id);
      await b.sync({ lease: 'a', held: 1 });
      expect((await b.shard()).timers['l a']).toBe(b.now + LEASE_MS);
      // A lane that is served gets a turn of the new time, before all that have one of the old: until a sweep sees it.
      let cursor = '0';
      do ({ cursor } = await b.store.sweep('*', { cursor }));
      while (cursor !== '0');
      const served = new Set<string>();
      for (let i = 0; i < 6; i++) {
        const { taken } = await b.sync({ lease: `b${i}`, want: 1 });
        served.add(taken[0]?.envelope.split(' ')[0] ?? '');
        b.now += 1;
      }
      expect(served.size).toBe(3);
      expect((await b.sync({ lease: 'a', settlements: [{ entry: held, outcome: 'ack' }] })).statuses).toEqual([
        'acked',
      ]);
      await deliverAll(b);
      expect(b.alive).toEqual(new Set());
    });

    test('TI2 Redis clock is a day ahead for a while: sweeps of new isolates go on with their rounds, and with what is done once an hour', async () => {
      const b = bench();
      const sweep = () => b.store.sweep('*', { cursor: ANYBODYS, note: true });
      const now = b.now;
      b.now += 86_400_000;
      await sweep();
      b.now = now;
      const rounds: number[] = [];
      for (let minute = 0; minute < 70; minute += 1) {
        rounds.push((await sweep()).round);
        b.now += 60_000;
      }
      expect([rounds.at(-1), rounds.filter((round) => round < 60).length]).toEqual([71, 58]);
    });

    test('TI2 Redis clock steps an hour ahead: what is held goes out once more with a lapse on record, and late acks change nothing', async () => {
      const b = bench();
      const ids = await b.enqueue(
        ...[1, 2, 3].map((n) => b.message('mail', n)),
        b.message('mail', 4, { delayMs: 60_000 }),
      );
      const [expires = ''] = await b.enqueue(b.message('news', 5, { priority: 9, ttlMs: 600_000 }));
      const held = await b.take(2, 'a');
      b.now += 3_600_000;
      const again = await b.take(10, 'b');
      expect(again).toEqual([`2.${ids[0]}`, `2.${ids[1]}`, `1.${ids[2]}`, `1.${ids[3]}`]);
      const before = await b.shard();
      const settlements = held.map((entry) => ({ entry, outcome: 'ack' as const }));
      expect((await b.sync({ lease: 'a', settlements })).statuses).toEqual(['stale', 'stale']);
      expect(await b.shard()).toEqual(before);
      expect(before.failures[ids[0] ?? '']).toMatch(/^1 \d+ lease_expired /);
      expect(Object.keys(before.dead.news ?? {})).toEqual([`1.${expires}`]); // its time is over, by the clock there is
      const { given, acked } = await deliverAll(b);
      expect([...given.values()].every((times) => times === 1)).toBe(true);
      expect(acked.size).toBe(4);
      expect([...b.alive]).toEqual([expires]);
    });
  },
  ['redis-server'],
);
