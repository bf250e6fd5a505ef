// What comes with a message: what its handler enqueues with the ack, what follows on its end, and keys that wait for quiet.
import { expect, test } from 'vitest';
import { type NewMessage, newToken, type StoredDedup, type Unnamed } from '../../src/message.ts';
import type { Settlement } from '../../src/store/store.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

const bodies = async (b: Bench, want = 9, lease = 'z') => {
  const { taken } = await b.exchange({ lease, want });
  return taken.map(({ envelope }) => JSON.parse(envelope.slice(envelope.indexOf('\n') + 1)).body);
};

/** With its id, as a handler's own messages have it, and on the books as alive. */
function chained(b: Bench, message: Unnamed): NewMessage {
  const named = { id: newToken(), ...message };
  b.expectAlive([named.id], [message]);
  return named;
}

onEachRedis('what a handler enqueues', (bench) => {
  test('LR9 is stored with the ack, once, also when the ack is sent again', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 'first'));
    const [entry = ''] = await b.take(1);
    const next = [chained(b, b.message('mail', 'now')), chained(b, b.message('news', 'later', { delayMs: 500 }))];
    const ack: Settlement = { entry, outcome: 'ack', chained: next };
    expect((await b.exchange({ settlements: [ack] })).statuses).toEqual(['acked']);
    expect((await b.exchange({ settlements: [ack] })).statuses).toEqual(['gone']);
    expect(await bodies(b)).toEqual(['now']);
    b.now += 500;
    expect(await bodies(b, 9, 'y')).toEqual(['later']);
  });

  test('can be taken by the very exchange that acks', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 'first'));
    const [entry = ''] = await b.take(1);
    const next = chained(b, b.message('mail', 'next'));
    const answer = await b.exchange({ want: 5, settlements: [{ entry, outcome: 'ack', chained: [next] }] });
    expect(answer.taken.map((taken) => taken.entry)).toEqual([`1.${next.id}`]);
  });

  test.each([
    ['its lease was lost', 'lapse'],
    ['its message was cancelled', 'cancel'],
    ['it failed', 'retry'],
  ])('LR9 is not stored where %s', async (_, how) => {
    const b = bench();
    const [id = ''] = await b.enqueue(b.message('mail', 'first'));
    const [entry = ''] = await b.take(1, 'a', { leaseMs: 1_000 });
    if (how === 'lapse') {
      b.now += 1_000;
      await b.store.sweep('*');
    }
    if (how === 'cancel') {
      await b.operations().cancel(id);
      b.alive.delete(id);
    }
    const outcome = how === 'retry' ? 'retry' : 'ack';
    const next = { id: newToken(), ...b.message('mail', 'never') };
    // A drain that knows the envelope may hold more asks storage to read it, and so sees that the message was cancelled.
    await b.exchange({
      held: -1,
      settlements: [
        { entry, outcome, delayMs: 9_000, chained: [next], ...(how === 'cancel' ? { result: 'null' } : {}) },
      ],
    });
    expect((await b.shard()).envelopes[next.id]).toBeUndefined();
  });
});

onEachRedis('what follows on a message', (bench) => {
  const parent = (b: Bench, rest: Partial<Unnamed> = {}) =>
    b.message('mail', 'parent', {
      follows: [
        { on: 'done', message: b.message('mail', 'after success') },
        { on: 'dead', message: b.message('news', 'after death') },
      ],
      ...rest,
    });
  /** Followers get their ids from storage: they are put on the books when they are there. */
  const account = async (b: Bench) => {
    for (const id of Object.keys((await b.shard()).envelopes)) b.alive.add(id);
  };

  test('comes when it is acked, once', async () => {
    const b = bench();
    await b.enqueue(parent(b));
    const [entry = ''] = await b.take(1);
    for (const _ of ['first', 'replayed'])
      await b.exchange({ settlements: [{ entry, outcome: 'ack', result: 'null' }] });
    await account(b);
    expect(await bodies(b)).toEqual(['after success']);
    expect((await b.shard()).rest).not.toHaveProperty(`then:${entry.slice(2)}`);
  });

  test.each(['dead', 'lapse', 'expiry'] as const)(
    'comes when it dies, by %s, and again success after a redrive',
    async (end) => {
      const b = bench();
      const [id = ''] = await b.enqueue(parent(b, { maxAttempts: 1, ttlMs: end === 'expiry' ? 500 : 0 }));
      if (end === 'expiry') b.now += 500;
      const [entry = ''] = await b.take(1, 'a', { leaseMs: 1_000 });
      if (end === 'dead') await b.exchange({ settlements: [{ entry, outcome: 'dead' }] });
      if (end === 'lapse') {
        b.now += 1_000;
        await b.store.sweep('*');
      }
      await account(b);
      expect(await bodies(b)).toEqual(['after death']);
      if (end === 'expiry') return;
      await b.operations().redrive('mail', [id]);
      const [again = ''] = await b.take(1, 'r');
      await b.exchange({ lease: 'r', settlements: [{ entry: again, outcome: 'ack', result: 'null' }] });
      b.alive.delete(id);
      await account(b);
      expect(await bodies(b, 9, 'y')).toEqual(['after success']);
    },
  );

  test('leaves nothing behind when its message is cancelled or purged', async () => {
    const b = bench();
    const [waits = '', leased = ''] = await b.enqueue(parent(b), parent(b), parent(b));
    await b.operations().cancel(waits);
    await b.take(1);
    await b.operations().cancel(leased);
    await b.operations().purge('mail', ['ready'], '0');
    b.alive.clear();
    expect(Object.keys((await b.shard()).rest).filter((name) => name.startsWith('then:'))).toEqual([]);
  });
});

onEachRedis('a key that waits for quiet', (bench) => {
  const WINDOW = 1_000;
  const keyed = (b: Bench, body: unknown, rest: Partial<Unnamed> = {}) => {
    const dedup: StoredDedup = { digest: 'key', windowMs: WINDOW, mode: 'debounce', release: false };
    return b.message('mail', body, { dedup, delayMs: WINDOW, ...rest });
  };

  test('delivers the last message, once no more came for its window', async () => {
    const b = bench();
    const [first = ''] = await b.enqueue(keyed(b, 1));
    for (let i = 2; i < 6; i++) {
      b.now += WINDOW / 2;
      const { met } = await b.store.enqueue({ messages: [keyed(b, i)] });
      expect(met.get(0)).toEqual({ id: first, what: 'replaced' });
    }
    b.now += WINDOW - 1;
    expect(await bodies(b)).toEqual([]);
    b.now += 1;
    expect(await bodies(b)).toEqual([5]);
  });

  test('in one batch the last counts, too', async () => {
    const b = bench();
    const { ids, met } = await b.store.enqueue({ messages: [keyed(b, 1), keyed(b, 2)] });
    b.expectAlive(ids.slice(0, 1), [keyed(b, 1)]);
    expect(met.get(1)).toEqual({ id: ids[0], what: 'replaced' });
    b.now += WINDOW;
    expect(await bodies(b)).toEqual([2]);
  });

  test('a message that came when the first is being delivered is another', async () => {
    const b = bench();
    await b.enqueue(keyed(b, 1));
    b.now += WINDOW;
    expect(await bodies(b)).toEqual([1]);
    await b.enqueue(keyed(b, 2));
    b.now += WINDOW;
    expect(await bodies(b, 9, 'y')).toEqual([2]);
  });
});

onEachRedis('a message that is cancelled while it is held', (bench) => {
  test('is told to its consumer with the next exchange, and to no other', async () => {
    const b = bench();
    const [first = '', second = ''] = await b.enqueue(b.message('mail', 1), b.message('mail', 2));
    await b.take(1, 'x');
    await b.take(1, 'y');
    expect(await b.operations().cancel(first)).toBe('leased');
    b.alive.delete(first);
    expect((await b.exchange({ lease: 'y', held: 1 })).cancelled).toEqual([]);
    expect((await b.exchange({ lease: 'x', held: 1 })).cancelled).toEqual([`1.${first}`]);
    expect(
      (await b.exchange({ lease: 'x', settlements: [{ entry: `1.${first}`, outcome: 'retry' }] })).statuses,
    ).toEqual(['gone']);
    expect((await b.shard()).leases).toEqual({ y: [`1.${second}`] });
  });
});
