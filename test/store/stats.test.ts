// What the counters promise: each settled delivery counted once, by what became of it, and kept for a day.
import { expect, test } from 'vitest';
import { parseCounters } from '../../src/stats/counters.ts';
import { openStats } from '../../src/stats/store.ts';
import type { Settlement } from '../../src/store/encode-settlements.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

const MINUTE_MS = 60_000;

const statsOn = (b: Bench) => openStats(b.opened(b.runner(), () => b.now));
const hourOf = (b: Bench, queue = '*') => statsOn(b).steps([queue], { tier: 1, count: 60 });
const stepAt = async (b: Bench, queue: string, at = b.now) =>
  parseCounters((await hourOf(b, queue)).steps.get(Math.floor(at / MINUTE_MS)) ?? '');
const totalOf = async (b: Bench, queue: string) => parseCounters((await statsOn(b).totals([queue])).texts[0] ?? '');
const failure = { kind: 'failed', text: 'x' } as const;

/** Takes so many messages of one queue, each measured alike. */
async function work(b: Bench, count: number, outcome: Settlement['outcome'], options: object = {}): Promise<void> {
  await b.enqueue(...Array.from({ length: count }, (_, n) => b.message('mail', n, options)));
  const measured = { queue: 'mail', waitMs: 30, runMs: 500 };
  const entries = await b.take(count);
  const failed = outcome === 'ack' || outcome === 'release' ? {} : { failure };
  await b.sync({ settlements: entries.map((entry) => ({ entry, outcome, measured, delayMs: 9_000, ...failed })) });
}

onEachRedis('stats', (bench) => {
  test('each delivery is counted by what became of it, with how long it waited and ran', async () => {
    const b = bench();
    await work(b, 3, 'ack');
    await work(b, 2, 'retry');
    await work(b, 1, 'dead');
    await work(b, 1, 'retry', { maxAttempts: 1 });
    await work(b, 1, 'release');
    const counters = await stepAt(b, 'mail');
    expect(counters).toMatchObject({ acked: 3, retried: 2, dead: 2, released: 1, leaseExpired: 0 });
    expect(counters.wait).toMatchObject({ count: 8, sumMs: 8 * 30 });
    expect(counters.run).toMatchObject({ count: 8, sumMs: 8 * 500 });
    const bucketsOf = (counts: number[]) => Object.entries(counts); // 30 ms up to 32, 500 ms up to 512
    expect([bucketsOf(counters.wait.counts), bucketsOf(counters.run.counts)]).toEqual([[['10', 8]], [['18', 8]]]);
    expect(await stepAt(b, '*')).toEqual(counters);
    expect(await totalOf(b, 'mail')).toEqual(counters);
    expect(Object.keys((await b.shard()).dead.mail ?? {})).toHaveLength(counters.dead);
  });

  test('failures of a hundred texts take no longer a line than failures of one', async () => {
    const b = bench();
    await b.enqueue(...Array.from({ length: 100 }, (_, n) => b.message('mail', n)));
    const measured = { queue: 'mail', waitMs: 30, runMs: 500 };
    const settlements = (await b.take(100)).map(
      (entry, n): Settlement => ({ entry, outcome: 'dead', measured, failure: { kind: 'failed', text: `order ${n}` } }),
    );
    await b.sync({ settlements });
    const [line = ''] = await b.redises.raw.lrange(`${b.root}stats`, 0, -1);
    expect(line.length).toBeLessThan(150);
    expect(await stepAt(b, 'mail')).toMatchObject({
      dead: 100,
      run: { count: 100, sumMs: 50_000 },
      wait: { count: 100 },
    });
  });

  test('a sync that is sent again counts nothing twice', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 1));
    const [entry = ''] = await b.take(1);
    const settlements: Settlement[] = [{ entry, outcome: 'ack', measured: { queue: 'mail', runMs: 1 } }];
    for (const status of ['acked', 'gone', 'gone']) expect((await b.sync({ settlements })).statuses).toEqual([status]);
    expect(await stepAt(b, 'mail')).toMatchObject({ acked: 1, run: { count: 1 }, wait: { count: 0 } });
  });

  test('a stale consumer and a cancelled message count nothing', async () => {
    const b = bench();
    const [cancelled = ''] = await b.enqueue(b.message('mail', 1), b.message('mail', 2));
    const entries = await b.take(2, 'slow');
    await b.adminStore().cancel(cancelled);
    b.alive.delete(cancelled);
    await b.sync({ lease: 'slow', settlements: [{ entry: entries[0] ?? '', outcome: 'ack', result: '1' }] });
    b.now += 30_000;
    await b.store.sweep('*');
    await b.sync({ lease: 'slow', settlements: [{ entry: entries[1] ?? '', outcome: 'ack' }] });
    expect(await stepAt(b, '*')).toMatchObject({ acked: 0, leaseExpired: 1 });
  });

  test('what lapsed, expired or vanished counts although no consumer says so', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 'last', { maxAttempts: 1 }), b.message('mail', 'again'));
    await b.take(2);
    b.now += 30_000;
    await b.store.sweep('*');
    expect(await stepAt(b, 'mail')).toMatchObject({ leaseExpired: 1, dead: 1 });
    await b.take(1);
    await b.enqueue(b.message('news', 'late', { ttlMs: 10 }));
    const [vanished] = await b.enqueue(b.message('news', 'vanished'));
    await b.redises.raw.del(`${b.root}m:${vanished}`);
    b.now += 10;
    await b.take(2, 'other');
    expect(await stepAt(b, 'news')).toMatchObject({ dead: 2 });
  });

  test('consumers elsewhere report outcomes only, and their queue is known all the same', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 1));
    const [entry = ''] = await b.take(1);
    await b.sync({ settlements: [{ entry, outcome: 'ack', result: 'null' }] });
    expect(await stepAt(b, 'mail')).toMatchObject({ acked: 1, run: { count: 0 } });
  });

  test('minutes stay apart, queues too, and totals only grow', async () => {
    const b = bench();
    const first = b.now;
    await work(b, 1, 'ack');
    b.now += MINUTE_MS;
    await work(b, 2, 'ack');
    await b.enqueue(b.message('news', 1));
    const [entry = ''] = await b.take(1);
    await b.sync({ settlements: [{ entry, outcome: 'ack', measured: { queue: 'news', runMs: 1 } }] });
    expect(await stepAt(b, 'mail', first)).toMatchObject({ acked: 1 });
    expect(await stepAt(b, 'mail')).toMatchObject({ acked: 2 });
    expect(await stepAt(b, '*')).toMatchObject({ acked: 3 });
    b.now += 26 * 60 * MINUTE_MS;
    expect((await hourOf(b)).steps).toEqual(new Map());
    expect(await totalOf(b, 'mail')).toMatchObject({ acked: 3 });
  });

  test('ten-minute steps hold the day, and both are forgotten after it', async () => {
    const b = bench();
    await work(b, 1, 'ack');
    await b.store.sweep('*');
    const { steps } = await statsOn(b).steps(['mail'], { tier: 2, count: 144 });
    expect([...steps.keys()]).toEqual([Math.floor(b.now / (10 * MINUTE_MS))]);
    const hours = (key: string) => b.redises.raw.pttl(b.root + key).then((ms) => Math.round(ms / 3_600_000));
    expect(await hours(`stats:hour:${Math.floor(b.now / 3_600_000)}`)).toBe(25);
    expect(await hours(`stats:day:${Math.floor(b.now / 86_400_000)}`)).toBe(48);
    await work(b, 1, 'ack');
    b.now += 1;
    expect(await totalOf(b, 'mail')).toMatchObject({ acked: 2 });
  });

  test('what is recent is told by queue, of minutes that are over, rolled up or not', async () => {
    const b = bench();
    b.now = Math.ceil(b.now / MINUTE_MS) * MINUTE_MS - 1;
    const recent = async (count = 10) => {
      const texts = await statsOn(b).recent(['mail', 'news', 'idle'], { tier: 1, count });
      return ['mail', 'news', 'idle'].map((queue) => parseCounters(texts.get(queue) ?? '').acked);
    };
    await work(b, 2, 'ack');
    await b.enqueue(b.message('news', 1));
    const [entry = ''] = await b.take(1);
    await b.sync({ settlements: [{ entry, outcome: 'ack', measured: { queue: 'news', runMs: 1 } }] });
    expect(await recent()).toEqual([0, 0, 0]); // the minute is not over
    b.now += 1;
    await work(b, 3, 'ack');
    for (const _ of ['waiting', 'rolled up']) {
      expect(await recent()).toEqual([2, 1, 0]);
      await b.store.sweep('*');
    }
    b.now += MINUTE_MS;
    expect([await recent(), await recent(1)]).toEqual([
      [5, 1, 0],
      [3, 0, 0],
    ]);
    b.now += 9 * MINUTE_MS;
    expect(await recent()).toEqual([3, 0, 0]);
  });

  test('sweeps and readers at once count each line once', async () => {
    const b = bench();
    for (let n = 0; n < 40; n++) await work(b, 1, 'ack');
    const told = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        if (n % 2 === 0) await b.store.sweep('*');
        return (await totalOf(b, 'mail')).acked;
      }),
    );
    expect(new Set(told)).toEqual(new Set([40]));
    expect(await totalOf(b, 'mail')).toMatchObject({ acked: 40, run: { count: 40 } });
    expect(await b.redises.raw.exists(`${b.root}stats`)).toBe(0);
  });

  test('a sweep says when it rolled up last, whether there is more, and still whether there is work', async () => {
    const b = bench();
    await work(b, 1, 'ack');
    expect(await b.store.sweep('*')).toMatchObject({ ready: false });
    expect(await hourOf(b)).toMatchObject({ now: b.now, sweptAt: b.now });
    await b.enqueue(b.message('mail', 'ready'));
    expect(await b.store.sweep('*')).toMatchObject({ ready: true });
    const line = `${Math.floor(b.now / MINUTE_MS)} mail acked=1`;
    await b.redises.raw.rpush(`${b.root}stats`, ...Array.from({ length: 1_500 }, () => line));
    expect(await b.store.sweep('*')).toMatchObject({ ready: true, rollupDue: true });
    expect(await b.store.sweep('*')).not.toHaveProperty('rollupDue');
    expect(await totalOf(b, 'mail')).toMatchObject({ acked: 1_501 });
  });

  test.each([999, 1_000, 1_001, 1_700, 2_001])(
    '%i lines that no sweep has rolled up are all told, each once',
    async (count) => {
      const b = bench();
      const minute = Math.floor(b.now / MINUTE_MS);
      const lines = Array.from({ length: count }, (_, n) => `${minute - (n % 3)} ${n % 2 ? 'mail' : 'news'} acked=1`);
      await b.redises.raw.rpush(`${b.root}stats`, ...lines);
      const mail = Math.floor(count / 2);
      const told = async () => {
        const { steps } = await hourOf(b);
        const byStep = [...steps].map(([step, text]) => [step, parseCounters(text).acked]);
        return [(await totalOf(b, 'mail')).acked, (await totalOf(b, 'news')).acked, ...byStep.toSorted()];
      };
      const each = [2, 1, 0].map((ago) => [minute - ago, Math.floor((count - 1 - ago) / 3) + 1]);
      for (const _ of ['read', 'read again']) expect(await told()).toEqual([mail, count - mail, ...each]);
      while ((await b.store.sweep('*')).rollupDue);
      expect(await told()).toEqual([mail, count - mail, ...each]);
    },
  );

  test('without sweeps the list stays bounded, and what readers were told never shrinks', async () => {
    const b = bench();
    const lines = Array.from({ length: 10_000 }, () => `${Math.floor(b.now / MINUTE_MS)} old acked=1`);
    for (let at = 0; at < lines.length; at += 1_000)
      await b.redises.raw.rpush(`${b.root}stats`, ...lines.slice(at, at + 1_000));
    const told = await totalOf(b, 'old');
    await b.redises.raw.rpush(`${b.root}stats`, ...lines.slice(0, 1_000));
    await work(b, 1, 'ack');
    expect(await b.redises.raw.llen(`${b.root}stats`)).toBe(5_000);
    expect((await totalOf(b, 'old')).acked).toBeGreaterThanOrEqual(told.acked);
  });

  test('a list of a wrong type, or hashes, cost the counters and nothing else', async () => {
    const b = bench();
    for (const key of ['stats', 'stats:totals', `stats:hour:${Math.floor(b.now / 3_600_000)}`]) {
      await b.redises.raw.set(b.root + key, 'wrong');
      await work(b, 1, 'ack');
      expect(await b.store.sweep('*')).toMatchObject({ ready: false });
      await hourOf(b);
      await b.redises.raw.del(b.root + key);
    }
    await work(b, 1, 'ack');
    expect((await stepAt(b, 'mail')).acked).toBeGreaterThan(0);
  });

  test('the cost: nothing for a sync that settled nothing, ten commands to roll up, five to read an hour', async () => {
    const b = bench();
    await work(b, 1, 'ack');
    await b.store.sweep('*');
    await hourOf(b); // every script is known from here on
    await b.sync({ lease: 'idle' });
    expect(await b.redises.raw.exists(`${b.root}stats`)).toBe(0);
    const idle = await b.cost(() => b.store.sweep('*'));
    b.now += 60 * MINUTE_MS;
    await work(b, 5, 'ack');
    expect(await b.redises.raw.llen(`${b.root}stats`)).toBe(1);
    const rollup = await b.cost(() => b.store.sweep('*'));
    expect(rollup).toEqual({ commands: idle.commands + 10, requests: 1 });
    expect(await b.cost(() => hourOf(b))).toEqual({ commands: 5, requests: 1 });
  });
});
