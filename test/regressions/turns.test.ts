// What two deployments by turns have shown of syncs, each as the shortest story in which it happens.
import { expect, test } from 'vitest';
import { encodeLimitedQueues } from '../../src/queue/limits.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { REAL, sizedRunner } from '../model/small.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

const storeWith = (b: Bench, policies: Record<string, string>, answerBytes = REAL.answerBytes): Store =>
  openStore(
    b.opened(sizedRunner(b.runner(), { ...REAL, answerBytes }), () => b.now),
    {
      policies: encodeLimitedQueues(Object.entries(policies).map(([name, policy]) => ({ name, pool: '*', policy }))),
    },
  );

const asking = (want: number) => ({
  lease: 'a',
  leaseMs: 30_000,
  held: 0,
  want,
  pools: ['*'],
  settlements: [],
  drain: { ending: false, sleepMs: 0 },
});

const take = async (store: Store, want: number) => {
  const answer = await store.sync(asking(want));
  return { ...answer, taken: answer.taken.map(({ entry }) => entry) };
};

const ackAll = async (b: Bench, store: Store, entries: string[]) => {
  const settlements = entries.map((entry) => ({ entry, outcome: 'ack' as const }));
  expect((await store.sync({ ...asking(0), settlements })).statuses).toEqual(entries.map(() => 'acked'));
  for (const entry of entries) b.alive.delete(entry.slice(2));
};

onEachRedis('a sync', (bench) => {
  test('that empties a lane into which something follows on a death of the same call: that is there', async () => {
    const b = bench();
    const callback = b.message('news', 'follows', { group: 'h', priority: 0 });
    const [expired = ''] = await b.enqueue(
      b.message('mail', 'expires', { ttlMs: 600, callbacks: [{ on: 'dead', message: callback }] }),
    );
    const [last = ''] = await b.enqueue(b.message('news', 'last of its lane', { group: 'h', priority: 0 }));
    b.now += 1_000;
    b.alive.add(`${expired}-dead1-${b.now}`);
    expect((await take(b.store, 5)).taken).toEqual([`1.${last}`]);
    await ackAll(b, b.store, [`1.${last}`]);
    expect((await take(b.store, 5)).taken).toEqual([`1.${expired}-dead1-${b.now}`]);
  });

  test('that buries what a limit lets it take, and fills its answer: the lane can be found again', async () => {
    const b = bench();
    await b.enqueue(...Array.from({ length: 6 }, (_, n) => b.message('mail', n, { ttlMs: 600 })));
    b.now += 1_000;
    const store = storeWith(b, { mail: 'r=2/1000 h=1/1000' }, 250);
    await take(store, 5);
    expect(await b.violations()).toEqual([]);
  });

  test('that serves a lane which waited too long, and then finds no room for more of it: it stands in one place', async () => {
    const b = bench();
    const store = storeWith(b, { news: 'gc=1 a=500' });
    await b.enqueue(b.message('news', 1), b.message('news', 2));
    await b.enqueue(b.message('news', 'expires', { group: 'g', ttlMs: 600 }));
    b.now += 10_000;
    await store.sweep('*');
    expect((await take(store, 2)).taken).toHaveLength(1);
    expect(await b.violations()).toEqual([]);
  });

  test('whose last answer was lost, and what that had was cancelled: it takes others, or says that there are', async () => {
    const b = bench();
    const [cancelled = ''] = await b.enqueue(b.message('mail', 1));
    await b.take(1);
    const [waits] = await b.enqueue(b.message('mail', 2));
    await b.adminStore().cancel(cancelled);
    b.alive.delete(cancelled);
    const { taken, unseen } = await take(b.store, 1);
    expect([taken, unseen]).toEqual(unseen ? [[], true] : [[`1.${waits}`], false]);
  });
});

onEachRedis('a limit that one of two deployments has', (bench) => {
  test.each([
    ['of a queue', 'c=1', ['g', 'h', 'i']],
    ['of a group', 'gc=1', ['g', 'g', 'g']],
    ['that operators cannot see: a breaker', 'h=1/1000', ['g', 'h', 'i']],
  ])('%s strands nothing: by turns all comes out', async (_, policy, groups) => {
    const b = bench();
    const ids = await b.enqueue(...groups.map((group) => b.message('mail', group, { group })));
    const stores = [storeWith(b, { mail: policy }), storeWith(b, {})] as const;
    const given: string[] = [];
    for (let turn = 0; turn < 12; turn++) {
      const store = stores[turn % 2] as Store;
      await store.sweep('*');
      const { taken } = await take(store, 5);
      await ackAll(b, store, taken);
      given.push(...taken);
      const { timers } = await b.shard();
      if (taken.length === 0) b.now = Math.max(b.now + 1, ...Object.values(timers));
    }
    expect(given.toSorted()).toEqual(ids.map((id) => `1.${id}`).toSorted());
  });
});
