// A destination that fails again and again is left alone for a while, then tried with one message; the others go on.
import { expect, test } from 'vitest';
import type { Settlement } from '../../src/store/encode-settlements.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

const OPEN_MS = 30_000;
const byGroup = { name: 'mail', pool: '*', policy: `gh=3/${OPEN_MS}` };

/** Takes what there is and answers for each: bad ones are tried again at once. */
async function deliver(b: Bench, health: 'good' | 'bad', lease = 'a') {
  const { taken } = await b.sync({ lease, want: 20 });
  const settlements = taken.map(
    ({ entry }): Settlement =>
      health === 'good'
        ? { entry, outcome: 'ack', health }
        : { entry, outcome: 'retry', delayMs: 0, health, failure: { kind: 'failed', text: '503' } },
  );
  const { transitions } = await b.sync({ lease, settlements });
  return { count: taken.length, transitions };
}

const send = (b: Bench, group: string, count: number) =>
  b.enqueue(...Array.from({ length: count }, (_, i) => b.message('mail', i, { group, maxAttempts: 100 })));

onEachRedis('a circuit breaker', (bench) => {
  test('opens after so many failures in a row, and says so; no message is given out meanwhile, and none loses an attempt', async () => {
    const b = bench();
    b.deploy(byGroup);
    await send(b, 'dead', 3);
    expect(await deliver(b, 'bad')).toEqual({
      count: 3,
      transitions: [{ name: 'mail/dead', openUntil: b.now + OPEN_MS }],
    });
    const dead = { queue: 'mail', group: 'dead', failures: 3, until: b.now + OPEN_MS };
    expect((await b.adminStore().breakers('0')).breakers).toEqual([{ ...dead, state: 'open' }]);
    b.now += OPEN_MS - 1;
    await b.store.sweep('*');
    expect(await b.take(9, 'y')).toEqual([]);
    b.now += 1;
    expect((await b.adminStore().breakers('0')).breakers).toEqual([{ ...dead, state: 'probing' }]);
  });

  test('a success in between begins the count anew', async () => {
    const b = bench();
    b.deploy(byGroup);
    for (let i = 0; i < 4; i++) {
      await send(b, 'shaky', 1);
      expect((await deliver(b, 'bad')).transitions).toEqual([]);
      expect((await deliver(b, 'good')).transitions).toEqual([]);
    }
    expect((await b.shard()).rest).not.toHaveProperty('breakers');
  });

  test('leaves the other destinations alone', async () => {
    const b = bench();
    b.deploy(byGroup);
    await send(b, 'dead', 3);
    await deliver(b, 'bad');
    await send(b, 'fine', 5);
    expect((await deliver(b, 'good', 'y')).count).toBe(5);
  });

  test('tries one message when its time is over: a success closes it, and all the others come', async () => {
    const b = bench();
    b.deploy(byGroup);
    await send(b, 'dead', 6);
    await deliver(b, 'bad');
    b.now += OPEN_MS;
    const [probe = ''] = await b.take(9, 'y');
    expect(await b.take(9, 'z')).toEqual([]);
    const { transitions, taken } = await b.sync({
      lease: 'y',
      held: 0,
      want: 9,
      settlements: [{ entry: probe, outcome: 'ack', health: 'good' }],
    });
    expect(transitions).toEqual([{ name: 'mail/dead' }]);
    expect(taken).toHaveLength(5);
  });

  test('a try that fails opens it again, for twice as long', async () => {
    const b = bench();
    b.deploy(byGroup);
    await send(b, 'dead', 3);
    await deliver(b, 'bad');
    for (const times of [2, 4, 8, 16, 32, 32]) {
      b.now = (await b.sync({})).nextDue ?? 0;
      const { count, transitions } = await deliver(b, 'bad');
      expect({ count, transitions }).toEqual({
        count: 1,
        transitions: [{ name: 'mail/dead', openUntil: b.now + times * OPEN_MS }],
      });
    }
  });

  test('a try whose consumer crashes is followed by another', async () => {
    const b = bench();
    b.deploy(byGroup);
    await send(b, 'dead', 3);
    await deliver(b, 'bad');
    b.now += OPEN_MS;
    expect(await b.take(9, 'crashes', { leaseMs: 1_000 })).toHaveLength(1);
    b.now += 1_000;
    await b.store.sweep('*');
    expect(await b.take(9, 'y')).toHaveLength(1);
  });

  test('of a whole queue holds all its lanes, also those that waited for a limit', async () => {
    const b = bench();
    b.deploy({ name: 'mail', pool: '*', policy: `c=2 h=2/${OPEN_MS}` });
    for (const group of ['a', 'b', 'c', 'd']) await send(b, group, 1);
    expect((await deliver(b, 'bad')).transitions).toHaveLength(1);
    expect(await b.take(9, 'y')).toEqual([]);
    b.now += OPEN_MS;
    expect(await b.take(9, 'y')).toHaveLength(1);
  });

  test('counts what is settled only for those who hold it', async () => {
    const b = bench();
    b.deploy(byGroup);
    await send(b, 'slow', 1);
    const [entry = ''] = await b.take(1, 'late', { leaseMs: 1_000 });
    b.now += 1_000;
    await b.store.sweep('*');
    for (let i = 0; i < 5; i++) {
      const { statuses, transitions } = await b.sync({
        lease: 'late',
        settlements: [{ entry, outcome: 'retry', health: 'bad' }],
      });
      expect([statuses, transitions]).toEqual([['stale'], []]);
    }
  });
});
