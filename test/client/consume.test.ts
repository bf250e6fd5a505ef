// Consuming through the client, against the deployed bundle: each message once, in order, and what happens at every kind of end.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type ConsumeHandler,
  type ConsumeOptions,
  createClient,
  NonRetriableError,
  RetryAfterError,
  SluiceError,
} from '../../src/client/index.ts';
import { unhandledRejectionsOf } from '../regressions/engines.ts';
import { deploy, eventually } from '../support/worker.ts';
import { type Harm, type Seen, type ShakyProxy, startProxy } from './proxy.ts';

const deployed = deploy();
const QUICK = { idleMs: { least: 10, most: 50 } };
let proxy: ShakyProxy;
let harm: (seen: Seen, index: number) => Harm = () => undefined;
const clientAt = (url: string) => createClient({ url, token: deployed().stack.token });
const client = () => clientAt(deployed().worker.url);

beforeEach(async () => {
  harm = () => undefined;
  proxy = await startProxy(deployed().worker.url, (seen, index) => harm(seen, index));
  await deployed().call('/v1/queues/reports/purge', { body: { states: ['ready', 'delayed', 'dead'] } });
});
afterEach(async () => {
  await proxy.close();
  expect(await get('/v1/audit?deep=true')).toEqual({ findings: [] });
});

async function get<T>(path: string): Promise<T> {
  return (await (await deployed().call(path, { method: 'GET' })).json()) as T;
}
const left = async () => {
  const { ready, delayed, leased, dead } = await get<Record<string, number> & { ready: object }>('/v1/queues/reports');
  return { ready: Object.values(ready).reduce((a, b) => a + b, 0), delayed, leased, dead };
};
const EMPTY = { ready: 0, delayed: 0, leased: 0, dead: 0 };

async function enqueue(count: number, options: object | ((n: number) => object) = {}): Promise<string[]> {
  const messages = Array.from({ length: count }, (_, n) => {
    return { queue: 'reports', body: { n }, options: typeof options === 'function' ? options(n) : options };
  });
  return (await client().enqueueMany(messages)).map(({ id }) => id);
}

/** A consumer that can be stopped; `ended` is what consume returned. */
function consume(handler: ConsumeHandler, options: Omit<ConsumeOptions, 'signal'> = {}) {
  const stopping = new AbortController();
  const ended = clientAt(proxy.url).consume('reports', handler, { ...QUICK, ...options, signal: stopping.signal });
  ended.catch(() => {});
  return {
    ended,
    stop: () => {
      stopping.abort();
      return ended;
    },
  };
}

describe('a consumer', () => {
  test('gets each message once, though every third answer of the network is dropped', async () => {
    const ids = await enqueue(300);
    const seen: string[] = [];
    harm = (_, index) => (index % 3 === 1 ? 'drop-reply' : undefined);
    const consumer = consume(({ id }) => void seen.push(id), { concurrency: 8, max: 20 });
    await eventually('all are handled', () => seen.length >= 300);
    await consumer.stop();
    expect(seen.toSorted()).toEqual(ids.toSorted());
    expect(await left()).toEqual(EMPTY);
  });

  test('needs about one round trip for each batch', async () => {
    await enqueue(300);
    let handled = 0;
    const consumer = consume(() => void handled++, {
      concurrency: 10,
      max: 100,
      idleMs: { least: 5_000, most: 5_000 },
    });
    await eventually('all are handled and settled', async () => handled === 300 && (await left()).leased === 0);
    await consumer.stop();
    expect(proxy.seen.length).toBeLessThanOrEqual(6);
  });

  test('with a concurrency of 1 gets each lane in its order, urgent ones first', async () => {
    await enqueue(60, (n) => ({ group: `g${n % 3}`, priority: n % 2 }));
    const seen: { n: number; lane: string; priority: number }[] = [];
    const handler: ConsumeHandler = async ({ body, group, priority }) => {
      await new Promise((resolve) => setImmediate(resolve));
      seen.push({ n: (body as { n: number }).n, lane: `${priority}/${group}`, priority });
    };
    const consumer = consume(handler, { concurrency: 1, max: 7 });
    await eventually('all are handled', () => seen.length === 60);
    await consumer.stop();
    for (const lane of new Set(seen.map((one) => one.lane))) {
      const order = seen.filter((one) => one.lane === lane).map(({ n }) => n);
      expect(order).toEqual(order.toSorted((a, b) => a - b));
    }
    expect(seen.map(({ priority }) => priority)).toEqual(seen.map(({ priority }) => priority).toSorted());
  });

  test('takes an urgent message before those that wait already', async () => {
    const open = new Map<string, () => void>();
    const handler: ConsumeHandler = ({ id }) => new Promise<void>((resolve) => open.set(id, resolve));
    const [first = '', second = '', third = '', fourth = ''] = await enqueue(4);
    const consumer = consume(handler, { concurrency: 2, max: 10 });
    await eventually('two have begun', () => open.size === 2);
    const [urgent = ''] = await enqueue(1, { priority: 0 });
    open.get(first)?.();
    await eventually('the urgent one has been taken along', async () => (await left()).ready === 0);
    await eventually('it has arrived', () => proxy.answered() === proxy.seen.length);
    await left(); // whatever arrived before this answer has been read
    open.get(second)?.();
    await eventually('four have begun', () => open.size === 4);
    expect([...open.keys()]).toEqual([first, second, third, urgent]);
    open.get(third)?.();
    await eventually('the last has begun', () => open.size === 5);
    open.get(urgent)?.();
    open.get(fourth)?.();
    await consumer.stop();
    expect(await left()).toEqual(EMPTY);
  });

  test('runs as many handlers at once as it may, and no more', async () => {
    await enqueue(30);
    let running = 0;
    let most = 0;
    let handled = 0;
    const handler = async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running -= 1;
      handled += 1;
    };
    const consumer = consume(handler, { concurrency: 4 });
    await eventually('all are handled', () => handled === 30);
    await consumer.stop();
    expect(most).toBe(4);
  });

  test.each([
    ['with room for more', 10],
    ['with no room', 1],
  ])('%s keeps a message whose handler takes longer than the visibility', async (_, concurrency) => {
    const [id] = await enqueue(1);
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const attempts: number[] = [];
    const consumer = consume(
      async ({ attempt }) => {
        attempts.push(attempt);
        await gate;
      },
      { visibility: '5s', concurrency, max: concurrency }, // extended after a third of it: for the rest the machine may stand still
    );
    await eventually('it has begun', () => attempts.length > 0);
    const end = Date.now() + 6_000;
    let requeued = 0;
    await eventually('the visibility has passed, with sweeps', async () => {
      requeued += ((await (await deployed().call('/v1/sweep')).json()) as { requeued: number }).requeued;
      return Date.now() > end;
    });
    open();
    await consumer.stop();
    expect([requeued, attempts]).toEqual([0, [1]]);
    expect((await deployed().call(`/v1/messages/${id}`, { method: 'GET' })).status).toBe(404);
    expect(proxy.seen.filter(({ body }) => body.includes('"extend"'))).not.toEqual([]);
  });

  test('that loses its lease aborts the handlers, takes none of their outcomes for granted, and goes on', async () => {
    const ids = await enqueue(2);
    const seen: string[] = [];
    const aborted: string[] = [];
    const handler: ConsumeHandler = async ({ id, attempt }, { signal }) => {
      seen.push(`${id} ${attempt}`);
      if (attempt > 1) return;
      if (seen.length === 2) harm = () => 'drop-request'; // at once: no request may find the lease over before the sweep does
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      aborted.push(id);
    };
    const consumer = consume(handler, { visibility: 1_000, concurrency: 2, max: 2 });
    await eventually('both have begun', () => seen.length === 2);
    let requeued = 0;
    await eventually('the lease was swept', async () => {
      requeued += ((await (await deployed().call('/v1/sweep')).json()) as { requeued: number }).requeued;
      return requeued === 2;
    });
    harm = () => undefined;
    await eventually('both are handled again', () => seen.length === 4);
    await consumer.stop();
    expect(aborted.toSorted()).toEqual(ids.toSorted());
    expect(seen.toSorted()).toEqual(ids.flatMap((id) => [`${id} 1`, `${id} 2`]).toSorted());
    expect(await left()).toEqual(EMPTY);
  });

  test('survives an outage while it holds messages, and settles what was done in it', async () => {
    const ids = await enqueue(4);
    const seen: string[] = [];
    const failures: unknown[] = [];
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const handler: ConsumeHandler = async ({ id }) => {
      seen.push(id);
      await gate;
    };
    const consumer = consume(handler, { concurrency: 4, onError: (error) => failures.push(error) });
    await eventually('all have begun', () => seen.length === 4);
    harm = () => 'drop-request';
    open();
    await eventually('two syncs have failed', () => failures.length >= 2);
    harm = () => undefined;
    await eventually('all are settled', async () => (await left()).leased === 0);
    await consumer.stop();
    expect(seen).toEqual(ids);
    expect(failures.every((error) => error instanceof SluiceError && error.code === 'unreachable')).toBe(true);
  });
});

describe('a handler that throws', () => {
  const state = async (id: string) => {
    const {
      state: is,
      attempt,
      failures,
    } = await get<{ state: string; attempt: number; failures: { text: string }[] }>(`/v1/messages/${id}`);
    return { is, attempt, failures: failures.map(({ text }) => text) };
  };

  test('ends the consumer where what is told of it throws: its message is settled, and the process goes on', async () => {
    const [id = ''] = await enqueue(1);
    let consumer: ReturnType<typeof consume> | undefined;
    const unhandled = await unhandledRejectionsOf(async () => {
      consumer = consume(
        () => {
          throw new RetryAfterError('1h', 'busy');
        },
        {
          onError: () => {
            throw new RangeError('the monitoring is away');
          },
        },
      );
      await expect(consumer.ended).rejects.toThrow('the monitoring is away');
    });
    expect(unhandled).toEqual([]);
    expect(await state(id)).toMatchObject({ is: 'delayed', failures: ['RetryAfterError: busy'] });
  });

  test('has its message tried again, and then made a dead letter, with the reasons', async () => {
    const [id = ''] = await enqueue(1, { maxAttempts: 3 });
    const told: [number, string][] = [];
    const consumer = consume(
      ({ attempt }) => {
        if (attempt === 1) throw new RetryAfterError(20, 'busy');
        if (attempt === 2) throw new RetryAfterError(30, 'busy still');
        throw new RangeError(`no ${'x'.repeat(1_000)}`);
      },
      { onError: (error, message) => told.push([message?.attempt ?? 0, (error as Error).name]) },
    );
    await eventually('it is dead', async () => (await left()).dead === 1);
    await consumer.stop();
    expect(told).toEqual([[1, 'RetryAfterError'], [2, 'RetryAfterError'], [3, 'RangeError']]); // biome-ignore format: pairs
    expect(await state(id)).toEqual({
      is: 'dead',
      attempt: 3,
      failures: ['RetryAfterError: busy', 'RetryAfterError: busy still', expect.stringMatching(/^RangeError: no xxx/)],
    });
  });

  test('a plain error waits for the default backoff: two seconds or more', async () => {
    const [id = ''] = await enqueue(1);
    const began = Date.now();
    const stopping = new AbortController();
    const { signal } = stopping;
    const handler = () => {
      stopping.abort(); // or it would have the message again, where two seconds pass before anybody looks
      return Promise.reject('not even an error');
    };
    await clientAt(proxy.url).consume('reports', handler, { ...QUICK, signal });
    expect(await left()).toEqual({ ...EMPTY, delayed: 1 });
    const { at, attempt } = await get<{ at: number; attempt: number }>(`/v1/messages/${id}`);
    expect(at - began).toBeGreaterThanOrEqual(2_000);
    expect(attempt).toBe(2);
  });

  test('a refusal is a dead letter at once, ours and that of Sluice', async () => {
    const [first = '', second = ''] = await enqueue(2);
    const consumer = consume(({ id }) => {
      throw id === first ? new NonRetriableError('no such customer') : new NonRetriableError('nor here');
    });
    await eventually('both are dead', async () => (await left()).dead === 2);
    await consumer.stop();
    expect(await state(first)).toEqual({ is: 'dead', attempt: 1, failures: ['NonRetriableError: no such customer'] });
    expect(await state(second)).toEqual({ is: 'dead', attempt: 1, failures: ['NonRetriableError: nor here'] });
  });
});

describe('the end', () => {
  test('gives back at once what was not started, waits for what was, and takes nothing more', async () => {
    const ids = await enqueue(20);
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const seen: string[] = [];
    const handler: ConsumeHandler = async ({ id }) => {
      seen.push(id);
      await gate;
    };
    const consumer = consume(handler, { concurrency: 2, max: 10 });
    await eventually('two have begun', () => seen.length === 2);
    expect((await left()).leased).toBe(10);
    const ended = consumer.stop();
    await eventually('eight are back', async () => (await left()).leased === 2);
    const other = await client().receive('reports', { max: 20 });
    expect(other.messages.map(({ id, attempt }) => [id, attempt])).toEqual(ids.slice(2).map((id) => [id, 1]));
    open();
    await ended;
    expect(seen).toEqual(ids.slice(0, 2));
    expect((await left()).leased).toBe(18);
    await other.settle(other.messages.map(({ id }) => ({ id, outcome: 'ack' })));
  });

  test.each(['/v1/receive', '/settle'])(
    'gives back what an answer of %s that was dropped had brought',
    async (path) => {
      const ids = await enqueue(path === '/settle' ? 1 : 6);
      const seen: string[] = [];
      let consumer: ReturnType<typeof consume> | undefined;
      harm = (one) => {
        const { messages } = { messages: seen.length };
        if (!one.path.endsWith(path) || (path === '/settle' && (messages === 0 || !one.body.includes('"receive"'))))
          return;
        harm = () => undefined;
        consumer?.stop();
        return 'drop-reply';
      };
      consumer = consume(async ({ id }) => void seen.push(id), { concurrency: 3, max: 6 });
      const more = path === '/settle' ? await enqueue(6) : [];
      await consumer.ended;
      expect((await left()).leased).toBe(0);
      const lease = await client().receive('reports', { max: 20 });
      const unseen = [...ids, ...more].filter((id) => !seen.includes(id));
      expect(lease.messages.map(({ id, attempt }) => [id, attempt])).toEqual(unseen.map((id) => [id, 1]));
      await lease.settle(lease.messages.map(({ id }) => ({ id, outcome: 'ack' })));
    },
  );

  test('with handlers that outlast the grace: they are told, and their messages come again as a new attempt', async () => {
    const ids = await enqueue(2);
    let begun = 0;
    const handler: ConsumeHandler = async ({ id }, { signal }) => {
      begun += 1;
      if (id === ids[0]) return new Promise(() => {}); // deaf to its signal
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    const consumer = consume(handler, { graceMs: 50 });
    await eventually('both have begun', () => begun === 2);
    await consumer.stop();
    const lease = await client().receive('reports');
    expect(lease.messages.map(({ id, attempt }) => [id, attempt]).toSorted()).toEqual(
      ids.map((id) => [id, 2]).toSorted(),
    );
    await lease.settle(lease.messages.map(({ id }) => ({ id, outcome: 'ack' })));
  });

  test('wakes a consumer that sleeps', async () => {
    const consumer = consume(() => {}, { idleMs: { least: 60_000, most: 60_000 } });
    await eventually('it has asked', () => proxy.seen.length === 1);
    await consumer.stop();
    expect(proxy.seen).toHaveLength(1);
  });

  test('before the beginning: no request at all', async () => {
    await client().consume('reports', () => {}, { signal: AbortSignal.abort() });
    expect(proxy.seen).toEqual([]);
  });

  test.each([
    ['a queue that is not there', 'nowhere', undefined, 404, 'unknown_queue'],
    ['a push queue', 'github.activity', undefined, 409, 'not_a_pull_queue'],
    ['a token that is not known', 'reports', 'wrong', 401, 'unauthorized'],
  ])('comes with an error for %s', async (_, queue, token = deployed().stack.token, status, code) => {
    const { signal } = new AbortController();
    const failing = createClient({ url: proxy.url, token }).consume(queue, () => {}, { signal });
    await expect(failing).rejects.toMatchObject({ name: 'SluiceError', status, code });
    expect(proxy.seen).toHaveLength(1);
  });
});

describe('an empty queue', () => {
  afterEach(() => void vi.useRealTimers());

  test.each([
    ['is asked after 1 s, and then less and less often, down to every 30 s', [], [0, 1, 3, 7, 15, 31, 61, 91]],
    ['is asked when a timer is due, but not more often than once a second', [{}, {}, 500, 10], [0, 1, 3, 4, 5]],
  ])('%s', async (_, nexts: unknown[], expected) => {
    vi.useFakeTimers();
    const began = Date.now();
    const asked: number[] = [];
    const fetch = async () => {
      const next = nexts[asked.length];
      asked.push((Date.now() - began) / 1_000);
      const timer = typeof next === 'number' ? { nextInMs: next } : {};
      return Response.json({ lease: 'a', settled: [], expiresAt: 0, messages: [], ...timer });
    };
    const stopping = new AbortController();
    const ended = createClient({ url: 'http://x', token: 't', fetch }).consume('q', () => {}, stopping);
    await vi.advanceTimersByTimeAsync(100_000);
    stopping.abort();
    await ended;
    expect(asked.slice(0, expected.length)).toEqual(expected);
  });
});
