// What a handler enqueues is stored with the ack of its message, once, or not at all: whatever storage and the handler do.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, expectTypeOf, test, vi } from 'vitest';
import * as z from 'zod';
import { openChain } from '../../src/delivery/transaction.ts';
import type { FaultKind } from '../../src/dev/emulator/faults.ts';
import { defineQueue, type Handler, type HandlerContext, NonRetriableError } from '../../src/index.ts';
import { constant } from '../../src/queue/backoff.ts';
import { acked, drainFor, engineOn, enqueueNow, pause, unhandledRejectionsOf } from '../regressions/engines.ts';
import { Bench, type Redises, startServer } from '../support/bench.ts';
import { redisServerPresent } from '../support/redis-server.ts';

/** Of the storage requests of one bench, by their number, these meet a fault. */
interface Plan {
  kind: FaultKind;
  from: number;
  to: number;
  seen: number;
}

describe.skipIf(!redisServerPresent())('what a handler enqueues', () => {
  const plans = new Map<string, Plan>();
  let redises: Redises;
  let b: Bench;

  beforeAll(async () => {
    redises = await startServer({
      faults: ({ commands }) => {
        const [command = []] = commands;
        const plan = [...plans].find(([root]) => command.some((word) => word.startsWith(root)))?.[1];
        if (!plan) return undefined;
        plan.seen += 1;
        return plan.seen >= plan.from && plan.seen <= plan.to ? ({ kind: plan.kind } as { kind: 'reset' }) : undefined;
      },
    });
  }, 60_000);
  beforeEach(() => {
    b = new Bench(redises);
  });
  afterEach(async () => {
    plans.clear();
    expect(await b.violations()).toEqual([]);
  });
  afterAll(() => redises.stop());

  /** A queue whose handler enqueues on the queue `next`, which notes what it got. */
  function deployment(first: Handler<unknown>, options: object = {}) {
    const got: unknown[] = [];
    const seen: string[] = [];
    const next = defineQueue('next', {
      handler: ({ id, body }) => {
        got.push(body);
        seen.push(id);
      },
    });
    const work = defineQueue('work', { backoff: constant(5), ...options, handler: first });
    // What a fault takes is seen at once: nothing here is for want of time.
    return { got, seen, next, engine: engineOn(b, [work, next], { SLUICE_REDIS_TIMEOUT_MS: 10_000 }) };
  }
  const follow = (queue: ReturnType<typeof defineQueue>) => queue as Parameters<HandlerContext['enqueue']>[0];

  /** One message whose handler enqueues another, under a plan; later, when its lease is over, a drain with no faults. */
  async function underPlan(plan: Omit<Plan, 'seen'>) {
    let attempts = 0;
    const { got, seen, next, engine } = deployment(async ({ attempt }, { enqueue }) => {
      attempts = attempt;
      await enqueue(follow(next), `of attempt ${attempt}`);
    });
    const { ids } = await enqueueNow(b, b.message('work', 0));
    plans.set(b.root, { ...plan, seen: 0 });
    const isForGood = plan.from < plan.to; // then it goes on trying as long as it may
    await (isForGood ? drainFor(engine, 1_000) : drainFor(engine, 20_000, { sleepsMs: 0 })).catch(() => {});
    plans.clear();
    await b.openStore(() => Date.now() + 60_000).sweep('*');
    await drainFor(engine, 5_000);
    acked(b, [...ids, ...seen]);
    return { got, attempts };
  }

  test.each((['drop-reply', 'reset', 'truncate'] as const).flatMap((kind) => [1, 2, 3].map((nth) => ({ kind, nth }))))(
    'LR9 comes once where request $nth of its drain meets $kind',
    async ({ kind, nth }) => {
      expect(await underPlan({ kind, from: nth, to: nth })).toEqual({ got: ['of attempt 1'], attempts: 1 });
    },
  );

  test.each([
    { kind: 'reset', from: 2, attempt: 2, when: 'before its ack' },
    { kind: 'drop-reply', from: 2, attempt: 1, when: 'behind its ack' },
  ] as const)(
    'LR9 comes once where the drain is cut off from storage for good $when',
    async ({ kind, from, attempt }) => {
      expect(await underPlan({ kind, from, to: 1_000 })).toEqual({ got: [`of attempt ${attempt}`], attempts: attempt });
    },
  );

  const HANGS = new Promise<never>(() => {});
  test.each<[string, (context: HandlerContext) => unknown, object]>([
    ['throws', () => Promise.reject(new Error('no luck')), { retried: 1 }],
    ['refuses', () => Promise.reject(new NonRetriableError('never')), { dead: 1 }],
    ['times out', () => HANGS, { retried: 1 }],
  ])('is not stored where the handler %s', async (_, end, report) => {
    const { got, next, engine } = deployment(
      async (__, context) => {
        await context.enqueue(follow(next), 'never');
        await end(context);
      },
      { timeout: 100, backoff: constant('1h') },
    );
    const { ids } = await enqueueNow(b, b.message('work', 0));
    expect(await drainFor(engine, 2_000)).toMatchObject({ delivered: 1, ...report });
    expect(got).toEqual([]);
    expect(Object.keys((await b.shard()).envelopes)).toEqual(ids);
  });

  test('is not stored where the lease was lost meanwhile: only what the next delivery enqueues is', async () => {
    const { got, seen, next, engine } = deployment(async ({ attempt }, { enqueue }) => {
      await enqueue(follow(next), attempt);
      if (attempt === 1) await b.openStore(() => Date.now() + 60_000).sweep('*');
    });
    const { ids } = await enqueueNow(b, b.message('work', 0));
    expect(await drainFor(engine, 5_000)).toMatchObject({ stale: 1, acked: 2 });
    expect(got).toEqual([2]);
    acked(b, [...ids, ...seen]);
  });

  test('fails the delivery where it is no message of its queue, also if nobody waited for it', async () => {
    const strict = defineQueue('strict', { schema: z.object({ n: z.number() }), handler: () => {} });
    const bad = { n: 'one' as unknown as number };
    const first = defineQueue('work', {
      backoff: constant('1h'),
      handler: (_, { enqueue }) => void enqueue(strict, bad),
    });
    const engine = engineOn(b, [first, strict]);
    const { ids } = await enqueueNow(b, b.message('work', 0));
    const unhandled = await unhandledRejectionsOf(async () => {
      expect(await drainFor(engine, 2_000)).toMatchObject({ delivered: 1, retried: 1, acked: 0 });
    });
    expect(unhandled).toEqual([]);
    expect((await b.shard()).failures[ids[0] ?? '']).toMatch(/ failed InvalidMessage/);
  });

  test.each([
    { what: '1,001 messages', count: 1_001, body: 1 },
    { what: 'more than 4 MiB', count: 17, body: 'x'.repeat(250_000) },
  ])('is refused as a whole where it is $what', async ({ count, body }) => {
    const { next, engine } = deployment(
      async (_, { enqueue }) => {
        for (let i = 0; i < count; i++) await enqueue(follow(next), body);
      },
      { backoff: constant('1h') },
    );
    const { ids } = await enqueueNow(b, b.message('work', 0));
    expect(await drainFor(engine, 5_000)).toMatchObject({ delivered: 1, retried: 1 });
    const { envelopes, failures } = await b.shard();
    expect(Object.keys(envelopes)).toEqual(ids);
    expect(failures[ids[0] ?? '']).toMatch(/ failed RangeError: a handler may enqueue (1000 messages|4194304 bytes)/);
  });

  test('is stored where several handlers end at once and enqueue 3 MB each: more than one request may carry', async () => {
    const all = Promise.withResolvers<void>();
    let begun = 0;
    const { got, seen, next, engine } = deployment(async (_, { enqueue }) => {
      for (let i = 0; i < 12; i++) await enqueue(follow(next), 'x'.repeat(250_000));
      begun += 1;
      if (begun === 5) all.resolve();
      await all.promise;
    });
    const { ids } = await enqueueNow(b, ...Array.from({ length: 5 }, (_, i) => b.message('work', i)));
    let acks = 0;
    for (let drains = 0; drains < 5 && acks < 65; drains++) acks += (await drainFor(engine, 10_000)).acked; // 45 requests each
    expect(acks).toBe(65);
    expect(got).toHaveLength(60);
    acked(b, [...ids, ...seen]);
  });

  test('after the handler has ended throws: it could not be stored any more', async () => {
    const late = Promise.withResolvers<unknown>();
    const { got, next, engine } = deployment((_, { enqueue }) => {
      pause(50)
        .then(() => enqueue(follow(next), 'late'))
        .then(late.resolve, late.resolve);
    });
    const { ids } = await enqueueNow(b, b.message('work', 0));
    await drainFor(engine, 2_000);
    expect(await late.promise).toMatchObject({ message: expect.stringContaining('the handler has ended') });
    expect(got).toEqual([]);
    acked(b, ids);
  });
});

test('what a handler enqueues too late, and nobody waits for, is told to the log and does not end the process', async () => {
  const told = vi.spyOn(console, 'warn').mockImplementation(() => {});
  const chain = openChain(() => Promise.reject(new Error('nothing is prepared any more')));
  chain.close();
  const unhandled = await unhandledRejectionsOf(async () => {
    void chain.enqueue(defineQueue('mail', { kind: 'pull' }), 'late');
  });
  expect([unhandled, told.mock.calls]).toEqual([[], [['{"level":"warn","event":"enqueued too late","queue":"mail"}']]]);
  told.mockRestore();
});

test('the types of what a handler enqueues are those of the queue it goes to', () => {
  const mail = defineQueue('mail', { kind: 'pull', schema: z.object({ copies: z.string().transform(Number) }) });
  const handler: Handler<unknown> = async (_, { enqueue }) => {
    expectTypeOf(enqueue(mail, { copies: '2' }, { delay: '5m' })).resolves.toEqualTypeOf<{
      id: string;
      queue: string;
    }>();
    // @ts-expect-error copies goes in as text
    await enqueue(mail, { copies: 2 });
    // @ts-expect-error there is no such option
    await enqueue(mail, { copies: '2' }, { prio: 1 });
  };
  expect(handler).toBeTypeOf('function');
});
