// What happens under one invocation: one drain, which looks again for whoever would wake another, and one count of subrequests.
import { expect, test } from 'vitest';
import { openBudget } from '../../src/drain/budget.ts';
import { planLife } from '../../src/drain/life.ts';
import { drain } from '../../src/drain/loop.ts';
import { defineQueue } from '../../src/index.ts';
import { findInvocation, Invocation } from '../../src/runtime/invocation.ts';
import { acked, enqueueNow, pause } from '../regressions/engines.ts';
import { onEachRedis } from '../support/bench.ts';
import { deploymentOn } from '../support/deployment.ts';
import { steadyNow } from '../support/steady-clock.ts';
import { eventually } from '../support/worker.ts';

const SOON_MS = 4_000; // less than the drain sleeps, or its handlers work

onEachRedis(
  'a second wake of an invocation',
  (bench) => {
    test('has the drain look that sleeps for a timer', async () => {
      const b = bench();
      const seen: unknown[] = [];
      const queue = defineQueue('jobs', { subrequests: 0, handler: ({ body }) => void seen.push(body) });
      const deployed = deploymentOn(b, [queue]);
      const producer = deployed.sluice.producer(deployed.env, deployed.context);
      b.alive.add((await producer.enqueue(queue, 'later', { delay: '5s' })).id);
      await eventually('it sleeps', async () => (await b.redises.raw.exists(`${b.root}sleeper`)) === 1);
      for (const id of b.alive) b.unordered.add(id);
      const { id } = await producer.enqueue(queue, 'now');
      b.alive.add(id);
      await eventually('it looks', () => seen.includes('now'), SOON_MS);
      await deployed.settled();
      expect(seen).toEqual(['now', 'later']);
      acked(b, [...b.alive]);
    });

    test('has the drain say once more that it is busy: what came is taken by one that another request wakes', async () => {
      const b = bench();
      const seen: string[] = [];
      const { promise, resolve: release } = Promise.withResolvers<void>();
      const queue = defineQueue('jobs', {
        subrequests: 0,
        handler: async ({ id, body }) => {
          seen.push(id);
          if (body === 'slow') await promise;
        },
      });
      const deployed = deploymentOn(b, [queue], { SLUICE_CONCURRENCY: 1 });
      const producer = deployed.sluice.producer(deployed.env, deployed.context);
      const enqueue = async (body: string, priority: 0 | 5 = 5) => {
        const { id } = await producer.enqueue(queue, body, { priority });
        b.alive.add(id);
        return id;
      };
      await enqueue('slow');
      await eventually('it is busy', () => seen.length === 1);
      await enqueue('slow');
      await eventually('it says so', async () => (await b.redises.raw.exists(`${b.root}awake`)) === 0, SOON_MS);
      const urgent = await enqueue('urgent', 0);
      await eventually(
        'another takes it',
        async () => {
          await deployed.call('GET', '/v1/queues/jobs');
          return seen.includes(urgent);
        },
        SOON_MS,
      );
      release();
      await deployed.settled();
      acked(b, seen);
    });

    test('is not needed where a drain ends because code may go on to enqueue: when that has ended it takes nothing more all the same', async () => {
      const b = bench();
      const { ids } = await enqueueNow(b, b.message('jobs', 1), b.message('jobs', 2));
      const invocation = new Invocation();
      const queue = defineQueue('jobs', {
        subrequests: 6, // beside what is left to the caller there is room for one
        handler: async () => {
          await eventually('the caller has ended', () => invocation.callerEndsIn(steadyNow()) === 0);
          await pause(50);
        },
      });
      const limits = { ...planLife(20_000, [15_000]), requests: 42, requestsPerDelivery: 6, messages: 100 };
      invocation.noteCaller(1, steadyNow());
      const report = await drain({
        shards: [{ name: '', store: b.openStore() }],
        pool: '*',
        queues: new Map([['jobs', queue]]),
        env: {},
        budget: openBudget(limits, steadyNow, invocation),
        clock: steadyNow, // the second before its caller has ended is none in which the machine stands still
        concurrency: 5,
        connections: 20,
        batch: 100,
        leaseMs: 30_000,
      });
      expect(report).toMatchObject({ delivered: 1, acked: 1, released: 0, ended: 'budget' });
      acked(b, ids.slice(0, 1));
    });

    test('of which its drain left some to code that enqueues: it goes on with them, also where its handlers end later than that', async () => {
      const b = bench();
      const seen: string[] = [];
      const queue = defineQueue('jobs', {
        subrequests: 6, // beside what is left to the caller there is room for one
        handler: async ({ id }) => {
          seen.push(id);
          await pause(1_200);
        },
      });
      const deployed = deploymentOn(b, [queue], { SLUICE_CONNECTIONS: 20 });
      const producer = deployed.sluice.producer(deployed.env, deployed.context);
      for (const body of [1, 2]) b.alive.add((await producer.enqueue(queue, body)).id);
      await deployed.settled();
      expect(seen).toHaveLength(2);
      acked(b, seen);
    });
    test('is another each time where a producer is kept as long as its process: its drains never run out of subrequests', async () => {
      const b = bench();
      const seen: string[] = [];
      const queue = defineQueue('jobs', { subrequests: 0, handler: ({ id }) => void seen.push(id) });
      const { sluice, env, settled } = deploymentOn(b, [queue], { SLUICE_DRAIN_REQUESTS: 15 });
      const kept: Promise<unknown>[] = [];
      const context = { waitUntil: (work: Promise<unknown>) => void kept.push(work) };
      const [typed, named] = [sluice.producer(env, context), sluice.named(env, context)];
      for (let n = 0; n < 12; n++) {
        const { id } = n % 2 === 0 ? await typed.enqueue(queue, n) : await named.enqueue('jobs', n);
        b.alive.add(id);
        await eventually(`message ${n} is handled`, () => seen.includes(id), SOON_MS);
        await Promise.all(kept);
      }
      await settled();
      acked(b, seen);
    });
  },
  ['redis-server'],
);

test('an invocation is that of its context, where the platform makes one for each; others may be kept', () => {
  class ExecutionContext {
    waitUntil(): void {}
  }
  const context = new ExecutionContext();
  expect(findInvocation(context)).toBe(findInvocation(context));
  expect(findInvocation(new ExecutionContext())).not.toBe(findInvocation(context));
  const own = { waitUntil: () => {} };
  expect(findInvocation(own)).not.toBe(findInvocation(own));
  expect(findInvocation()).not.toBe(findInvocation());
});

test('budgets of one invocation share what it may use, and leave some to code that enqueues until that has ended', () => {
  let now = 0;
  const invocation = new Invocation();
  const limits = { ...planLife(10_000, [15_000]), requests: 45, requestsPerDelivery: 1, messages: 100 };
  const open = () => openBudget(limits, () => now, invocation);
  const [first, second] = [open(), open()];
  expect(first.admit(10)).toBe(true);
  expect([first.deliveriesLeft(), second.deliveriesLeft()]).toEqual([31, 31]);
  expect([first.used().requests, second.used().requests]).toEqual([10, 0]);
  invocation.noteCaller(1, now);
  invocation.requests += 1;
  expect(second.deliveriesLeft()).toBe(1); // 45 less 11 used less 4 of its own less 29 of the caller
  now = 999;
  expect(second.deliveriesLeft()).toBe(1);
  now = 1_000;
  expect(second.deliveriesLeft()).toBe(30);
  invocation.isSpent = true;
  expect([first.isClosing(), second.admit(0)]).toEqual([true, false]);
});
