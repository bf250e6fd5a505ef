// A delivery starts only where there is time for the whole of it: each receiver is called once, whatever it takes.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, describe, expect, test } from 'vitest';
import { withSenders } from '../../src/delivery/http.ts';
import { openBudget } from '../../src/drain/budget.ts';
import { type Life, MOST_TIMEOUT_MS, planLife, wakeFor, wokenLife } from '../../src/drain/life.ts';
import { drain } from '../../src/drain/loop.ts';
import { openEngine } from '../../src/engine.ts';
import { BadSettings } from '../../src/errors.ts';
import { type AnyQueue, defineQueue, type QueueOptions } from '../../src/index.ts';
import { encodeLimitedQueues } from '../../src/queue/limits.ts';
import type { Store } from '../../src/store/store.ts';
import { acked, engineOn, enqueueNow, pause } from '../regressions/engines.ts';
import { type Bench, onEachRedis, onEachRedisAtOnce } from '../support/bench.ts';
import { steadyNow } from '../support/steady-clock.ts';
import { eventually } from '../support/worker.ts';

const S = 1_000;
const DEFAULT = [15 * S];
const LOCAL = { SLUICE_DESTINATION_LOCAL: 'true' };

const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  await Promise.all(closing.map((close) => close()));
});

/** Answers each request after so long; told of those that hang up before. */
async function startReceiver(answerMs: number) {
  const calls: string[] = [];
  let hungUp = 0;
  const server = createServer((request, response) => {
    calls.push(`${request.headers['sluice-attempt']}.${request.headers['webhook-id']}`);
    request.resume();
    const answer = setTimeout(() => response.end('{}'), answerMs);
    response.on('close', () => {
      clearTimeout(answer);
      if (!response.writableFinished) hungUp += 1;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(
    () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  );
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls, hungUp: () => hungUp };
}

/** A queue for each receiver, with so much time for a delivery. */
async function receivers(rows: { name: string; answerMs: number; timeoutMs: number }[]) {
  return Promise.all(
    rows.map(async ({ name, answerMs, timeoutMs }) => {
      const receiver = await startReceiver(answerMs);
      const queue = defineQueue(name, { destination: { url: receiver.url }, timeout: timeoutMs, attempts: 2 });
      return { ...receiver, queue };
    }),
  );
}

/** One drain of these queues, which lives so. */
function drainFor(b: Bench, queues: AnyQueue[], life: Life, apart: { concurrency?: number; store?: Store } = {}) {
  const budget = openBudget({ ...life, requests: 900, requestsPerDelivery: 1, messages: 900 }, steadyNow);
  const byName = withSenders(new Map(queues.map((queue) => [queue.name, queue])), { hosts: [], local: true });
  const { store = b.openStore(undefined, b.prefix, [], encodeLimitedQueues(queues)), ...rest } = apart;
  const left: number[] = [];
  const onLeft = (timeoutMs: number) => void left.push(timeoutMs);
  const options = {
    shards: [{ name: '', store }] as const,
    pool: '*',
    queues: byName,
    env: {},
    budget,
    clock: steadyNow,
    concurrency: 5,
    connections: 5,
    batch: 100,
    leaseMs: 30 * S,
  };
  return drain({ ...options, onLeft, ...rest }).then((report) => ({ ...report, left }));
}

/** Drains go by a clock that stands still with the machine; receivers and handlers have seconds more than they take. All wait at once. */
onEachRedisAtOnce('a delivery', (own) => {
  test('that a short drain has no time for is left to one that lives longer: each receiver is called once', () =>
    own(async (b) => {
      // 5, 25 and 45 s, by a tenth.
      const all = await receivers([
        { name: 'quick', answerMs: 500, timeoutMs: 4_000 },
        { name: 'slow', answerMs: 2_500, timeoutMs: 8_000 },
        { name: 'slower', answerMs: 4_500, timeoutMs: 12_000 },
      ]);
      const queues = all.map(({ queue }) => queue);
      const { ids } = await enqueueNow(
        b,
        ...queues.map(({ name }, i) => b.message(name, i, { priority: i === 0 ? 9 : 1 })), // urgent ones stand before it
      );
      const short = await drainFor(b, queues, { takesMs: 2_500, livesMs: 7_000, settlesMs: 500 });
      expect(short).toMatchObject({
        delivered: 1,
        acked: 1,
        retried: 0,
        ended: 'budget',
        left: [8_000],
      });
      expect(all.map(({ calls }) => calls)).toEqual([[`1.${ids[0]}`], [], []]);
      const long = await drainFor(
        b,
        queues,
        planLife(
          5_500,
          queues.map(({ timeoutMs }) => timeoutMs),
        ),
      );
      expect(long).toMatchObject({ delivered: 2, acked: 2, retried: 0, dead: 0, left: [] });
      expect(all.map(({ calls }) => calls)).toEqual(ids.map((id) => [`1.${id}`]));
      expect(all.map(({ hungUp }) => hungUp())).toEqual([0, 0, 0]);
      acked(b, ids);
      expect((await b.shard()).failures).toEqual({});
    }));

  test('that was taken ahead, and waits until there is no time for it, goes back uncounted at that moment', () =>
    own(async (b) => {
      const { promise, resolve: release } = Promise.withResolvers<void>();
      const seen: string[] = [];
      const queue = defineQueue('work', {
        timeout: '6s',
        handler: async ({ id, attempt }) => {
          seen.push(`${attempt}.${id}`);
          if (seen.length === 1) await promise;
        },
      });
      const { ids } = await enqueueNow(b, b.message('work', 1), b.message('work', 2), b.message('work', 3));
      const draining = drainFor(b, [queue], { takesMs: 5_000, livesMs: 9_000, settlesMs: 500 }, { concurrency: 1 });
      await eventually(
        'it waits behind another',
        async () => Object.values((await b.shard()).leases).flat().length >= 2,
      );
      await eventually('it goes back', async () => (await b.shard()).lanes['5:work']?.length === 2);
      release(); // which still had its time
      expect(await draining).toMatchObject({ delivered: 1, acked: 1, retried: 0, ended: 'budget' });
      expect((await b.shard()).lanes['5:work']?.toReversed()).toEqual(ids.slice(1).map((id) => `1.${id}`));
      await drainFor(b, [queue], planLife(2_000, [6_000]));
      expect(seen).toEqual(ids.map((id) => `1.${id}`));
      acked(b, ids);
    }));

  test('that began just before its drain closes has the whole time of its queue', () =>
    own(async (b) => {
      const queue = defineQueue('work', {
        timeout: '5s',
        handler: () => new Promise((resolve) => setTimeout(resolve, 3_000)),
      });
      const { ids } = await enqueueNow(b, b.message('work', 1, { delayMs: 300 }));
      const report = await drainFor(b, [queue], planLife(3_000, [5_000])); // it takes nothing after 2,250 ms
      expect(report).toMatchObject({ acked: 1, retried: 0 });
      acked(b, ids);
    }));
});

onEachRedis(
  'with default settings, by the real clock',
  (bench) => {
    test(
      'receivers that take 5, 14 and 45 s are each called once, by a woken drain and by that of cron',
      async () => {
        const b = bench();
        const all = await receivers([
          { name: 'quick', answerMs: 5 * S, timeoutMs: 15 * S },
          { name: 'slow', answerMs: 14 * S, timeoutMs: 20 * S }, // a woken drain starts it in its first 7.5 s
          { name: 'slower', answerMs: 45 * S, timeoutMs: 90 * S },
        ]);
        const queues = all.map(({ queue }) => queue);
        const engine = engineOn(b, queues, LOCAL);
        const { ids } = await enqueueNow(b, ...queues.map(({ name }, i) => b.message(name, i)));
        const woken = engine.drainWoken();
        await eventually('it has begun', () => all[1]?.calls.length === 1);
        const ticked = await engine.tick();
        expect(await woken).toMatchObject({ delivered: 2, acked: 2, retried: 0 });
        expect(ticked.drain).toMatchObject({ delivered: 1, acked: 1, retried: 0 });
        expect(all.map(({ calls }) => calls)).toEqual(ids.map((id) => [`1.${id}`]));
        acked(b, ids);
        expect((await b.shard()).failures).toEqual({});
      },
      90 * S,
    );
  },
  ['redis-server'],
  true,
);

onEachRedis('a delivery', (bench) => {
  test('of a message that is due just before its drain closes: who says that it sleeps for it takes it', async () => {
    const b = bench();
    const life = planLife(2_000, DEFAULT); // takes for 1,500 ms, and sleeps for 1,000
    const seen: number[] = [];
    const queue = defineQueue('work', { handler: ({ body }) => void seen.push(Number(body)) });
    const claimed: number[] = [];
    const near = b.openStore(steadyNow); // its messages are not due earlier by the clock of the drain where the machine stands still
    for (const delayMs of [900, 1_450, 1_490]) {
      const messages = [b.message('work', delayMs, { delayMs })];
      const { ids } = await near.enqueue({ messages });
      b.expectAlive(ids, messages);
      const sync: Store['sync'] = async (request) => {
        const answer = await near.sync(request);
        const { rest, timers } = await b.shard();
        if (rest.sleeper?.startsWith(`${timers[`m * 5:work 1.${ids[0]}`]} `)) claimed.push(delayMs);
        await pause(100);
        return answer;
      };
      await drainFor(b, [queue], life, { store: { ...near, sync } });
      await b.redises.raw.del(`${b.root}sleeper`);
      if (!seen.includes(delayMs)) await b.adminStore().cancel(ids[0] ?? '');
      acked(b, ids);
    }
    expect(claimed.filter((delayMs) => !seen.includes(delayMs))).toEqual([]);
    expect(claimed).toContain(900);
  });
});

describe('a life', () => {
  test('by cron takes messages as long as it is told, but for its end, and lives for the longest that it may start then', () => {
    expect(planLife(55 * S, DEFAULT)).toEqual({ takesMs: 45 * S, livesMs: 60.5 * S, settlesMs: 10 * S });
    expect(planLife(55 * S, [90 * S, 1 * S])).toMatchObject({ takesMs: 45 * S, livesMs: 135.5 * S });
    expect(planLife(55 * S, [])).toMatchObject({ takesMs: 45 * S, livesMs: 55 * S });
    expect(planLife(840 * S, [MOST_TIMEOUT_MS]).livesMs).toBeLessThan(15 * 60 * S);
  });

  test('of a woken drain ends before the platform ends it, and takes what it can end by then', () => {
    expect(wokenLife(55 * S, DEFAULT, 28 * S)).toMatchObject({ takesMs: 12.5 * S, livesMs: 28 * S });
    expect(wokenLife(55 * S, [90 * S, 5 * S], 28 * S)).toMatchObject({ takesMs: 21 * S, livesMs: 28 * S });
    expect(wokenLife(4 * S, DEFAULT, 28 * S)).toMatchObject({ takesMs: 3 * S, livesMs: 28 * S });
  });

  test('of a woken drain is what the platform gives it', () => {
    const env = {
      UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1',
      UPSTASH_REDIS_REST_TOKEN: 't',
      SLUICE_WOKEN_MS: 20 * S,
    };
    const quick = defineQueue('quick', { handler: () => {} });
    const { woken, fresh, asked } = openEngine(env, new Map([[quick.name, quick]])).parts.capacity.lives;
    expect(woken).toMatchObject({ takesMs: 4.5 * S, livesMs: 20 * S });
    expect([fresh, asked.livesMs]).toEqual([woken, 25 * S]);
  });

  test('is worth waking where the message can be handled in it: to sleep for what is due that soon', () => {
    const wakeOf = (...timeoutsMs: number[]) => wakeFor(wokenLife(55 * S, timeoutsMs, 28 * S), timeoutsMs);
    expect(wakeOf(15 * S)).toEqual({ withinMs: 12 * S, needsMs: 15 * S });
    expect(wakeOf(5 * S, 90 * S)).toEqual({ withinMs: 20.5 * S, needsMs: 5 * S });
    expect(wakeOf(90 * S)).toBe(false);
    expect(wakeFor(wokenLife(55 * S, [5 * S], 28 * S), [5 * S], 0)).toEqual({ withinMs: 0, needsMs: 5 * S });
    expect(wakeOf()).toBe(false);
  });

  test.each<[string, QueueOptions['timeout'], boolean]>([
    ['90 s', '90s', true],
    ['14 min', MOST_TIMEOUT_MS, true],
    ['longer than any drain lives', MOST_TIMEOUT_MS + 1, false],
  ])('with default settings a timeout of %s is right or refused by name', (_, timeout, isRight) => {
    const env = { UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1', UPSTASH_REDIS_REST_TOKEN: 't' };
    const open = (options: QueueOptions) => openEngine(env, new Map([['slow', defineQueue('slow', options)]]));
    const handler = () => {};
    if (isRight) expect(open({ timeout: timeout ?? 0, handler }).queues.size).toBe(1);
    else {
      expect(() => open({ timeout: timeout ?? 0, handler })).toThrow(BadSettings);
      expect(() => open({ timeout: timeout ?? 0, handler })).toThrow(/SLUICE_DRAIN_MS.*"slow"/);
      expect(open({ timeout: timeout ?? 0, kind: 'pull' }).queues.size).toBe(1); // consumers elsewhere extend their leases
    }
  });
});
