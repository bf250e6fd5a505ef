// Consumers that come back after their lease expired, and sweeps that meet them: every order of the calls.
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/store/encode-settlements.ts';
import type { SyncAnswer } from '../../src/store/sync.ts';
import { Bench, onEachRedis } from '../support/bench.ts';
import { deliverAll, idOf } from '../support/settling.ts';

const LEASE_MS = 30_000;

/** What happens once A's lease is over. A sweep of nobody leaves it A's. */
const lapses: [string, (b: Bench) => Promise<unknown>][] = [
  ['no sweep', async () => {}],
  ['a sweep', (b) => b.store.sweep('*')],
  ['another sync', (b) => b.sync({ lease: 'passing', want: 0 })],
  ['two sweeps at once', (b) => Promise.all([b.store.sweep('*'), b.store.sweep('*')])],
  ['a sweep and a sync at once', (b) => Promise.all([b.store.sweep('*'), b.sync({ lease: 'passing' })])],
];

const settleB = async (b: Bench, outcome: Outcome) => {
  const [entry = ''] = await b.take(1, 'B');
  await b.sync({ lease: 'B', settlements: [{ entry, outcome, delayMs: 1_000 }] });
};

const others: [string, (b: Bench) => Promise<unknown>][] = [
  ['B does nothing', async () => {}],
  ['B takes it', (b) => b.take(1, 'B')],
  ['B takes and acks it', (b) => settleB(b, 'ack')],
  ['B takes and retries it', (b) => settleB(b, 'retry')],
  ['B takes and dead-letters it', (b) => settleB(b, 'dead')],
  [
    'B takes it and dies',
    async (b) => {
      await b.take(1, 'B');
      b.now += LEASE_MS;
      await b.store.sweep('*');
    },
  ],
];

const returns: [string, (b: Bench, entry: string) => Promise<SyncAnswer>][] = [
  ...(['ack', 'retry', 'dead', 'release'] as const).map(
    (outcome): [string, (b: Bench, entry: string) => Promise<SyncAnswer>] => [
      outcome,
      (b, entry) =>
        b.sync({
          lease: 'A',
          settlements: [{ entry, outcome, delayMs: 500, failure: { kind: 'failed', text: 'late' } }],
        }),
    ],
  ),
  ['extend', (b) => b.sync({ lease: 'A', held: 1 })],
];

onEachRedis(
  'a consumer that comes back',
  (bench) => {
    let counted = 0;
    for (const [lapse, lapses_] of lapses) {
      test(`SC1 Fence, SC2 No resurrection, SC4 Extension is fenced too, SW1 Against an ack: its lease expired, ${lapse}, whatever B did and A does`, async () => {
        for (const [other, does] of others) {
          for (const [late, comesBack] of returns) {
            const story = `${lapse}, ${other}, then A: ${late}`;
            const b = new Bench(bench().redises);
            const [id = ''] = await b.enqueue(b.message('mail', 1));
            const [entry = ''] = await b.take(1, 'A');
            b.now += LEASE_MS;
            await lapses_(b);
            // Before any sweep B's sync is the first to see that the lease is over.
            await does(b);
            const fired = !(await b.shard()).leases.A;
            const before = await b.shard();
            const answer = await comesBack(b, entry);
            if (fired) {
              expect(await b.shard(), story).toEqual(before);
              expect(told(answer), story).toBe(late === 'extend' ? 'lost' : before.envelopes[id] ? 'stale' : 'gone');
            } else {
              expect([lapse, other], story).toEqual(['no sweep', 'B does nothing']);
              expect(told(answer), story).not.toMatch(/lost|stale|gone/);
            }
            expect(await b.violations(), story).toEqual([]);
            const { given, acked, dead } = await deliverAll(b);
            expect(
              [...given.values()].every((times) => times === 1),
              story,
            ).toBe(true);
            for (const left of b.alive) expect(dead, story).toContain(left);
            expect(acked.size, story).toBeLessThanOrEqual(1);
            expect(await b.violations(), story).toEqual([]);
            counted += 1;
          }
        }
        console.log(`SC1: ${counted} interleavings so far`);
      });
    }

    const told = ({ lost, statuses }: SyncAnswer) => (lost ? 'lost' : statuses.join());

    test('SC5 Busy consumer: blocked for three leases, its first ack is refused, and the history shows the lapse', async () => {
      const b = bench();
      const [id = ''] = await b.enqueue(b.message('mail', 1));
      const [entry = ''] = await b.take(1, 'A');
      for (const attempt of [2, 3]) {
        b.now += LEASE_MS;
        expect(await b.take(1, `B${attempt}`)).toEqual([`${attempt}.${id}`]);
      }
      expect((await b.sync({ lease: 'A', settlements: [{ entry, outcome: 'ack' }] })).statuses).toEqual(['stale']);
      const history = (await b.shard()).failures[id]?.split('\n').map((line) => line.split(' ').slice(0, 3));
      expect(history?.map(([attempt, , kind]) => [attempt, kind])).toEqual([
        ['1', 'lease_expired'],
        ['2', 'lease_expired'],
      ]);
      const settlements = [{ entry: `3.${id}`, outcome: 'ack' as const }];
      expect((await b.sync({ lease: 'B3', settlements })).statuses).toEqual(['acked']);
    });

    test('SW1 Against an ack: sweeps and late acks of the same leases at once: each entry goes one way only', async () => {
      const b = bench();
      const ids = await b.enqueue(...Array.from({ length: 200 }, (_, n) => b.message('mail', n)));
      const held = await Promise.all(Array.from({ length: 40 }, (_, i) => b.take(5, `lease${i}`)));
      b.now += LEASE_MS;
      const acks = held.map((entries, i) =>
        b.sync({ lease: `lease${i}`, settlements: entries.map((entry) => ({ entry, outcome: 'ack' as const })) }),
      );
      const sweeps = Array.from({ length: 20 }, () => b.store.sweep('*', { limit: 20 }));
      const [answers, swept] = await Promise.all([Promise.all(acks), Promise.all(sweeps)]);
      const acked = answers.flatMap(({ statuses }) => statuses).filter((status) => status === 'acked').length;
      const requeued = swept.reduce((sum, step) => sum + step.requeued, 0);
      expect(answers.flatMap(({ statuses }) => statuses).every((status) => /acked|stale/.test(status))).toBe(true);
      const { given } = await deliverAll(b);
      expect(acked + given.size).toBe(ids.length);
      expect(requeued).toBeLessThanOrEqual(given.size);
    });

    test('SW2 Twenty at once: sweeps and syncs of others together requeue each entry once, one attempt later', async () => {
      const b = bench();
      const ids = await b.enqueue(...Array.from({ length: 1_000 }, (_, n) => b.message('mail', n)));
      for (let i = 0; i < 20; i++) await b.take(50, `lease${i}`);
      b.now += LEASE_MS;
      await Promise.all(
        Array.from({ length: 20 }, (_, i) => (i % 2 ? b.store.sweep('*', { limit: 100 }) : b.sync({ lease: `p${i}` }))),
      );
      while ((await b.store.sweep('*')).fired > 0);
      expect((await b.shard()).lanes['5:mail']?.toSorted()).toEqual(ids.map((id) => `2.${id}`).toSorted());
    });

    test('CR2 Poison: a message that kills its consumer each time is a dead letter after its attempts, its neighbours wait no longer than that', async () => {
      const b = bench();
      const [poison = ''] = await b.enqueue(b.message('mail', 'poison', { maxAttempts: 4 }));
      const neighbours = await b.enqueue(...Array.from({ length: 30 }, (_, n) => b.message('mail', n)));
      const delivered = new Map<string, number>();
      let crashes = 0;
      for (let consumer = 0; b.alive.size > 1; consumer += 1) {
        for (let more = true; more; ) {
          const entries = await b.take(5, `c${consumer}`);
          more = entries.length > 0 && !entries.some((entry) => idOf(entry) === poison);
          if (!more && entries.length > 0) crashes += 1; // what it took with the poison lapses with it
          const settlements = more ? entries.map((entry) => ({ entry, outcome: 'ack' as const })) : [];
          if (more) await b.sync({ lease: `c${consumer}`, settlements });
          for (const entry of more ? entries : []) delivered.set(idOf(entry), Number(entry.split('.')[0]));
        }
        b.now += LEASE_MS;
      }
      expect(crashes).toBe(4);
      expect(new Set(delivered.keys())).toEqual(new Set(neighbours));
      expect(Math.max(...delivered.values())).toBeLessThanOrEqual(5);
      const { dead, failures } = await b.shard();
      expect(Object.keys(dead.mail ?? {})).toEqual([`4.${poison}`]);
      expect(failures[poison]?.split('\n').map((line) => line.split(' ')[2])).toEqual(Array(4).fill('lease_expired'));
    });

    test('SC6 Acks that all fail: every lease expires, the message goes out again, and its last lapse is a dead letter', async () => {
      const b = bench();
      const [id = ''] = await b.enqueue(b.message('mail', 1, { maxAttempts: 3 }));
      const given: string[] = [];
      for (let i = 0; i < 5; i++) {
        given.push(...(await b.take(1, `deaf${i}`)));
        b.now += LEASE_MS;
        await b.store.sweep('*');
      }
      expect(given).toEqual([`1.${id}`, `2.${id}`, `3.${id}`]);
      const { leases, timers, dead } = await b.shard();
      expect({ leases, timers, dead: Object.keys(dead.mail ?? {}) }).toEqual({
        leases: {},
        timers: {},
        dead: [`3.${id}`],
      });
    });
  },
  ['redis-server'],
);

describe('the count', () => {
  test('covers every lapse, every B and every return of A', () => {
    expect(lapses.length * others.length * returns.length).toBe(150);
  });
});
