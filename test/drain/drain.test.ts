// What a drain promises its handlers and its messages, whatever handlers do.
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { type Limits, openBudget } from '../../src/drain/budget.ts';
import { planLife } from '../../src/drain/life.ts';
import { drain } from '../../src/drain/loop.ts';
import type { Attention, DrainOptions } from '../../src/drain/report.ts';
import {
  type AnyQueue,
  defineQueue,
  type HandlerContext,
  type Message,
  NonRetriableError,
  type QueueOptions,
  RetryAfterError,
} from '../../src/index.ts';
import { constant } from '../../src/queue/backoff.ts';
import { encodeLimitedQueues } from '../../src/queue/limits.ts';
import type { Store } from '../../src/store/store.ts';
import { type Bench, onEachRedis, onEachRedisAtOnce } from '../support/bench.ts';
import { steadyNow } from '../support/steady-clock.ts';
import { eventually } from '../support/worker.ts';

const PLENTY: Limits = { ...planLife(20_000, [15_000]), requests: 9_000, requestsPerDelivery: 1, messages: 1_000_000 };

function start(
  bench: Bench,
  queues: AnyQueue[],
  { limits, ...options }: Partial<DrainOptions> & { limits?: Partial<Limits> } = {},
) {
  return drain({
    shards: [{ name: '', store: bench.openStore(undefined, bench.prefix, [], encodeLimitedQueues(queues)) }],
    pool: '*',
    queues: new Map(queues.map((queue) => [queue.name, queue])),
    env: { greeting: 'hello' },
    budget: openBudget({ ...PLENTY, ...limits }, steadyNow),
    clock: steadyNow,
    concurrency: 5,
    connections: 5,
    batch: 100,
    leaseMs: 30_000,
    ...options,
  });
}

const on = (store: Store) => [{ name: '', store }] as const;

const queue = (handler: QueueOptions['handler'], options: QueueOptions = {}) =>
  defineQueue('work', { backoff: constant(5), ...options, ...(handler ? { handler } : {}) });

/** Enqueues by the real clock, so that delays pass by themselves. */
async function enqueue(bench: Bench, count: number, options: Parameters<Bench['message']>[2] = {}, name = 'work') {
  const messages = Array.from({ length: count }, (_, i) => bench.message(name, i, options));
  const { ids } = await bench.openStore().enqueue({ messages });
  bench.expectAlive(ids, messages);
  return ids;
}

const acked = (bench: Bench, ids: string[]) => {
  for (const id of ids) bench.alive.delete(id);
};

/** A store whose syncs are counted. */
function counted(store: Store) {
  const counts = { syncs: 0 };
  const sync: Store['sync'] = (request) => {
    counts.syncs += 1;
    return store.sync(request);
  };
  const counting = { ...store, sync };
  return { store: counting, shards: on(counting), counts };
}

onEachRedis('a drain', (bench) => {
  test('that is asked to look when it is at its end leaves that asked: settling is no look', async () => {
    const b = bench();
    const ids = await enqueue(b, 1);
    const { promise, resolve: release } = Promise.withResolvers<void>();
    const attention: Attention = { asked: false };
    const budget = openBudget({ ...PLENTY, messages: 1 }, steadyNow);
    const handled = start(b, [queue(() => promise)], { attention, budget });
    await eventually('it takes nothing more', () => budget.isClosing());
    attention.look?.();
    release();
    expect(await handled).toMatchObject({ acked: 1, ended: 'budget' });
    expect(attention.asked).toBe(true);
    acked(b, ids);
  });

  test('goes on where a handler only says that the platform refuses subrequests, of another Worker perhaps: that one has failed', async () => {
    const b = bench();
    const ids = await enqueue(b, 4);
    const failed: string[] = [];
    const other = queue(async ({ body, attempt }) => {
      if (body === 1 && attempt === 1) throw new Error('Too many subrequests.');
    });
    const onFailure: DrainOptions['onFailure'] = ({ id }) => void failed.push(id);
    const report = await start(b, [other], { concurrency: 1, onFailure });
    expect(report).toMatchObject({ delivered: 5, acked: 4, retried: 1, released: 0, ended: 'idle' });
    expect(failed).toEqual([ids[1]]);
    acked(b, ids);
  });

  test('handles every message once, the most urgent first and each lane in order, and leaves nothing', async () => {
    const b = bench();
    const low = await enqueue(b, 150, { priority: 5 });
    const high = await enqueue(b, 50, { priority: 1 });
    const seen: string[] = [];
    const report = await start(b, [queue(({ id }) => void seen.push(id))], { concurrency: 1 });
    expect(seen).toEqual([...high, ...low]);
    expect(report).toMatchObject({ delivered: 200, acked: 200, retried: 0, dead: 0, ended: 'idle' });
    acked(b, seen);
    expect((await b.shard()).envelopes).toEqual({});
  });

  test('gives the handler the message, the bindings and a signal', async () => {
    const b = bench();
    const messages = [
      b.message('work', { n: 1 }, { priority: 2, group: 'a/b', json: '{"body":{"n":1},"headers":{"k":"v"}}' }),
    ];
    const { ids } = await b.openStore().enqueue({ messages });
    const seen: [Message, HandlerContext][] = [];
    await start(b, [queue((message, context) => void seen.push([message, context]))]);
    const [[message, context] = []] = seen;
    expect(message).toEqual({
      id: ids[0],
      queue: 'work',
      priority: 2,
      group: 'a/b',
      attempt: 1,
      maxAttempts: 5,
      body: { n: 1 },
      headers: { k: 'v' },
      enqueuedAt: expect.any(Number),
    });
    expect(Math.abs((message?.enqueuedAt ?? 0) - Date.now())).toBeLessThan(5_000);
    expect(context?.env).toEqual({ greeting: 'hello' });
    expect(context?.signal.aborted).toBe(false);
  });

  const failures: [string, QueueOptions['handler'], RegExp][] = [
    [
      'throws',
      () => {
        throw new TypeError('no luck');
      },
      /^\d \d+ failed TypeError: no luck(\tat [^\t]+)+$/,
    ],
    ['rejects', () => Promise.reject(new Error('later')), /failed Error: later(\tat [^\t]+)+$/],
    [
      'throws a text',
      () => {
        throw 'plain';
      },
      /failed threw string: plain$/,
    ],
    [
      'throws nothing at all',
      () => {
        throw undefined;
      },
      /failed threw undefined: undefined$/,
    ],
    [
      'throws what cannot be made text',
      () => {
        throw {
          toString: () => {
            throw new Error();
          },
        };
      },
      /failed threw object$/,
    ],
    [
      'throws an error of many lines and 10,000 characters',
      () => {
        throw new Error('a\nb'.repeat(10_000));
      },
      /^\d \d+ failed Error: a ba b[^\t]{1,500}(\tat [^\t]+)+$/,
    ],
    ['times out', () => new Promise(() => {}), /timeout not done after 40 ms$/],
    [
      'times out although it was told',
      (_, { signal }) => new Promise((resolve) => signal.addEventListener('abort', () => setTimeout(resolve, 50))),
      /timeout/,
    ],
  ];
  test.each(failures)(
    'a handler that %s: retried, then a dead letter with its errors, and others go on',
    async (_, handler, line) => {
      const b = bench();
      const [bad] = await enqueue(b, 1, { maxAttempts: 3 });
      const good = await enqueue(b, 20, {}, 'other');
      const fine = defineQueue('other', { handler: () => {} });
      const report = await start(b, [queue(handler, { timeout: 40 }), fine]);
      acked(b, good);
      expect(report).toMatchObject({ delivered: 23, acked: 20, retried: 2, dead: 1, ended: 'idle' });
      const shard = await b.shard();
      expect(Object.keys(shard.dead.work ?? {})).toEqual([`3.${bad}`]);
      const lines = shard.failures[bad ?? '']?.split('\n') ?? [];
      expect(lines).toHaveLength(3);
      for (const each of lines) expect(each).toMatch(line);
    },
  );

  test('a handler may ask for a delay, and may refuse for good', async () => {
    const b = bench();
    const [later] = await enqueue(b, 1, { json: '{"body":"later"}' });
    const [never] = await enqueue(b, 1, { json: '{"body":"never"}' });
    const handler: QueueOptions['handler'] = ({ body }) => {
      throw body === 'later' ? new RetryAfterError('1h', 'busy') : new NonRetriableError('no such customer');
    };
    expect(await start(b, [queue(handler)])).toMatchObject({ retried: 1, dead: 1 });
    const shard = await b.shard();
    const due = shard.timers[`m * 5:work 2.${later}`] ?? 0;
    expect(Math.abs(due - Date.now() - 3_600_000)).toBeLessThan(5_000);
    expect(shard.failures[never ?? '']).toMatch(/ refused NonRetriableError: no such customer$/);
  });

  test('a body that no longer matches the schema is a dead letter; one that does arrives as the schema gives it out', async () => {
    const b = bench();
    const [bad] = await enqueue(b, 1, { json: '{"body":"seven"}' });
    const good = await enqueue(b, 1, { json: '{"body":"7"}' });
    const bodies: number[] = [];
    const numbers = defineQueue('work', {
      schema: z.string().regex(/^\d+$/).transform(Number),
      handler: ({ body }) => void bodies.push(body),
    });
    expect(await start(b, [numbers])).toMatchObject({ acked: 1, dead: 1 });
    acked(b, good);
    expect(bodies).toEqual([7]);
    expect((await b.shard()).failures[bad ?? '']).toMatch(/ refused .*does not match the schema/);
  });

  test('what a handler returns is kept where the message has a resultTtl, or null where it cannot be JSON', async () => {
    const b = bench();
    const deep = JSON.parse('['.repeat(1_001) + ']'.repeat(1_001)) as unknown; // whoever reads it might not write it again
    const results: unknown[] = [{ sent: 1 }, undefined, 1n, deep];
    const ids: string[] = [];
    for (const [i] of results.entries())
      ids.push(...(await enqueue(b, 1, { resultTtlMs: 60_000, json: `{"body":${i}}` })));
    await start(b, [queue(({ body }) => results[Number(body)])]);
    acked(b, ids);
    const kept = await Promise.all(ids.map((id) => b.adminStore().look(id)));
    expect(kept.map(({ result }) => result?.json)).toEqual(['{"sent":1}', 'null', 'null', 'null']);
  });

  test.each(['{"body":', `{"body":${'['.repeat(5_100)}${']'.repeat(5_100)}}`])(
    'CR4 one unreadable message among fifty is a dead letter, the others are delivered: %.20s',
    async (json) => {
      const b = bench();
      const [bad] = await enqueue(b, 1, { json });
      const good = await enqueue(b, 49);
      expect(await start(b, [queue(() => {})])).toMatchObject({ acked: 49, dead: 1 });
      acked(b, good);
      expect((await b.shard()).failures[bad ?? '']).toMatch(/ unreadable /);
    },
  );

  test('SW11 OP5 a message of a queue that this deployment does not know waits and loses nothing', async () => {
    const b = bench();
    const [id] = await enqueue(b, 1, {}, 'of-a-newer-version');
    b.unordered.add(id ?? '');
    const report = await start(b, [queue(() => {})], { limits: { takesMs: 1_500 } }); // ends before it would look again
    expect(report).toMatchObject({ delivered: 0, released: 1, ended: 'idle' });
    expect(Object.keys((await b.shard()).timers)).toEqual([`m * 5:of-a-newer-version 1.${id}`]);
  });

  test('never more handlers at once than allowed, and as many as that', async () => {
    const b = bench();
    const ids = await enqueue(b, 40);
    let now = 0;
    let most = 0;
    const handler = async () => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 5));
      now -= 1;
    };
    await start(b, [queue(handler)], { concurrency: 7, connections: 7 });
    acked(b, ids);
    expect(most).toBe(7);
  });

  test('outcomes gather: a thousand fast messages take about a round trip for each full batch', async () => {
    const b = bench();
    const ids = await enqueue(b, 1_000);
    const { shards, counts } = counted(b.openStore());
    await start(b, [queue(() => {})], { shards });
    acked(b, ids);
    expect(counts.syncs).toBeLessThanOrEqual(20);
  });

  test('slow handlers hold few messages back from other drains', async () => {
    const b = bench();
    const ids = await enqueue(b, 60);
    let held = 0;
    const store = b.openStore();
    const sync: Store['sync'] = async (request) => {
      const answer = await store.sync(request);
      held = Math.max(held, request.held + answer.taken.length);
      return answer;
    };
    await start(b, [queue(() => new Promise((resolve) => setTimeout(resolve, 60)))], {
      shards: on({ ...store, sync }),
    });
    acked(b, ids);
    expect(held).toBeLessThanOrEqual(15);
  });

  test('a lone message needs two syncs, and is acked without waiting for company', async () => {
    const b = bench();
    const ids = await enqueue(b, 1);
    const { shards, counts } = counted(b.openStore());
    expect(await start(b, [queue(() => {})], { shards })).toMatchObject({ acked: 1, ended: 'idle' });
    acked(b, ids);
    expect(counts.syncs).toBe(2);
  });

  test('with nothing to do it sleeps until the next timer instead of asking again', async () => {
    const b = bench();
    const before = Date.now(); // not later than the message is stored, from which its delay counts
    const ids = await enqueue(b, 1, { delayMs: 400 });
    const { shards, counts } = counted(b.openStore());
    let at = 0;
    const report = await start(
      b,
      [
        queue(() => {
          at = Date.now();
        }),
      ],
      { shards },
    );
    acked(b, ids);
    expect(report).toMatchObject({ acked: 1, ended: 'idle' });
    expect(at - before).toBeGreaterThanOrEqual(400);
    expect(counts.syncs).toBeLessThanOrEqual(4);
  });

  test('it does not wait for a timer that its budget does not reach', async () => {
    const b = bench();
    await enqueue(b, 1, { delayMs: 60_000 });
    const report = await start(b, [queue(() => {})], { limits: planLife(20_000, [15_000]) });
    expect(report).toMatchObject({ delivered: 0, ended: 'idle' });
    expect(report.ms).toBeLessThan(10_000);
  });
});

/** A heartbeat comes each third of it. Storage and drain go by one clock, which stands still with the machine. */
const LEASE_MS = 3_000;
const leasing = (b: Bench) => ({ leaseMs: LEASE_MS, shards: on(b.openStore(steadyNow)) });

onEachRedisAtOnce('a lease of a drain', (own) => {
  test('a slow handler keeps its lease by heartbeats', () =>
    own(async (b) => {
      const ids = await enqueue(b, 1);
      const sweeper = b.openStore(steadyNow);
      const handler = async () => {
        for (let i = 0; i < 10; i++) {
          await new Promise((resolve) => setTimeout(resolve, LEASE_MS / 8));
          expect((await sweeper.sweep('*')).requeued).toBe(0);
        }
      };
      expect(await start(b, [queue(handler)], leasing(b))).toMatchObject({ acked: 1, stale: 0 });
      acked(b, ids);
    }));

  test('what waits while all its handlers take long goes back at the next heartbeat, uncounted: others may have one that is free', () =>
    own(async (b) => {
      const ids = await enqueue(b, 4);
      const { promise, resolve } = Promise.withResolvers<void>();
      const handled: string[] = [];
      const handler: QueueOptions['handler'] = async ({ id }) => {
        handled.push(id);
        if (handled.length === 1) await promise;
      };
      const draining = start(b, [queue(handler)], { ...leasing(b), concurrency: 1 });
      const waiting = async () => (await b.shard()).lanes['5:work']?.length;
      await eventually('it has taken one more than it handles', async () => (await waiting()) === 2);
      await eventually('that is back', async () => (await waiting()) === 3, LEASE_MS);
      expect((await b.shard()).lanes['5:work']).toEqual(
        ids
          .slice(1)
          .map((id) => `1.${id}`)
          .toReversed(),
      );
      resolve();
      expect(await draining).toMatchObject({ acked: 4 });
      expect(handled).toEqual(ids);
      acked(b, ids);
    }));

  test('SC5 a drain that lost its lease says so to its handlers, settles nothing, and goes on with a new one', () =>
    own(async (b) => {
      const [id] = await enqueue(b, 1);
      const reasons: unknown[] = [];
      const seen: number[] = [];
      const handler: QueueOptions['handler'] = async ({ attempt }, { signal }) => {
        seen.push(attempt);
        if (attempt > 1) return;
        const [lease] = Object.keys((await b.shard()).leases);
        const sweeper = b.openStore(steadyNow);
        do {
          await b.redises.raw.zadd(`${b.root}timers`, 1, `l ${lease}`); // as if it had expired long ago
        } while ((await sweeper.sweep('*')).requeued === 0); // a look of the drain may have extended it between the two
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        reasons.push(signal.reason.message);
      };
      const report = await start(b, [queue(handler)], leasing(b));
      acked(b, [id ?? '']);
      expect(seen).toEqual([1, 2]);
      expect(reasons).toEqual(['the lease of this message was lost']);
      expect(report).toMatchObject({ delivered: 2, acked: 1, leasesLost: 1 });
    }));
});

onEachRedis('the budget of a drain', (bench) => {
  test('messages: it delivers that many and gives the others back untouched', async () => {
    const b = bench();
    const ids = await enqueue(b, 30);
    const report = await start(b, [queue(() => {})], { limits: { messages: 12 } });
    acked(b, ids.slice(0, 12));
    expect(report).toMatchObject({ delivered: 12, acked: 12, ended: 'budget' });
    expect((await b.shard()).lanes['5:work']?.toReversed()).toEqual(ids.slice(12).map((id) => `1.${id}`));
  });

  test('requests: handlers and storage together never make more, and nothing stays behind in a lease', async () => {
    const b = bench();
    const _ids = await enqueue(b, 100);
    const { store, counts } = counted(b.openStore());
    let handled = 0;
    const budget = openBudget({ ...PLENTY, requests: 45 }, steadyNow);
    const seen: string[] = [];
    const sync: Store['sync'] = (request) => {
      budget.onRequest();
      return store.sync(request);
    };
    await start(
      b,
      [
        queue(({ id }) => {
          handled += 1;
          seen.push(id);
        }),
      ],
      { shards: on({ ...store, sync }), budget },
    );
    acked(b, seen);
    expect(handled + counts.syncs).toBeLessThanOrEqual(45);
    expect(handled).toBeGreaterThanOrEqual(25);
    expect((await b.shard()).leases).toEqual({});
  });

  test('time: what is running has the whole time of its queue, what was not started is given back untouched', async () => {
    const b = bench();
    const ids = await enqueue(b, 20);
    const reasons: string[] = [];
    const handler: QueueOptions['handler'] = (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reasons.push(signal.reason.message);
          reject(signal.reason);
        });
      });
    const hangs = queue(handler, { timeout: 1_400, backoff: constant(60_000) });
    const report = await start(b, [hangs], { limits: planLife(1_500, [1_400]), concurrency: 3 });
    for (const id of ids) b.unordered.add(id);
    expect(report).toMatchObject({ delivered: 3, acked: 0, retried: 3, ended: 'budget' });
    expect(report.ms).toBeGreaterThanOrEqual(1_400);
    expect(reasons).toEqual(Array(3).fill('the time for this message is over'));
    const shard = await b.shard();
    expect(shard.leases).toEqual({});
    expect(Object.keys(shard.timers).toSorted()).toEqual(ids.slice(0, 3).map((id) => `m * 5:work 2.${id}`));
    expect(shard.lanes['5:work']?.toReversed()).toEqual(ids.slice(3).map((id) => `1.${id}`));
  });

  test('time: a handler that finishes in what is left is acked', async () => {
    const b = bench();
    const ids = await enqueue(b, 1);
    const handler = () => new Promise((resolve) => setTimeout(resolve, 700));
    const report = await start(b, [queue(handler)], { limits: planLife(1_000, [15_000]) });
    expect(report).toMatchObject({ delivered: 1, acked: 1 });
    acked(b, ids);
  });
});

describe('a queue definition', () => {
  test.each([
    ['a bad name', () => defineQueue('a b', { kind: 'pull' }), /name must match/],
    [
      'priority 10',
      () => defineQueue('a', { kind: 'pull', priority: 10 as 9 }),
      /priority of queue "a" must be a whole number from 0 to 9/,
    ],
    ['no attempts', () => defineQueue('a', { kind: 'pull', attempts: 0 }), /attempts of queue "a"/],
    [
      'a timeout that is no duration',
      () => defineQueue('a', { kind: 'pull', timeout: 'soon' }),
      /timeout of queue "a" must be milliseconds or text/,
    ],
  ])('with %s is refused by name', (_, define, message) => {
    expect(define).toThrow(message);
  });
});
