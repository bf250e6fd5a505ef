// Handlers start only where their subrequests find connections, and who waits for some is not overtaken by another who does.
import { expect, test } from 'vitest';
import { openBudget } from '../../src/drain/budget.ts';
import { planLife } from '../../src/drain/life.ts';
import { drain } from '../../src/drain/loop.ts';
import { defineQueue, type Priority } from '../../src/index.ts';
import { encodeLimitedQueues } from '../../src/queue/limits.ts';
import { onEachRedis } from '../support/bench.ts';
import { eventually } from '../support/worker.ts';

/** `requests` and priority of each queue, by its name. */
type Plan = Record<string, [requests: number, priority: Priority]>;

onEachRedis(
  'the connections of a drain',
  (bench) => {
    /** Drains a message of each of these queues, in this order. */
    async function draining(plan: Plan, messages: string[]) {
      const b = bench();
      const started: string[] = [];
      const ends = new Map<string, () => void>();
      const queues = Object.entries(plan).map(([name, [requests, priority]]) =>
        defineQueue(name, {
          subrequests: requests,
          priority,
          handler: ({ body }) =>
            new Promise<void>((resolve) => {
              started.push(body as string);
              ends.set(body as string, resolve);
            }),
        }),
      );
      for (const body of messages) {
        const name = body.replace(/\d+/, '');
        const message = b.message(name, 0, { priority: plan[name]?.[1] ?? 5, json: JSON.stringify({ body }) });
        const { ids } = await b.openStore().enqueue({ messages: [message] });
        b.expectAlive(ids, [message]);
      }
      const limits = { ...planLife(20_000, [15_000]), requests: 900, requestsPerDelivery: 0, messages: 900 };
      const report = drain({
        shards: [{ name: '', store: b.openStore(undefined, b.prefix, [], encodeLimitedQueues(queues)) }],
        pool: '*',
        queues: new Map(queues.map((queue) => [queue.name, queue])),
        env: {},
        budget: openBudget(limits, Date.now),
        concurrency: 20,
        connections: 5,
        batch: 100,
        leaseMs: 30_000,
      });
      return {
        /** Those that run, in the order in which they started. */
        async runs(...expected: string[]) {
          await eventually('they have started', () => started.length >= expected.length);
          await new Promise((resolve) => setImmediate(resolve)); // one more would start in the same turn
          expect(started).toEqual(expected);
        },
        end: (body: string) => ends.get(body)?.(),
        async endAll() {
          const timer = setInterval(() => [...ends.values()].map((end) => end()), 1);
          expect((await report).acked).toBe(messages.length);
          clearInterval(timer);
          b.alive.clear();
        },
      };
    }

    test('five that need one each run at once; the sixth when one of them has ended', async () => {
      const { runs, end, endAll } = await draining({ one: [1, 5] }, ['one1', 'one2', 'one3', 'one4', 'one5', 'one6']);
      await runs('one1', 'one2', 'one3', 'one4', 'one5');
      end('one2');
      await runs('one1', 'one2', 'one3', 'one4', 'one5', 'one6');
      await endAll();
    });

    test('those without subrequests run as many at once as handlers may', async () => {
      const bodies = Array.from({ length: 25 }, (_, i) => `none${i}`);
      const { runs, endAll } = await draining({ one: [1, 5], none: [0, 5] }, bodies);
      await runs(...bodies.slice(0, 20));
      await endAll();
    });

    test('one that needs more than there are runs alone, and those without subrequests beside it', async () => {
      const plan: Plan = { large: [9, 1], one: [1, 5], none: [0, 7] };
      const { runs, end, endAll } = await draining(plan, ['one1', 'large1', 'none1', 'none2']);
      await runs('large1', 'none1', 'none2');
      end('large1');
      await runs('large1', 'none1', 'none2', 'one1');
      await endAll();
    });

    test('one that waits for them is not overtaken by a smaller one that is less urgent, or came later', async () => {
      const plan: Plan = { first: [3, 1], large: [4, 2], small: [1, 3], none: [0, 9] };
      const { runs, end, endAll } = await draining(plan, ['first1', 'large1', 'small1', 'none1']);
      await runs('first1', 'none1'); // two connections are free
      end('first1');
      await runs('first1', 'none1', 'large1', 'small1');
      await endAll();
    });
  },
  ['the embedded Redis'],
);
