// Order is the order of arrival, also among messages that share the instant at which they are due, come again or died.
import { expect, test } from 'vitest';
import { newToken } from '../../src/message/ids.ts';
import type { Settlement } from '../../src/store/encode-settlements.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';
import { idOf } from '../support/settling.ts';

const LATER_MS = 3_000;
const failure = { kind: 'failed', text: 'x' } as const;
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

/** Enqueues bodies 0 to 11 and takes them: the lease that others are settled from. */
async function twelve(b: Bench) {
  const ids = await b.enqueue(...numbers(12).map((n) => b.message('mail', n)));
  return { ids, held: await b.take(12, 'first') };
}

const EXPIRED_MS = 60_000;

/** Enqueues twelve messages on whose deaths others follow. Leases take four each, within one millisecond. */
async function takeByThree(b: Bench, { maxAttempts }: { maxAttempts: number }): Promise<string[]> {
  const callbacks = [{ on: 'dead' as const, message: b.message('after', 'follows') }];
  const ids = await b.enqueue(...numbers(12).map((n) => b.message('mail', n, { maxAttempts, callbacks })));
  for (const lease of ['z', 'y', 'x']) {
    expect(await b.take(4, lease)).toHaveLength(4);
    b.now += 0.1;
  }
  return ids;
}

const followOn = ({ now }: Bench, id: string) => `${id}-dead1-${Math.floor(now)}`;

/** All pages of the dead letters of `mail`. */
async function listLetters(b: Bench): Promise<string[]> {
  const listed: string[] = [];
  let cursor = '';
  do {
    const page = await b.adminStore().browse('mail', 'dead', 5, cursor);
    listed.push(...page.messages.map(({ entry }) => idOf(entry)));
    cursor = page.cursor;
  } while (cursor !== '');
  return listed;
}

async function takeLater(b: Bench, afterMs = LATER_MS): Promise<string[]> {
  b.now += afterMs;
  return (await b.take(100, 'later')).map(idOf);
}

onEachRedis('what shares an instant', (bench) => {
  test.each([
    { name: 'a delay', options: () => ({ delayMs: LATER_MS }) },
    { name: 'an instant that is named', options: (b: Bench) => ({ notBefore: b.now + LATER_MS }) },
  ])('a batch with $name comes as it came in, and so does a second one behind it', async ({ options }) => {
    const b = bench();
    const batch = () => b.enqueue(...numbers(120).map((n) => b.message('mail', n, options(b))));
    const ids = await batch();
    b.now += 0.1; // a call later, within the same millisecond
    ids.push(...(await batch()));
    b.now += LATER_MS + 0.9;
    const taken: string[] = [];
    for (let more = true; more; ) {
      const some = (await b.take(100, 'later', { held: taken.length })).map(idOf);
      taken.push(...some);
      more = some.length > 0;
    }
    expect(taken).toEqual(ids);
  });

  test.each(['retry', 'release'] as const)('of what is settled together, each a %s with one delay', async (outcome) => {
    const b = bench();
    const { ids, held } = await twelve(b);
    const settlements = held.map((entry): Settlement => ({ entry, outcome, delayMs: LATER_MS, failure }));
    await b.sync({ lease: 'first', settlements });
    expect(await takeLater(b)).toEqual(ids);
  });

  test('of a group of an ordered queue, one after the other', async () => {
    const b = bench();
    b.deploy({ name: 'mail', pool: '*', policy: 'o' });
    const ids = await b.enqueue(...numbers(12).map((n) => b.message('mail', n, { group: 'g', delayMs: LATER_MS })));
    b.now += LATER_MS;
    const taken: string[] = [];
    for (const _ of ids) {
      const [entry = ''] = await b.take(5, 'one');
      await b.sync({ lease: 'one', settlements: [{ entry, outcome: 'ack' }] });
      taken.push(idOf(entry));
    }
    expect(taken).toEqual(ids);
  });

  test('what died together is listed, and redriven, in its order', async () => {
    const b = bench();
    const { ids, held } = await twelve(b);
    await b.sync({
      lease: 'first',
      settlements: held.map((entry) => ({ entry, outcome: 'dead' as const, failure })),
    });
    const listed = await listLetters(b);
    expect(listed).toEqual(ids);
    await b.adminStore().redrive('mail', listed);
    expect(await takeLater(b)).toEqual(ids);
  });

  test.each([
    ['a sweep', (b: Bench) => b.store.sweep('*')],
    ['a sync of another lease', (b: Bench) => b.take(0, 'other')],
  ])('what leases held that expire together dies in the order in which it was taken, by %s', async (_, comesLate) => {
    const b = bench();
    const ids = await takeByThree(b, { maxAttempts: 1 });
    b.now += EXPIRED_MS;
    await comesLate(b);
    for (const id of ids) b.alive.add(followOn(b, id));
    const { lanes } = await b.shard();
    expect(lanes['5:after']?.toReversed()).toEqual(ids.map((id) => `1.${followOn(b, id)}`));
    const listed = await listLetters(b);
    expect(listed).toEqual(ids);
    await b.adminStore().redrive('mail', listed);
    expect((await takeLater(b)).filter((id) => ids.includes(id))).toEqual(ids);
  });

  test('what dies in one sync is listed in its order: with other leases, settled, and when it should be taken', async () => {
    const b = bench();
    const late = await b.enqueue(...numbers(4).map((n) => b.message('mail', n, { maxAttempts: 1 })));
    await b.take(4, 'other', { leaseMs: 1_000 });
    const failed = await b.enqueue(...numbers(4).map((n) => b.message('mail', n)));
    const held = await b.take(4, 'own');
    const stale = await b.enqueue(...numbers(4).map((n) => b.message('mail', n, { ttlMs: 500 })));
    b.now += 1_000;
    const settlements = held.map((entry): Settlement => ({ entry, outcome: 'dead', failure }));
    await b.sync({ lease: 'own', settlements, want: 4 });
    expect(await listLetters(b)).toEqual([...late, ...failed, ...stale]);
  });

  test('what leases give back that expire together comes in the order in which it was taken', async () => {
    const b = bench();
    const ids = await takeByThree(b, { maxAttempts: 2 });
    const [last = ''] = await b.enqueue(b.message('mail', 'waits'));
    b.now += EXPIRED_MS;
    expect(await takeLater(b)).toEqual([...ids, last]);
  });

  test('what follows on ends that are settled together, done or dead, comes in the order in which these were taken', async () => {
    const b = bench();
    const follows = b.message('after', 'follows');
    const callbacks = [
      { on: 'dead' as const, message: follows },
      { on: 'done' as const, message: follows },
    ];
    await b.enqueue(...numbers(12).map((n) => b.message('mail', n, { callbacks })));
    const held = await b.take(12, 'first');
    const expected: string[] = [];
    const settlements = held.map((entry, n): Settlement => {
      if (n % 2 === 0) expected.push(followOn(b, idOf(entry)));
      if (n % 2 === 0) return { entry, outcome: 'dead', failure };
      const chained = { id: newToken(), ...follows };
      expected.push(`${idOf(entry)}-done2`, chained.id);
      return { entry, outcome: 'ack', chained: [chained], result: 'null' };
    });
    await b.sync({ lease: 'first', settlements: settlements.toReversed() });
    for (const id of expected) b.alive.add(id);
    expect((await b.shard()).lanes['5:after']?.toReversed()).toEqual(expected.map((id) => `1.${id}`));
  });

  test('delayed messages are listed in their order', async () => {
    const b = bench();
    const ids = await b.enqueue(...numbers(30).map((n) => b.message('mail', n, { delayMs: LATER_MS })));
    const { messages } = await b.adminStore().browse('mail', 'delayed', 100, '');
    expect(messages.map(({ entry }) => idOf(entry))).toEqual(ids);
    expect(messages.every(({ at }) => at === b.now + LATER_MS)).toBe(true);
  });

  test('what a handler enqueues with one delay, and what follows on one end', async () => {
    const b = bench();
    const callbacks = numbers(12).map((n) => ({
      on: 'done' as const,
      message: b.message('after', n, { delayMs: LATER_MS }),
    }));
    await b.enqueue(b.message('mail', 1, { callbacks }));
    const [entry = ''] = await b.take(1, 'first');
    const chained = numbers(12).map((n) => ({ id: newToken(), ...b.message('chained', n, { delayMs: LATER_MS }) }));
    await b.sync({ lease: 'first', settlements: [{ entry, outcome: 'ack', chained, result: 'null' }] });
    const callbackIds = numbers(12).map((n) => `${idOf(entry)}-done${n + 1}`);
    for (const id of [...callbackIds, ...chained.map(({ id }) => id)]) {
      b.alive.add(id);
      b.unordered.add(id);
    }
    const taken = await takeLater(b);
    expect(taken.filter((id) => id.includes('-done'))).toEqual(callbackIds);
    expect(taken.filter((id) => !id.includes('-done'))).toEqual(chained.map(({ id }) => id));
  });
});
