// The requests of a drain whose queues make few and many: reckoned by the messages at hand, and never more than allowed.
import { expect, test } from 'vitest';
import { openBudget } from '../../src/drain/budget.ts';
import { planLife } from '../../src/drain/life.ts';
import { defineQueue } from '../../src/index.ts';
import { acked, drainFor, engineOn, enqueueNow } from '../regressions/engines.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

const ALLOWED = 45;

/** Two queues, what their handlers may have asked for, and one drain of an engine with the free plan's budget. */
function deployment(b: Bench, heavy: number) {
  const seen: { id: string; queue: string }[] = [];
  const used = { handlers: 0 };
  const queue = (name: string, requests: number) =>
    defineQueue(name, {
      subrequests: requests,
      handler: ({ id }) => {
        seen.push({ id, queue: name });
        used.handlers += requests;
      },
    });
  const engine = engineOn(b, [queue('light', 1), queue('heavy', heavy)]);
  const drainOnce = async () => {
    const before = b.redises.emulator.requests();
    used.handlers = 0;
    const report = await drainFor(engine, 20_000);
    const requests = b.redises.emulator.requests() - before + used.handlers;
    expect(report.requests).toBe(requests);
    expect(requests).toBeLessThanOrEqual(ALLOWED);
    acked(
      b,
      seen.map(({ id }) => id),
    );
    return report;
  };
  return { seen, drainOnce };
}

onEachRedis(
  'the requests of a drain',
  (bench) => {
    test('a queue whose deliveries make many takes nothing from drains that deliver others', async () => {
      const b = bench();
      const { drainOnce } = deployment(b, 9);
      const messages = Array.from({ length: 60 }, (_, i) => b.message('light', i));
      await enqueueNow(b, ...messages);
      const { delivered, ended } = await drainOnce();
      console.info(`of ${ALLOWED} requests, beside a queue that may make 9: ${delivered} deliveries that make one`);
      expect(delivered).toBeGreaterThanOrEqual(33);
      expect(ended).toBe('budget');
    });

    test.each([2, 9, 33])('mixed with deliveries that make %i they are never more than allowed', async (heavy) => {
      const b = bench();
      const { seen, drainOnce } = deployment(b, heavy);
      const messages = Array.from({ length: 24 }, (_, i) => b.message(i % 3 === 0 ? 'heavy' : 'light', i));
      const { ids } = await enqueueNow(b, ...messages);
      for (const id of ids) b.unordered.add(id); // lanes take turns
      let drains = 0;
      while (b.alive.size > 0 && drains < 20) {
        await drainOnce();
        drains += 1;
        expect((await b.shard()).leases).toEqual({});
      }
      expect(new Set(seen.map(({ id }) => id))).toEqual(new Set(ids));
      expect(seen).toHaveLength(ids.length); // what did not fit went back untouched, and came once
    });

    test('what does not fit any more is not overtaken by what is less urgent, and comes first in the next drain', async () => {
      const b = bench();
      const { seen, drainOnce } = deployment(b, 21);
      const many = [0, 1, 2].map((i) => b.message('heavy', i, { priority: 1, maxAttempts: 1 }));
      await enqueueNow(b, ...many, ...[0, 1, 2].map((i) => b.message('light', i, { priority: 9, maxAttempts: 1 })));
      expect(await drainOnce()).toMatchObject({ delivered: 1, acked: 1, dead: 0, ended: 'budget' });
      expect(seen.map(({ queue }) => queue)).toEqual(['heavy']);
      await drainOnce();
      await drainOnce();
      expect(seen.map(({ queue }) => queue)).toEqual(['heavy', 'heavy', 'heavy', 'light', 'light', 'light']);
    });
  },
  ['redis-server'],
);

test('a budget counts what fits, and is closed by the first delivery that does not', () => {
  const budget = openBudget(
    { ...planLife(10_000, [15_000]), requests: 20, requestsPerDelivery: 2, messages: 5 },
    () => 0,
  );
  expect(budget.deliveriesLeft()).toBe(5);
  expect(budget.deliveriesLeft([9])).toBe(3); // 20 less 4 of its own less 9, by two
  expect(budget.admit(9)).toBe(true);
  budget.onRequest();
  expect(budget.deliveriesLeft()).toBe(3);
  expect([budget.afford(7), budget.isClosing()]).toEqual([false, false]); // what can be left undone closes nothing
  expect([budget.afford(2), budget.deliveriesLeft()]).toEqual([true, 2]);
  expect(budget.admit(5)).toBe(false);
  expect(budget.isClosing()).toBe(true);
  expect(budget.admit(1)).toBe(false);
  expect(budget.used()).toEqual({ requests: 12, messages: 1, ms: 0 });
});
