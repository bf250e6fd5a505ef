// One budget for an invocation: what its own code enqueues, what operators ask for, and the drains behind, under the platform's limit.
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { buildBundle } from '../../src/dev/bundle.ts';
import type { PreparedMessage } from '../../src/message/envelope.ts';
import { newToken } from '../../src/message/ids.ts';
import { formatLane } from '../../src/message/lane.ts';
import { openShard } from '../../src/redis/shard.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { redisServerPresent, startRedisServer } from '../support/redis-server.ts';
import { eventually } from '../support/worker.ts';
import { boxed } from './deployed.ts';
import { FREE } from './limits.ts';

const { isolates: _, ...WARM } = FREE;
const MOST = 50;
const bundle = await buildBundle('test/platform/budget-worker.ts');
/** The embedded one is slow with many messages. */
const redis = redisServerPresent() ? await startRedisServer() : undefined;
const box = boxed(WARM, { bundle, ...(redis ? { redis: redis.url } : {}) });
afterAll(() => redis?.stop());

/** Past the Worker: nobody is woken. */
let store: Store;

beforeEach(async () => {
  const { platform, outbox, logs, stack } = box();
  await eventually('nothing of the test before is under way', platform.areOver);
  const { UPSTASH_REDIS_REST_URL: url = '', UPSTASH_REDIS_REST_TOKEN: token = '' } = stack.env;
  store = openStore(openShard({ connection: { url, token, timeoutMs: 10_000 }, prefix: 'sluice' }));
  for (const list of [platform.invocations, outbox.deliveries, logs]) list.length = 0;
});

const messages = (count: number, queue: string, pool = '*'): PreparedMessage[] =>
  Array.from({ length: count }, () => {
    return { lane: formatLane(5, queue), pool, maxAttempts: 5, delayMs: 0, ttlMs: 0, json: '{"body":0}' };
  });

async function put(count: number, queue: string, pool?: string): Promise<string[]> {
  const ids: string[] = [];
  for (let left = count; left > 0; left -= 1_000) {
    ids.push(...(await store.enqueue({ messages: messages(Math.min(1_000, left), queue, pool), wake: false })).ids);
  }
  return ids;
}

async function json<Answer>(path: string, body?: unknown, method = 'POST'): Promise<Answer> {
  const answer = await box().call(path, body, { method });
  expect(answer.status, path).toBeLessThan(300);
  return (await answer.json()) as Answer;
}

const over = (count: number) => eventually(`${count} are over`, () => box().platform.invocations.length >= count);
const queue = (name: string) =>
  json<{ ready: object; leased: number; dead: number }>(`/v1/queues/${name}`, undefined, 'GET');
/** The ids of deliveries that came to this part of what a handler sends. */
const told = (part = 1) => box().outbox.deliveries.flatMap(({ id, body }) => (body === part ? [id] : []));

/** No invocation has asked for more than it may. */
function expectWithin(): void {
  const { invocations } = box().platform;
  expect(invocations.filter(({ subrequests, refused }) => refused > 0 || subrequests > MOST)).toEqual([]);
}

describe('S6 code of the Worker that enqueues one by one', () => {
  test('all is stored, and the drains share what is left', async () => {
    const ids = await json<string[]>('/produce?count=30');
    expect(ids).toHaveLength(30);
    await over(1);
    expectWithin();
    for (let ticks = 0; told().length < 30 && ticks < 3; ticks++) await box().platform.tick();
    expect(told().toSorted()).toEqual(ids.toSorted());
    expectWithin();
  });

  test('few are drained by one drain behind the answer, which uses what it left to its caller when that has ended', async () => {
    const ids = await json<string[]>('/produce?count=10');
    await over(1);
    expect(told().toSorted()).toEqual(ids.toSorted());
    expect(box().platform.invocations[0]?.subrequests).toBeLessThanOrEqual(10 + 10 + 11); // a sync for each, at most, and a last one
  });
});

describe('S6 subrequests that are used up', () => {
  test('are told by name; nothing more is started, and the next invocation settles what was done before anything else', async () => {
    const ids = await put(30, 'hungry');
    await json('/v1/queues/hungry/resume');
    await over(1);
    const [log = ''] = box().logs;
    expect(JSON.parse(log)).toMatchObject({
      event: 'subrequests used up',
      queues: 'hungry (subrequests: 1)',
      allowed: 45,
    });
    expect(box().platform.invocations[0]?.subrequests).toBeLessThanOrEqual(MOST + 5 + 1); // those at work, and a sync
    for (let i = 1; i < 6 && told(3).length < 30; i++) {
      await queue('hungry');
      await over(i + 1);
    }
    expect(told(3).toSorted()).toEqual(ids.toSorted()); // to its end each came once
    await eventually('all are settled, and none waits for the end of a lease', async () => {
      const { leased, ready, dead } = await queue('hungry');
      return leased === 0 && dead === 0 && Object.keys(ready).length === 0;
    });
  });

  test('by a delivery that had all there are: it counts, and comes to its end', async () => {
    await put(1, 'endless');
    await eventually('it is dead', async () => {
      await json('/v1/queues/endless/resume');
      return (await queue('endless')).dead === 1;
    });
    expect(told()).toHaveLength(5);
  });
});

interface Found {
  findings: object[];
  cursor?: string;
}

interface Purged {
  purged: number;
  more: boolean;
  cursor?: string;
}

describe('S7 what operators ask for is answered in part rather than refused', () => {
  test('an audit of 8,000 messages, a purge of 36,000', async () => {
    await put(8_000, 'pulled', 'pulled');
    const pages = { shallow: 0, deep: 0 };
    for (let cursor: string | undefined = ''; cursor !== undefined && pages.deep < 1; ) {
      const page: Found = await json(`/v1/audit?deep=true&cursor=${encodeURIComponent(cursor)}`, undefined, 'GET');
      expect(page.findings).toEqual([]);
      pages[cursor.startsWith('deep') ? 'deep' : 'shallow'] += 1;
      cursor = page.cursor;
    }
    expect([pages.shallow > 1, pages.deep]).toEqual([true, 1]);
    await put(28_000, 'pulled', 'pulled');
    const first = await json<Purged>('/v1/queues/pulled/purge', { states: ['ready'] });
    expect(first.more).toBe(true);
    const second = await json<Purged>('/v1/queues/pulled/purge', { states: ['ready'], cursor: first.cursor });
    expect([first.purged + second.purged, second.more]).toEqual([36_000, false]);
    expectWithin();
  });

  test('a redrive of 1,000, with the drain that it wakes', async () => {
    const ids = await put(1_000, 'honest');
    for (const half of [500, 500]) {
      const lease = newToken();
      const ask = { lease, leaseMs: 60_000, held: 0, pools: ['*'] };
      const { taken } = await store.sync({ ...ask, want: half, settlements: [] });
      const failure = { kind: 'failed' as const, text: '' };
      const settlements = taken.map(({ entry }) => ({ entry, outcome: 'dead' as const, failure }));
      await store.sync({ ...ask, leaseMs: 0, held: -1, want: 0, settlements });
    }
    const { messages: redriven } = await json<{ messages: unknown[] }>('/v1/queues/honest/dead/redrive', {});
    expect(redriven).toHaveLength(ids.length);
    await over(1);
    expect(told().length).toBeGreaterThan(25);
    expectWithin();
    await json('/v1/queues/honest/purge', {});
    await over(2);
  });
});

describe('S5 what is asked for outlives its caller', () => {
  test('a drain: its handlers end, and their messages are settled', async () => {
    const [id] = await put(1, 'slow');
    const caller = new AbortController();
    const called = box()
      .call('/v1/drain', undefined, { signal: caller.signal })
      .catch(() => 'gone');
    await eventually('the handler is at work', () => told(1).length === 1);
    caller.abort();
    expect(await called).toBe('gone');
    await eventually('it ends', () => told(2).includes(id ?? ''));
    await eventually('it is settled', async () => (await queue('slow')).leased === 0);
  });

  test.each(['GET', 'POST'])('%s with wait=false is answered at once', async (method) => {
    const [id] = await put(1, 'slow');
    const { status } = await box().call('/v1/drain?wait=false', undefined, { method });
    expect([status, told(2)]).toEqual([202, []]);
    await eventually('it is delivered all the same', () => told(2).includes(id ?? ''));
    await over(1);
  });
});
