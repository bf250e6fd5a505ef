// A time to live: a message that nobody got in time is a dead letter. Once it was given out, or redriven, it does not expire.
import { expect, test } from 'vitest';
import type { PreparedMessage } from '../../src/message/envelope.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

/** A message that lives for half a second. */
const mortal = (b: Bench, rest: Partial<PreparedMessage> = {}) =>
  b.message('mail', 1, { ttlMs: 500, callbacks: [{ on: 'dead', message: b.message('support', 'it died') }], ...rest });

/** Callbacks get their ids from storage: they are put on the books when they are there. */
async function callbacksOf(b: Bench, id: string): Promise<string[]> {
  const callbacks = Object.keys((await b.shard()).envelopes).filter((key) => key.startsWith(`${id}-`));
  for (const callback of callbacks) b.alive.add(callback);
  return callbacks;
}

onEachRedis('a time to live', (bench) => {
  test('ends a message that nobody got in time, and what follows on its death is stored once', async () => {
    const b = bench();
    const [id = ''] = await b.enqueue(mortal(b));
    b.now += 500;
    await b.take(1);
    expect(Object.keys((await b.shard()).dead.mail ?? {})).toEqual([`1.${id}`]);
    expect(await callbacksOf(b, id)).toHaveLength(1);
  });

  test('does not end one that was redriven: it is given out, and nothing follows anew', async () => {
    const b = bench();
    const [id = ''] = await b.enqueue(mortal(b));
    b.now += 500;
    await b.take(1);
    await callbacksOf(b, id);
    b.now += 60_000;
    expect(await b.adminStore().redrive('mail', [id])).toEqual(['redriven']);
    expect(await b.take(9, 'r')).toContain(`1r.${id}`);
    expect(await callbacksOf(b, id)).toHaveLength(1);
    b.unordered.add(id);
  });

  test('does not end a retry: its first delivery was in time', async () => {
    const b = bench();
    const [id = ''] = await b.enqueue(mortal(b));
    const [entry = ''] = await b.take(1);
    await b.sync({ settlements: [{ entry, outcome: 'retry', delayMs: 500 }] });
    b.now += 500;
    expect(await b.take(1, 'r')).toEqual([`2.${id}`]);
  });

  test('does not end what a expired lease gives back', async () => {
    const b = bench();
    const [id = ''] = await b.enqueue(mortal(b));
    await b.take(1, 'a', { leaseMs: 1_000 });
    b.now += 1_000;
    await b.store.sweep('*');
    expect(await b.take(1, 'r')).toEqual([`2.${id}`]);
  });

  test('goes on for one that was released: that was given back as if never taken', async () => {
    const b = bench();
    const [id = ''] = await b.enqueue(mortal(b));
    const [entry = ''] = await b.take(1);
    await b.sync({ settlements: [{ entry, outcome: 'release' }] });
    b.now += 500;
    expect(await b.take(1, 'r')).toEqual([]);
    expect(Object.keys((await b.shard()).dead.mail ?? {})).toEqual([`1.${id}`]);
    await callbacksOf(b, id);
  });
});
