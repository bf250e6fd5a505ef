// Defects that a review found in drains, each as the test that would have found it: whole engines, by the real clock.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Fault } from '../../src/dev/emulator/faults.ts';
import type { DrainReport } from '../../src/drain/report.ts';
import { openEngine } from '../../src/engine.ts';
import { BadSettings } from '../../src/errors.ts';
import { type Backoff, constant, defineQueue, type QueueOptions, RetryAfterError } from '../../src/index.ts';
import { Bench, onEachRedis, onEachRedisAtOnce, type Redises, startEmbedded } from '../support/bench.ts';
import { steadyNow } from '../support/steady-clock.ts';
import { eventually } from '../support/worker.ts';
import { acked, drainFor, engineOn, enqueueLarge, enqueueNow, pause, unhandledRejectionsOf } from './engines.ts';

const work = (handler: QueueOptions['handler'], options: QueueOptions = {}) =>
  defineQueue('work', { backoff: constant(5), ...options, ...(handler ? { handler } : {}) });

const many = (b: Bench, count: number, options: Parameters<Bench['message']>[2] = {}, queue = 'work') =>
  Array.from({ length: count }, (_, n) => b.message(queue, n, options));

onEachRedis('a drain of large bodies', (bench) => {
  test('behind small ones: with default settings each is delivered once, and none is a dead letter', async () => {
    const b = bench();
    const { ids } = await enqueueNow(b, ...many(b, 300, { maxAttempts: 1 }));
    ids.push(...(await enqueueLarge(b, 84, { maxAttempts: 1 })));
    const seen: string[] = [];
    const engine = engineOn(b, [work(({ id }) => void seen.push(id), { subrequests: 0 })]);
    let ended = '';
    for (let drains = 0; ended !== 'idle' && drains < 10; drains++) {
      ({ ended } = await drainFor(engine, 20_000).catch(() => ({ ended: 'storage' })));
    }
    acked(b, seen);
    expect(seen).toEqual(ids);
    const { dead, leases } = await b.shard();
    expect({ dead, leases }).toEqual({ dead: {}, leases: {} });
  });

  test('that ends while its lease holds what did not fit in the answer: nothing stays leased, nothing is counted', async () => {
    const b = bench();
    const ids = await enqueueLarge(b, 60, { maxAttempts: 1 });
    const seen: string[] = [];
    const engine = engineOn(b, [work(({ id }) => void seen.push(id))], {
      SLUICE_DRAIN_MESSAGES: 25,
      SLUICE_CONCURRENCY: 30,
    });
    expect(await drainFor(engine, 20_000)).toMatchObject({ delivered: 25, acked: 25, ended: 'budget' });
    acked(b, seen);
    const { dead, leases, lanes } = await b.shard();
    expect({ dead, leases }).toEqual({ dead: {}, leases: {} });
    expect(lanes['5:work']?.toReversed()).toEqual(ids.filter((id) => !seen.includes(id)).map((id) => `1.${id}`));
  });

  test('that ends by its time: nothing stays leased, and only what was delivered is counted', async () => {
    const b = bench();
    const ids = await enqueueLarge(b, 36, { maxAttempts: 1 });
    const seen: string[] = [];
    const handler: QueueOptions['handler'] = async ({ id }) => {
      seen.push(id);
      await pause(600);
    };
    await drainFor(engineOn(b, [work(handler)], { SLUICE_CONCURRENCY: 30 }), 1_500);
    const { dead, leases, lanes, envelopes } = await b.shard();
    acked(
      b,
      ids.filter((id) => !(id in envelopes)),
    );
    for (const id of ids) b.unordered.add(id);
    expect(leases).toEqual({});
    const untouched = ids.filter((id) => !seen.includes(id)).map((id) => `1.${id}`);
    expect(lanes['5:work']?.toSorted() ?? []).toEqual(untouched.toSorted());
    for (const entry of Object.keys(dead.work ?? {})) expect(seen).toContain(entry.slice(2));
  });
});

onEachRedisAtOnce('a handler that hangs longer than its drain takes messages', (own) => {
  test('uses up its attempts, one in each drain, and keeps nobody behind it waiting for ever', () =>
    own(async (b) => {
      const { ids } = await enqueueNow(b, ...many(b, 5, { maxAttempts: 2 }));
      const {
        ids: [innocent = ''],
      } = await enqueueNow(b, b.message('work', 'innocent'));
      const attempts: string[] = [];
      const handler: QueueOptions['handler'] = ({ id, body, attempt }) => {
        attempts.push(`${attempt}.${id}`);
        return body === 'innocent' ? undefined : new Promise(() => {});
      };
      const engine = engineOn(b, [work(handler, { timeout: '3s' })]); // longer than a drain takes messages
      const uses = async () => {
        const [from, { retried, dead }] = [attempts.length, await drainFor(engine, 3_000)];
        const begun = attempts.slice(from).filter((attempt) => !attempt.endsWith(innocent));
        expect(new Set(begun.map((attempt) => attempt.slice(2))).size, 'one in each drain').toBe(begun.length);
        expect(retried + dead).toBe(begun.length);
        return begun.length;
      };
      // In one for which the machine stood still nothing may begin: another takes what it gave back.
      for (let used = 0, drains = 0; used < 10 && drains < 6; drains += 1) used += await uses();
      if (!attempts.includes(`1.${innocent}`)) await drainFor(engine, 3_000);
      acked(b, [innocent]);
      expect(attempts.toSorted()).toEqual([...ids.flatMap((id) => [`1.${id}`, `2.${id}`]), `1.${innocent}`].toSorted());
      const { dead, failures } = await b.shard();
      expect(Object.keys(dead.work ?? {}).toSorted()).toEqual(ids.map((id) => `2.${id}`).toSorted());
      for (const id of ids) expect(failures[id]).toMatch(/^1 \d+ timeout .*\n2 \d+ timeout .*$/);
    }));
});

onEachRedisAtOnce('the requests of a drain', (own) => {
  test('go on to known messages behind five hundred of a queue that this deployment does not know', () =>
    own(async (b) => {
      const unknown = await enqueueNow(b, ...many(b, 500, { priority: 0 }, 'removed'));
      const { ids } = await enqueueNow(b, ...many(b, 50));
      for (const id of unknown.ids) b.unordered.add(id);
      const seen: string[] = [];
      const report = await drainFor(engineOn(b, [work(({ id }) => void seen.push(id), { subrequests: 0 })]), 20_000);
      acked(b, seen);
      expect(seen).toEqual(ids);
      expect(report).toMatchObject({ acked: 50, released: 0 }); // they stay where they are
      expect(report.requests).toBeLessThanOrEqual(45);
    }));

  test.each([
    [5, 700],
    [20, 120],
    [40, 60],
  ])('are never more than its budget: %i handlers at once, which end one after the other', (concurrency, stepMs) =>
    own(async (b) => {
      await enqueueNow(b, ...many(b, 100));
      let handled = 0;
      const done: string[] = [];
      const handler: QueueOptions['handler'] = async ({ id }) => {
        await pause(100 + (stepMs * handled++) / (concurrency === 5 ? 10 : 1));
        done.push(id);
      };
      const engine = engineOn(b, [work(handler)], { SLUICE_CONCURRENCY: concurrency });
      const before = b.redises.emulator.requests();
      const report = await drainFor(engine, 20_000);
      const syncs = b.redises.emulator.requests() - before;
      acked(b, done);
      expect(handled + syncs).toBeLessThanOrEqual(45);
      expect(report).toMatchObject({ requests: handled + syncs, acked: handled, ended: 'budget' });
      expect(handled).toBeGreaterThanOrEqual(15);
      expect((await b.shard()).leases).toEqual({});
    }),
  );

  test('are bounded where many messages come in while others wait, and at most one drain sleeps for those', () =>
    own(async (b) => {
      const seen: string[] = [];
      const queue = work(({ id }) => void seen.push(id), { subrequests: 0 });
      const engine = engineOn(b, [queue], { SLUICE_DRAIN_REQUESTS: 9_000 });
      const drains = new Set<Promise<unknown>>();
      const enqueue = async (delayMs: number) => {
        if (!(await enqueueNow(b, b.message('work', 1, { delayMs }))).wake) return;
        const drain: Promise<unknown> = drainFor(engine, 20_000).finally(() => drains.delete(drain));
        drains.add(drain);
      };
      await engine.tick(); // storage knows the scripts from here on
      const before = b.redises.emulator.requests();
      for (let i = 0; i < 40; i++) await enqueue(4_000 + i * 25);
      for (let i = 0; i < 40; i++) {
        await enqueue(0);
        await eventually('it is delivered', () => seen.length > i);
      }
      await eventually('all drains but one have ended', () => drains.size <= 1);
      await eventually('all are delivered', () => seen.length === 80);
      await Promise.all(drains);
      acked(b, seen);
      expect(new Set(seen).size).toBe(80);
      expect(b.redises.emulator.requests() - before).toBeLessThan(12 * 80);
    }));

  test('are bounded where what comes in later is due earlier', () =>
    own(async (b) => {
      const seen: string[] = [];
      const engine = engineOn(b, [work(({ id }) => void seen.push(id), { subrequests: 0 })], {
        SLUICE_DRAIN_REQUESTS: 9_000,
      });
      const drains: Promise<unknown>[] = [];
      await engine.tick();
      const before = b.redises.emulator.requests();
      for (let i = 0; i < 40; i++) {
        if ((await enqueueNow(b, b.message('work', i, { delayMs: 3_000 - i * 50 }))).wake)
          drains.push(drainFor(engine, 20_000));
      }
      await eventually('all are delivered', () => seen.length === 40);
      await Promise.all(drains);
      acked(b, seen);
      expect(b.redises.emulator.requests() - before).toBeLessThan(12 * 40);
    }));
});

onEachRedis('an envelope', (bench) => {
  test.each(['%E0%A4%A', '%zz', '%'])(
    'whose lane has the damaged group %s is a dead letter, and its neighbours are delivered',
    async (group) => {
      const b = bench();
      const { ids } = await enqueueNow(b, ...many(b, 8));
      const { ids: lanes } = await enqueueNow(b, b.message('work', 8, { lane: `5:work/${group}` }));
      const bad = [ids[3] ?? '', lanes[0] ?? ''];
      await b.redises.raw.set(`${b.root}m:${bad[0]}`, `5:work/${group} * 5 1 0\n{"body":1}`);
      const seen: string[] = [];
      const report = await drainFor(engineOn(b, [work(({ id }) => void seen.push(id))]), 20_000);
      acked(b, seen);
      expect(report).toMatchObject({ acked: 7, dead: 2, ended: 'idle' });
      const { dead, failures } = await b.shard();
      expect(Object.keys(dead.work ?? {}).toSorted()).toEqual(bad.map((id) => `1.${id}`).toSorted());
      for (const id of bad) expect(failures[id]).toMatch(/ unreadable /);
    },
  );
});

onEachRedis('what the code of a queue gives', (bench) => {
  const goesOn = async (options: QueueOptions) => {
    const b = bench();
    const good = await enqueueNow(b, ...many(b, 20, {}, 'fine'));
    const {
      ids: [bad = ''],
    } = await enqueueNow(b, b.message('work', 'bad', { priority: 0, maxAttempts: 2 }));
    const fine = defineQueue('fine', { handler: () => pause(5) });
    const engine = engineOn(b, [work(undefined, options), fine], { SLUICE_DRAIN_REQUESTS: 90 });
    const reports: DrainReport[] = [];
    const count = () => reports.reduce((sum, report) => sum + report.acked, 0);
    const unhandled = await unhandledRejectionsOf(async () => {
      // One for which the machine stood still leaves some to the next.
      while (count() < good.ids.length && reports.length < 4) reports.push(await drainFor(engine, 5_000));
    });
    acked(b, good.ids);
    expect(unhandled).toEqual([]);
    expect(count()).toBe(20);
    for (const report of reports) expect(report).toMatchObject({ stale: 0, gone: 0, leasesLost: 0 });
    const { timers, dead, leases, failures } = await b.shard();
    expect(leases).toEqual({});
    expect(failures[bad]).toMatch(/^1 \d+ failed /);
    const due = timers[`m * 0:work 2.${bad}`];
    if (due === undefined) expect(Object.keys(dead.work ?? {})).toEqual([`2.${bad}`]);
    else expect(Number.isSafeInteger(due)).toBe(true);
  };

  const throws = () => {
    throw new Error('no luck');
  };
  const backoffs: [string, Backoff['waitMs']][] = [
    ['an error', throws],
    ['NaN', () => Number.NaN],
    ['Infinity', () => Number.POSITIVE_INFINITY],
    ['-1', () => -1],
    ['1e300', () => 1e300],
    ['half a millisecond', () => 0.5],
    ['a promise', (() => Promise.resolve(5)) as unknown as Backoff['waitMs']],
    ['null', (() => null) as unknown as Backoff['waitMs']],
    ['a list', (() => []) as unknown as Backoff['waitMs']],
    ['nothing', (() => undefined) as unknown as Backoff['waitMs']],
    ['a word', (() => 'soon') as unknown as Backoff['waitMs']],
  ];
  test.each(backoffs)('as a wait, %s: the message is tried again or dead, and its neighbours are acked', (_, waitMs) =>
    goesOn({ backoff: { waitMs }, handler: throws }),
  );

  const evil = () => {
    throw new Error('nothing of it may be looked at');
  };
  const thrown: [string, () => unknown][] = [
    ['an error whose message cannot be read', () => Object.defineProperty(new Error('x'), 'message', { get: evil })],
    ['an error whose name is a symbol', () => Object.assign(new Error('x'), { name: Symbol('s') })],
    ['a symbol', () => Symbol('s')],
    ...[Number.NaN, Number.POSITIVE_INFINITY, -1, 1e300].map((ms): [string, () => unknown] => [
      `RetryAfterError(${ms})`,
      () => new RetryAfterError(ms, 'no'),
    ]),
    ['an object without prototype', () => Object.create(null)],
    ['a proxy that throws when it is read', () => new Proxy(new Error('x'), { get: evil })],
    [
      'a proxy that throws whatever is done',
      () =>
        new Proxy({}, { get: evil, has: evil, getPrototypeOf: evil, ownKeys: evil, getOwnPropertyDescriptor: evil }),
    ],
    [
      'a revoked proxy',
      () => {
        const { proxy, revoke } = Proxy.revocable({}, {});
        revoke();
        return proxy;
      },
    ],
  ];
  test.each(thrown)('as an error, %s: the message is tried again or dead, and its neighbours are acked', (_, make) =>
    goesOn({
      handler: () => {
        throw make();
      },
    }),
  );
  test.each(thrown)('as a rejection, %s: the same', (_, make) => goesOn({ handler: () => Promise.reject(make()) }));
});

onEachRedisAtOnce('a wake', (own) => {
  test('is asked for by the next enqueue after a drain that ended by its budget', () =>
    own(async (b) => {
      expect((await enqueueNow(b, ...many(b, 100))).wake).toBe(true);
      const seen: string[] = [];
      const engine = engineOn(b, [work(({ id }) => void seen.push(id))]);
      expect(await drainFor(engine, 20_000)).toMatchObject({ ended: 'budget' });
      acked(b, seen);
      expect(await b.redises.raw.exists(`${b.root}awake`)).toBe(0);
      expect((await enqueueNow(b, b.message('work', 'urgent', { priority: 0 }))).wake).toBe(true);
    }));

  test('of a drain for a delayed message delivers it, although nobody fires the earlier timer of a pull queue', () =>
    own(async (b) => {
      await enqueueNow(b, b.message('pulled', 1, { pool: 'pulled', delayMs: 300 }));
      const { ids, wake } = await enqueueNow(b, b.message('work', 2, { delayMs: 400 }));
      expect(wake).toBe(true);
      const seen: string[] = [];
      await drainFor(engineOn(b, [work(({ id }) => void seen.push(id))]), 20_000);
      acked(b, seen);
      expect(seen).toEqual(ids);
    }));
});

onEachRedis('a sweep of everything', (bench) => {
  test('fires what is due behind a thousand timers that nobody can read', async () => {
    const b = bench();
    const engine = engineOn(b, [work(() => {})]);
    const unreadable = Array.from({ length: 1_000 }, (_, i) => [i + 1, `unreadable ${i}`]).flat();
    await b.redises.raw.zadd(`${b.root}timers`, ...unreadable);
    const { ids } = await enqueueNow(b, b.message('work', 1, { delayMs: 1 }));
    await pause(5); // by the same clock, or a later one
    await engine.sweep();
    const { lanes, timers } = await b.shard();
    expect(lanes).toEqual({ '5:work': [`1.${ids[0]}`] });
    expect(Object.keys(timers)).toHaveLength(1_000);
  });
});

describe('a queue whose deliveries make nearly as many requests as a drain may', () => {
  const open = (requests: number, budget = 45) => {
    const queue = defineQueue('work', { subrequests: requests, handler: () => {} });
    const env = {
      UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1',
      UPSTASH_REDIS_REST_TOKEN: 't',
      SLUICE_DRAIN_REQUESTS: budget,
    };
    return openEngine(env, new Map([[queue.name, queue]]));
  };

  test.each([40, 45, 1_000])('%i of 45 is refused by name', (requests) => {
    expect(() => open(requests)).toThrow(BadSettings);
    expect(() => open(requests)).toThrow(/SLUICE_DRAIN_REQUESTS.*requests/);
  });

  test.each([
    [20, undefined],
    [40, 100],
  ])('%i of %s is not', (requests, budget) => {
    expect(open(requests, budget).queues.size).toBe(1);
  });
});

describe('storage that hangs', () => {
  let redises: Redises;
  let fault: Fault | undefined;
  beforeAll(async () => {
    redises = await startEmbedded({ faults: () => fault });
  });
  afterAll(() => redises.stop());

  test('neither keeps a drain far beyond its time nor a handler from being told that its own is over', async () => {
    const b = new Bench(redises);
    await enqueueNow(b, ...many(b, 4));
    const abortedAfter: number[] = [];
    const handler: QueueOptions['handler'] = async ({ body }, { signal }) => {
      const start = steadyNow();
      if (body === 0) {
        await pause(200);
        fault = { kind: 'delay-before', ms: 10_000 };
        return;
      }
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => {
          abortedAfter.push(steadyNow() - start);
          resolve();
        });
      });
    };
    const start = steadyNow();
    await drainFor(engineOn(b, [work(handler, { timeout: '1s' })]), 2_500).catch(() => {}); // what it says of it is another matter
    const tookMs = steadyNow() - start;
    expect(tookMs).toBeLessThan(6_500);
    expect(abortedAfter).toHaveLength(3);
    expect(Math.max(...abortedAfter)).toBeLessThan(2_200);
  });
});
