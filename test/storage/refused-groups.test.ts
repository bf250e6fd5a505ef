// Storage that refuses to let a lane back that waited for its group: whoever sweeps next, and whatever queues he knows, finds it.
import { expect, test } from 'vitest';
import { type Bench, onEachRedis } from '../support/bench.ts';

/** So many keys that a page of all of them has little else. */
const FILLERS = 1_000;

/** A page of the keys that does not have this one. */
async function pageWithout({ redises: { raw }, root }: Bench, name: string): Promise<string> {
  await Promise.all(Array.from({ length: FILLERS }, (_, i) => raw.set(`${root}req:filler${i}`, 'x')));
  let cursor = '0';
  for (;;) {
    const [next, keys] = await raw.scan(cursor, 'MATCH', `${root.replace(/[{}]/g, '\\$&')}*`, 'COUNT', 100);
    if (!keys.includes(root + name)) return cursor;
    cursor = next;
  }
}

/** The first of its group is out, and the second waits for that in `blocked`. Returns the entry of the first. */
async function oneWaits(b: Bench, policy: string, maxAttempts = 5): Promise<string> {
  b.deploy({ name: 'mail', pool: '*', policy });
  await b.enqueue(b.message('mail', 1, { group: 'g', maxAttempts }), b.message('mail', 2, { group: 'g' }));
  const [first = ''] = await b.take(1, 'a');
  expect(await b.take(1, 'b')).toEqual([]);
  expect((await b.shard()).blocked.mail).toEqual(['5:mail/g']);
  return first;
}

type Ended = (b: Bench, first: string) => Promise<unknown>;

const failed = { failure: { kind: 'failed', text: 'x' } } as const;
const idOf = (entry: string) => entry.slice(entry.indexOf('.') + 1);

/** It waits for its next attempt, and its group with it. */
async function waitsAgain(b: Bench, first: string): Promise<void> {
  await b.sync({ lease: 'a', held: 1, settlements: [{ entry: first, outcome: 'retry', delayMs: 60_000, ...failed }] });
}

const ends: [how: string, policy: string, end: Ended][] = [
  ['acked', 'o', (b, entry) => b.sync({ lease: 'a', held: 1, settlements: [{ entry, outcome: 'ack' }] })],
  [
    'acked where a group has two',
    'gc=1',
    (b, entry) => b.sync({ lease: 'a', held: 1, settlements: [{ entry, outcome: 'ack' }] }),
  ],
  ['dead', 'o', (b, entry) => b.sync({ lease: 'a', held: 1, settlements: [{ entry, outcome: 'dead', ...failed }] })],
  [
    'dead when its lease lapses',
    'o',
    (b) => {
      b.now += 60_000;
      return b.store.sweep('*');
    },
  ],
];

const waiting: typeof ends = [
  ['cancelled', 'o', (b, entry) => b.adminStore().cancel(idOf(entry))],
  ['purged', 'o', (b) => b.adminStore().purge('mail', ['delayed'], '0')],
];

onEachRedis(
  'a lane that may not come back when the one of its group is',
  (bench) => {
    async function whileRefused(b: Bench, work: () => Promise<unknown>): Promise<void> {
      b.redises.refuse = () => ({ from: 1, times: Number.POSITIVE_INFINITY, keys: [`${b.root}ready:*`] });
      await work();
      delete b.redises.refuse;
      expect((await b.shard()).blocked.mail).toEqual(['5:mail/g']);
    }

    async function findsItsWay(b: Bench, end: () => Promise<unknown>): Promise<void> {
      await whileRefused(b, end);
      const cursor = await pageWithout(b, 'blocked:mail');
      const { findings } = await b.openStore(() => b.now).sweep('*', { cursor }); // who knows no queues
      expect(findings.map(({ finding, name }) => `${finding} ${name}`)).toEqual([
        'count-without-slots mail/g',
        'blocked-lane 5:mail/g',
      ]);
      expect(await b.take(1, 'c')).toHaveLength(1);
    }

    test.each(ends)('%s', async (how, policy, end) => {
      const b = bench();
      const first = await oneWaits(b, policy, how.includes('lapses') ? 1 : 5);
      await findsItsWay(b, () => end(b, first));
    });

    test.each(waiting)('%s while it waits for its next attempt', async (_, policy, end) => {
      const b = bench();
      const first = await oneWaits(b, policy);
      await waitsAgain(b, first);
      await findsItsWay(b, () => end(b, first));
      b.alive.delete(idOf(first));
    });

    test('when the next period of its group begins: its timer stays, and looks again in a minute', async () => {
      const b = bench();
      const entry = await oneWaits(b, 'gr=1/1000');
      await b.sync({ lease: 'a', held: 1, settlements: [{ entry, outcome: 'ack' }] }); // which frees no slot
      b.now += 1_000;
      await whileRefused(b, () => b.store.sweep('*'));
      b.now += 60_000;
      expect((await b.store.sweep('*')).fired).toBe(1);
      expect(await b.take(1, 'c')).toHaveLength(1);
    });
  },
  ['the embedded Redis', 'redis-server'],
);
