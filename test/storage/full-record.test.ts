/**
 * One record is full: it stops what needs it, and nothing else. Other queues are swept and given out, what cannot be put where it
 * belongs is put elsewhere or stays, and it goes on by itself when there is room.
 */
import { beforeEach, expect, test } from 'vitest';
import { StorageError } from '../../src/errors.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';
import { auditAll, deliverAll, idOf } from '../support/settling.ts';

/** From now on nothing fits into keys of these forms. */
function fill({ redises, root }: Bench, ...forms: string[]): void {
  const keys = forms.map((form) => root + form);
  redises.refuse = () => ({ from: 1, times: Number.POSITIVE_INFINITY, keys });
}

const empty = ({ redises }: Bench) => void delete redises.refuse;

const refused = async (call: Promise<unknown>) => {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(StorageError);
  expect(error).toMatchObject({ code: 'refused', reason: 'max single record size exceeded' });
};

const failure = { kind: 'failed', text: 'because' } as const;
const bodies = (taken: { envelope: string }[]) =>
  taken.map(({ envelope }) => JSON.parse(envelope.slice(envelope.indexOf('\n') + 1)).body).toSorted();

/** There is room again: everything comes out once, and nothing is found wrong. @returns what was dead */
async function endWell(b: Bench): Promise<Set<string>> {
  empty(b);
  await b.store.sweep('*', { cursor: '0' });
  for (const deep of [false, true]) expect(await auditAll(b.store, false, deep)).toEqual([]);
  const { given, dead } = await deliverAll(b);
  expect([...given].filter(([, times]) => times > 1)).toEqual([]);
  expect([...b.alive].filter((id) => !dead.has(id))).toEqual([]);
  expect(await auditAll(b.store, false, true)).toEqual([]);
  return dead;
}

/** A message of mail whose lease has expired for the last time, one of news that has lapsed, and others that are due. */
async function setScene(b: Bench) {
  const [last = ''] = await b.enqueue(b.message('mail', 'last', { maxAttempts: 1 }), b.message('news', 'again'));
  await b.take(2, 'crashed');
  const [held = ''] = await b.enqueue(b.message('mail', 'held', { maxAttempts: 1 }), b.message('news', 'held too'));
  await b.take(2, 'a', { leaseMs: 900_000 });
  await b.enqueue(
    b.message('mail', 'due', { delayMs: 1_000 }),
    b.message('news', 'due too', { delayMs: 1_000 }),
    b.message('mail', 'ready'),
    b.message('news', 'ready too'),
  );
  b.now += 30_000;
  return { last, held, heldToo: [...b.alive][3] ?? '' };
}

onEachRedis(
  'one record is full',
  (bench) => {
    beforeEach(() => empty(bench()));

    test('the dead letters of a queue: others are swept and given out, its own are kept among those of no queue', async () => {
      const b = bench();
      const { last, held, heldToo } = await setScene(b);
      fill(b, 'dead:mail');
      await b.store.sweep('*');
      expect(await b.violations()).toEqual([]);
      expect((await b.shard()).dead).toEqual({ '-': { [`1.${last}`]: b.now } });
      const { statuses, taken } = await b.sync({
        held: 0,
        want: 9,
        settlements: [
          { entry: `1.${held}`, outcome: 'dead', failure },
          { entry: `1.${heldToo}`, outcome: 'ack' },
        ],
      });
      expect(statuses).toEqual(['dead', 'acked']);
      expect(bodies(taken)).toEqual(['again', 'due', 'due too', 'ready', 'ready too']);
      expect(await b.violations()).toEqual([]);
      expect(await endWell(b)).toEqual(new Set([last, held]));
    });

    test('the texts of failures: what failed is tried again or dead all the same', async () => {
      const b = bench();
      const { last, held, heldToo } = await setScene(b);
      fill(b, 'failures:*');
      await b.store.sweep('*');
      const settlements = [
        { entry: `1.${held}`, outcome: 'retry' as const, failure },
        { entry: `1.${heldToo}`, outcome: 'retry' as const, delayMs: 1_000, failure },
      ];
      const { statuses, taken } = await b.sync({ want: 9, settlements });
      expect(statuses).toEqual(['dead', 'retried']);
      expect(bodies(taken)).toEqual(['again', 'due', 'due too', 'ready', 'ready too']);
      expect(await b.violations()).toEqual([]);
      expect(await endWell(b)).toEqual(new Set([last, held]));
    });

    test('the timers: what is ready is enqueued, acked and swept; what would have to wait is refused, and nothing is taken that could not lapse', async () => {
      const b = bench();
      const { last, held, heldToo } = await setScene(b);
      fill(b, 'timers');
      await b.enqueue(b.message('mail', 'new'));
      await refused(b.store.enqueue({ messages: [b.message('mail', 'later', { delayMs: 5_000 })], token: 'later' }));
      await b.store.sweep('*');
      expect(await b.violations()).toEqual([]);
      expect(Object.keys((await b.shard()).lanes).toSorted()).toEqual(['5:mail', '5:news']);
      const answer = await b.sync({
        leaseMs: 0,
        settlements: [
          { entry: `1.${heldToo}`, outcome: 'ack' },
          { entry: `1.${held}`, outcome: 'release', delayMs: 1_000 },
        ],
      });
      expect(answer.statuses).toEqual(['acked', 'refused']);
      expect(await b.sync({ lease: 'fresh', want: 9 })).toMatchObject({
        taken: [],
        refused: expect.any(StorageError),
      });
      expect(await b.violations()).toEqual([]);
      expect(await endWell(b)).toEqual(new Set([last, held]));
    });

    test('a lane: other lanes go on, what is due stays in timers and comes when there is room', async () => {
      const b = bench();
      const { last, heldToo } = await setScene(b);
      fill(b, 'lane:5:mail');
      await b.store.sweep('*');
      expect(await b.violations()).toEqual([]);
      expect(Object.keys((await b.shard()).timers).filter((timer) => timer.startsWith('m '))).toHaveLength(1);
      const answer = await b.sync({ want: 9, settlements: [{ entry: `1.${heldToo}`, outcome: 'ack' }], held: 1 });
      expect(answer.statuses).toEqual(['acked']);
      expect(bodies(answer.taken)).toEqual(['again', 'due too', 'ready', 'ready too']);
      expect(await b.violations()).toEqual([]);
      const dead = await endWell(b);
      expect(dead).toContain(last);
    });

    test('what a lane refuses is put off, and does not keep what is due behind it from being seen', async () => {
      const b = bench();
      await b.enqueue(...Array.from({ length: 300 }, (_, i) => b.message('mail', i, { delayMs: 1_000 })));
      await b.enqueue(...Array.from({ length: 20 }, (_, i) => b.message('news', i, { delayMs: 1_001 })));
      b.now += 2_000;
      fill(b, 'lane:5:mail');
      for (let sweeps = 0; sweeps < 4; sweeps++) await b.store.sweep('*');
      expect(await b.violations()).toEqual([]);
      expect((await b.shard()).lanes['5:news']).toHaveLength(20);
      await endWell(b);
    });

    test.each(['stats', 'breakers', 'awake', 'sleeper'])('%s: everything goes on', async (key) => {
      const b = bench();
      b.deploy({ name: 'mail', pool: '*', policy: 'c=5 h=3/30000' }, { name: 'news', pool: '*', policy: '' });
      const { last, held, heldToo } = await setScene(b);
      fill(b, key, `${key}:*`);
      await b.enqueue(b.message('chat', 'new'));
      await b.store.sweep('*');
      const settlements = [
        { entry: `1.${heldToo}`, outcome: 'ack' as const },
        { entry: `1.${held}`, outcome: 'retry' as const, health: 'bad' as const, failure },
      ];
      const { statuses } = await b.sync({ want: 0, settlements });
      expect(statuses).toEqual(['acked', 'dead']);
      const { taken } = await b.sync({ want: 9, drain: { ending: false, sleepMs: 60_000 } });
      expect(bodies(taken)).toEqual(['again', 'due', 'due too', 'new', 'ready', 'ready too']);
      expect(await endWell(b)).toEqual(new Set([last, held]));
    });

    test('the counts of slots: nothing is taken that would not be counted, and what has slots is settled', async () => {
      const b = bench();
      b.deploy({ name: 'mail', pool: '*', policy: 'c=5' });
      const { last, held, heldToo } = await setScene(b);
      fill(b, 'inflight');
      const settlements = [held, heldToo].map((id) => ({ entry: `1.${id}`, outcome: 'ack' as const }));
      expect((await b.sync({ settlements })).statuses).toEqual(['acked', 'acked']);
      const { taken, refused } = await b.sync({ want: 9 });
      expect(bodies(taken).some((body) => ['due', 'ready'].includes(body))).toBe(false);
      expect(refused).toBeInstanceOf(StorageError);
      const understated = (await b.violations()).filter(
        (violation) => !/^I6: mail counts [12] in flight, 0/.test(violation),
      );
      expect(understated).toEqual([]);
      expect(await endWell(b)).toEqual(new Set([last]));
    });

    test('an enqueue whose lane and timers are full fails, its repeat fails as well, and when there is room the next stores it', async () => {
      const b = bench();
      await b.enqueue(b.message('mail', 'old'));
      const before = await b.shard();
      const request = { messages: [b.message('mail', 'a'), b.message('news', 'b')], token: 'token', fingerprint: 'f' };
      fill(b, 'lane:5:mail', 'timers');
      for (const _ of ['first', 'repeat', 'again']) {
        await refused(b.store.enqueue(request));
        expect(await b.shard()).toEqual(before);
      }
      empty(b);
      const stored = await b.store.enqueue(request);
      expect(stored).toMatchObject({ replayed: false, wake: false });
      b.expectAlive(stored.ids, request.messages);
      expect(await b.violations()).toEqual([]);
      expect(await b.store.enqueue(request)).toMatchObject({ replayed: true, ids: stored.ids });
      const { given } = await deliverAll(b);
      expect([...given.keys()].map(idOf).toSorted()).toEqual(
        [...Object.keys(before.envelopes), ...stored.ids].toSorted(),
      );
      expect([...given.values()].every((times) => times === 1)).toBe(true);
    });
  },
  ['the embedded Redis', 'redis-server'],
);
