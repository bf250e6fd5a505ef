// Fairness and bounded waiting, in simulated time: handlers that take a known time, and waits counted to the millisecond.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PreparedMessage } from '../../src/message/envelope.ts';
import type { Priority } from '../../src/message/message.ts';
import { defineQueue } from '../../src/queue/queue.ts';
import type { Settlement } from '../../src/store/encode-settlements.ts';
import { chanceFor } from '../chaos/random.ts';
import { Bench, type Redises, startServer } from '../support/bench.ts';
import { redisServerPresent } from '../support/redis-server.ts';

const HANDLERS = 5;
const SERVICE_MS = 20;
const BATCH = 10;
const BATCH_MS = (BATCH / HANDLERS) * SERVICE_MS;

interface Arrival {
  at: number;
  who: string;
  message: PreparedMessage;
}

interface Waited {
  who: string;
  at: number;
  /** Until it was given out, and until a handler was free for it. */
  takenMs: number;
  startedMs: number;
}

/** One drain: takes a batch, handles it five at a time, settles it and takes the next. Idle, it starts with the next arrival. */
async function simulate(
  b: Bench,
  arrivals: Arrival[],
  {
    untilMs,
    batch = BATCH,
    serviceMs = SERVICE_MS,
    sweepMs,
  }: { untilMs: number; batch?: number; serviceMs?: number; sweepMs?: number },
): Promise<Waited[]> {
  const begin = b.now;
  const known = new Map<string, Arrival>();
  const waits: Waited[] = [];
  let settlements: Settlement[] = [];
  let next = 0;
  let sweepAt = sweepMs ?? Number.POSITIVE_INFINITY;
  while (b.now - begin < untilMs) {
    const now = b.now - begin;
    for (; sweepAt <= now; sweepAt += sweepMs ?? 0) await b.store.sweep('*');
    const due = arrivals.slice(next).findIndex(({ at }) => at > now);
    const arrived = arrivals.slice(next, due < 0 ? undefined : next + due);
    next += arrived.length;
    if (arrived.length > 0) {
      const { ids } = await b.store.enqueue({ messages: arrived.map(({ message }) => message) });
      ids.forEach((id, i) => void known.set(id, arrived[i] as Arrival));
    }
    const { taken } = await b.store.sync({
      lease: 'a',
      leaseMs: 3_600_000,
      held: 0,
      want: batch,
      pools: ['*'],
      settlements,
    });
    taken.forEach(({ entry }, place) => {
      const { who, at } = known.get(entry.slice(2)) ?? {};
      const startedMs = now + Math.floor(place / HANDLERS) * serviceMs - (at ?? 0);
      if (who !== undefined && at !== undefined) waits.push({ who, at, takenMs: now - at, startedMs });
    });
    settlements = taken.map(({ entry }) => ({ entry, outcome: 'ack' }));
    if (taken.length > 0) b.now += Math.ceil(taken.length / HANDLERS) * serviceMs;
    else b.now = begin + Math.max(now + 1, Math.ceil(arrivals[next]?.at ?? untilMs));
  }
  return waits;
}

const p99 = (values: number[]) => values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1] ?? 0;

describe.skipIf(!redisServerPresent())('on redis-server, in simulated time', () => {
  let redises: Redises;
  beforeAll(async () => {
    redises = await startServer();
  }, 60_000);
  afterAll(() => redises.stop());

  test('LF2 a tenant with a backlog of 100,000 delays the small ones beside it by no more than a batch', async () => {
    const UNTIL_MS = 10_000;
    const { next } = chanceFor(11, 'tenants');
    const arrivalsOf = (b: Bench): Arrival[] => {
      const message = (who: string) => b.message('mail', who, { group: who });
      const small = Array.from({ length: 10 }, () => ({ at: 0, who: 'ten', message: message('ten') }));
      const sometimes: Arrival[] = [];
      for (let at = 0; at < UNTIL_MS - 1_000; at += 120 * next())
        sometimes.push({ at, who: 'now and then', message: message('now and then') });
      return [...small, ...sometimes].toSorted((x, y) => x.at - y.at);
    };
    const alone = new Bench(redises);
    const arrivals = arrivalsOf(alone);
    const before = await simulate(alone, arrivals, { untilMs: UNTIL_MS });
    const beside = new Bench(redises);
    const backlog = Array.from({ length: 1_000 }, (_, i) => beside.message('mail', i, { group: 'big' }));
    for (let i = 0; i < 100; i++) await beside.store.enqueue({ messages: backlog });
    const after = await simulate(beside, arrivals, { untilMs: UNTIL_MS });
    for (const tenant of ['ten', 'now and then']) {
      const of = (waits: Waited[]) => waits.filter(({ who }) => who === tenant);
      const sent = arrivals.filter(({ who }) => who === tenant).length;
      expect([of(before).length, of(after).length]).toEqual([sent, sent]);
      const [taken, started] = (['takenMs', 'startedMs'] as const).map((until) => ({
        alone: p99(of(before).map((wait) => wait[until])),
        beside: p99(of(after).map((wait) => wait[until])),
      }));
      console.info(
        `${tenant} (${sent} messages), p99: until taken ${taken?.alone.toFixed()} ms alone, ${taken?.beside.toFixed()} ms beside 100,000; ` +
          `until handled ${started?.alone.toFixed()} ms and ${started?.beside.toFixed()} ms; a batch is ${BATCH_MS} ms`,
      );
      for (const { alone, beside } of [taken, started].flatMap((both) => both ?? [])) {
        expect(beside).toBeLessThanOrEqual(2 * alone + BATCH_MS);
      }
    }
  }, 120_000);

  test.each([
    {
      title: 'batches larger than all weights together',
      batch: 10,
      weights: { gold: 3, silver: 2 },
      quantum: 0,
      off: 10,
    },
    { title: 'batches that no share divides', batch: 7, weights: { gold: 3, silver: 2 }, quantum: 0, off: 10 },
    { title: 'batches smaller than the weights', batch: 4, weights: { gold: 5, silver: 3 }, quantum: 0, off: 20 },
    { title: 'a quantum of one', batch: 10, weights: { gold: 3, silver: 2 }, quantum: 1, off: 10 },
    { title: 'no weights at all', batch: 4, weights: {}, quantum: 0, off: 10 },
  ])('weights are honoured over a long run: $title', async ({ batch, weights, quantum, off }) => {
    const b = new Bench(redises);
    b.deploy(defineQueue('mail', { fair: { weights, ...(quantum ? { quantum } : {}) }, handler: () => {} }));
    const groups = ['gold', 'silver', 'tin'];
    const weightOf = (group: string) => (weights as Record<string, number>)[group] ?? 1;
    const arrivals = groups.flatMap((who) =>
      Array.from({ length: 300 }, () => ({ at: 0, who, message: b.message('mail', 0, { group: who }) })),
    );
    const rounds = Math.floor(400 / batch);
    const waits = await simulate(b, arrivals, { untilMs: rounds * Math.ceil(batch / HANDLERS) * SERVICE_MS, batch });
    const total = groups.reduce((sum, group) => sum + weightOf(group), 0);
    const shares = groups.map((group) => ({
      group,
      got: waits.filter(({ who }) => who === group).length,
      fair: (waits.length * weightOf(group)) / total,
    }));
    console.info(
      `batches of ${batch}: ${shares.map(({ group, got, fair }) => `${group} ${got} of ${fair.toFixed(1)}`).join(', ')}`,
    );
    for (const { got, fair } of shares) expect(Math.abs(got - fair)).toBeLessThanOrEqual(off);
  });

  test.each([0.9, 1.1])(
    'LF1 under urgent load at %f of the capacity a low message waits its maxWait and a sweep at most',
    async (load) => {
      const MAX_WAIT_MS = 60_000;
      const SWEEP_MS = 60_000;
      const UNTIL_MS = 300_000;
      const batch = 20;
      const serviceMs = 200;
      const batchMs = (batch / HANDLERS) * serviceMs;
      const b = new Bench(redises);
      b.deploy(defineQueue('low', { priority: 9, maxWait: MAX_WAIT_MS, handler: () => {} }));
      const at = (priority: Priority, who: string) => b.message(who, 0, { priority });
      const perSecond = (load * HANDLERS * 1_000) / serviceMs;
      const arrivals: Arrival[] = [];
      for (let second = 0; second < UNTIL_MS / 1_000; second++) {
        for (let i = 0; i < perSecond; i++)
          arrivals.push({ at: second * 1_000 + (i * 1_000) / perSecond, who: 'urgent', message: at(0, 'urgent') });
        if (second % 3 === 0) arrivals.push({ at: second * 1_000 + 1, who: 'low', message: at(9, 'low') });
      }
      const waits = await simulate(
        b,
        arrivals.toSorted((x, y) => x.at - y.at),
        { untilMs: UNTIL_MS, batch, serviceMs, sweepMs: SWEEP_MS },
      );
      const low = waits.filter(({ who }) => who === 'low');
      const longest = Math.max(...low.map(({ takenMs }) => takenMs));
      const owed = arrivals.filter(
        ({ who, at }) => who === 'low' && at < UNTIL_MS - MAX_WAIT_MS - SWEEP_MS - batchMs,
      ).length;
      console.info(
        `urgent load of ${load}: the longest of ${low.length} low messages waited ${longest} ms; promised ${MAX_WAIT_MS} ms and a sweep of ${SWEEP_MS} ms`,
      );
      expect(low.length).toBeGreaterThanOrEqual(owed);
      expect(longest).toBeLessThanOrEqual(MAX_WAIT_MS + SWEEP_MS + batchMs);
    },
    60_000,
  );
});
