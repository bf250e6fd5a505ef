// What comes while a drain is at work: it looks again in a moment, and says so only where that is true.
import { expect, test } from 'vitest';
import { type Limits, openBudget } from '../../src/drain/budget.ts';
import { planLife } from '../../src/drain/life.ts';
import { drain } from '../../src/drain/loop.ts';
import type { DrainOptions } from '../../src/drain/report.ts';
import { defineQueue, type QueueOptions } from '../../src/index.ts';
import { sleep } from '../../src/runtime/sleep.ts';
import type { SyncRequest } from '../../src/store/sync.ts';
import { type Bench, onEachRedisAtOnce } from '../support/bench.ts';
import { eventually } from '../support/worker.ts';

const PLENTY: Limits = { ...planLife(20_000, [15_000]), requests: 9_000, requestsPerDelivery: 1, messages: 1_000_000 };

/** A drain of an enqueue that has set `awake`, with handlers that end when they are let. */
async function begin(b: Bench, count: number, options: Partial<DrainOptions> = {}, limits: Partial<Limits> = {}) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const seen: string[] = [];
  const handler: QueueOptions['handler'] = async ({ id }) => {
    seen.push(id);
    await promise;
  };
  const work = defineQueue('work', { handler });
  const opened = b.openStore();
  const syncs: SyncRequest[] = [];
  let answers = 0;
  const store: typeof opened = {
    ...opened,
    async sync(request) {
      syncs.push(request);
      const answer = await opened.sync(request);
      answers += 1;
      return answer;
    },
  };
  const enqueue = async (many: number) => {
    const messages = Array.from({ length: many }, (_, i) => b.message('work', i));
    const { ids, wake } = await opened.enqueue({ messages });
    b.expectAlive(ids, messages);
    return { ids, wake };
  };
  await enqueue(count);
  const drained = drain({
    shards: [{ name: '', store }],
    pool: '*',
    queues: new Map([[work.name, work]]),
    env: {},
    budget: openBudget({ ...PLENTY, ...limits }, Date.now),
    concurrency: 5,
    connections: 5,
    batch: 100,
    leaseMs: 30_000,
    ...options,
  });
  const looked = (times: number) => eventually('it looks', () => answers >= times);
  const end = async () => {
    resolve();
    const report = await drained;
    for (const id of seen) b.alive.delete(id);
    return report;
  };
  return { syncs, looked, enqueue, seen, end, resolve };
}

const awake = (b: Bench) => b.redises.raw.get(`${b.root}awake`);

onEachRedisAtOnce('a drain that has taken less than it wanted', (own) => {
  test('looks once more where its handler takes long, and not again: from then on new work wakes another', () =>
    own(async (b) => {
      const { syncs, looked, enqueue, seen, end } = await begin(b, 1);
      await looked(2);
      expect(await awake(b)).toBeNull();
      await sleep(120); // several times as long as until that look
      expect(syncs.map(({ want }) => want > 0)).toEqual([true, true]);
      expect((await enqueue(1)).wake).toBe(true);
      await end();
      expect([syncs.length, seen.length]).toEqual([4, 2]); // that settled the one, and found the other
    }));

  test('takes with that look what came meanwhile, which wakes nobody, and looks again', () =>
    own(async (b) => {
      const begunAt = Date.now();
      let isHeld = true; // its moment is not over before something has come, however slow the machine is
      const clock = () => (isHeld ? begunAt : Date.now());
      const { looked, enqueue, seen, end } = await begin(b, 1, { clock });
      await looked(1);
      expect((await enqueue(1)).wake).toBe(false);
      isHeld = false;
      await eventually('it has both', () => seen.length === 2);
      await looked(3);
      await end();
      expect(await awake(b)).toBeNull();
    }));

  test.each<[string, number, Partial<DrainOptions>, Partial<Limits>]>([
    ['a handler stays free', 4, {}, {}],
    ['all handlers are busy with what it took', 0, { concurrency: 1 }, {}],
    ['it lives too short for others that would be woken', 0, { needsMs: 600_000 }, {}],
    ['it takes nothing in a moment', 0, {}, { takesMs: 200 }],
    ['its subrequests are nearly over', 3, {}, { requests: 9 }],
  ])('says how many it keeps awake for: %s', (_, keeps, options, limits) =>
    own(async (b) => {
      const { syncs, looked, end } = await begin(b, 1, options, limits);
      await looked(1);
      expect(syncs[0]?.drain?.keeps).toBe(keeps);
      await end();
    }),
  );

  test('and is too busy to look after all, says so whoever else has said it lately', () =>
    own(async (b) => {
      await b.redises.raw.set(`${b.root}busy`, 'others');
      const { looked, end } = await begin(b, 3, { connections: 2 });
      await looked(1);
      await eventually('it says so', async () => (await awake(b)) === null);
      await end();
    }));

  test('but more than lets a handler be free lets others be woken, and does not meddle with that when it settles', () =>
    own(async (b) => {
      const { syncs, looked, end } = await begin(b, 2, { concurrency: 2 });
      await looked(1);
      expect(await awake(b)).toBeNull();
      await b.redises.raw.set(`${b.root}awake`, 'another');
      await end();
      expect(syncs.map(({ drain: by }) => by?.keeps)).toEqual([1, -1]);
      expect(await awake(b)).toBe('another');
    }));
});
