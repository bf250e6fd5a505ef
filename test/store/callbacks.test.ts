// What comes with a message: what its handler enqueues with the ack, what follows on its end, and keys that wait for quiet.
import { expect, test } from 'vitest';
import type { NewMessage, PreparedMessage, StoredDedup } from '../../src/message/envelope.ts';
import { newToken } from '../../src/message/ids.ts';
import { defineQueue } from '../../src/queue/queue.ts';
import type { Settlement } from '../../src/store/encode-settlements.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

const bodies = async (b: Bench, want = 9, lease = 'z') => {
  const { taken } = await b.sync({ lease, want });
  return taken.map(({ envelope }) => JSON.parse(envelope.slice(envelope.indexOf('\n') + 1)).body);
};

/** With its id, as a handler's own messages have it, and on the books as alive. */
function chained(b: Bench, message: PreparedMessage): NewMessage {
  const named = { id: newToken(), ...message };
  b.expectAlive([named.id], [message]);
  return named;
}

onEachRedis('what follows on a death', (bench) => {
  test.each([
    ['replace', {}],
    ['debounce', { group: 'other' }],
  ] as const)(
    'and is to %s a message that becomes ready in the same call comes beside it: that stands in one place',
    async (mode, options) => {
      const b = bench();
      const dedup: StoredDedup = { digest: 'd'.repeat(22), windowMs: 600_000, mode, release: false };
      const [waits = ''] = await b.enqueue(b.message('mail', 'first', { dedup }));
      await b.take(1, 'first');
      const failure = { kind: 'failed', text: 'x' } as const;
      const again: Settlement = { entry: `1.${waits}`, outcome: 'retry', delayMs: 30_000, failure };
      await b.sync({ lease: 'first', settlements: [again] });
      const after = b.message('mail', 'after', { delayMs: 10_000, dedup, ...options });
      const [dies = ''] = await b.enqueue(
        b.message('news', 'dies', { maxAttempts: 1, callbacks: [{ on: 'dead', message: after }] }),
      );
      await b.take(1, 'dies');
      b.now += 30_000;
      await b.store.sweep('*');
      const followed = `${dies}-dead1-${b.now}`;
      b.expectAlive([followed], [after]);
      b.unordered.add(dies);
      const { timers, lanes } = await b.shard();
      expect(Object.values(lanes)).toEqual([[`2.${waits}`]]);
      expect(Object.keys(timers)).toEqual([expect.stringMatching(new RegExp(` 1\\.${followed}$`))]);
      expect(await b.take(5, 'next')).toEqual([`2.${waits}`]);
    },
  );
});

onEachRedis('what a handler enqueues', (bench) => {
  test('LR9 is stored with the ack, once, also when the ack is sent again', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 'first'));
    const [entry = ''] = await b.take(1);
    const next = [chained(b, b.message('mail', 'now')), chained(b, b.message('news', 'later', { delayMs: 500 }))];
    const ack: Settlement = { entry, outcome: 'ack', chained: next };
    expect((await b.sync({ settlements: [ack] })).statuses).toEqual(['acked']);
    expect((await b.sync({ settlements: [ack] })).statuses).toEqual(['gone']);
    expect(await bodies(b)).toEqual(['now']);
    b.now += 500;
    expect(await bodies(b, 9, 'y')).toEqual(['later']);
  });

  test('can be taken by the very sync that acks', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 'first'));
    const [entry = ''] = await b.take(1);
    const next = chained(b, b.message('mail', 'next'));
    const answer = await b.sync({ want: 5, settlements: [{ entry, outcome: 'ack', chained: [next] }] });
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
      await b.adminStore().cancel(id);
      b.alive.delete(id);
    }
    const outcome = how === 'retry' ? 'retry' : 'ack';
    const next = { id: newToken(), ...b.message('mail', 'never') };
    // A drain that knows the envelope may hold more asks storage to read it, and so sees that the message was cancelled.
    await b.sync({
      held: -1,
      settlements: [
        { entry, outcome, delayMs: 9_000, chained: [next], ...(how === 'cancel' ? { result: 'null' } : {}) },
      ],
    });
    expect((await b.shard()).envelopes[next.id]).toBeUndefined();
  });
});

onEachRedis('what follows on a message', (bench) => {
  const parent = (b: Bench, rest: Partial<PreparedMessage> = {}) =>
    b.message('mail', 'parent', {
      callbacks: [
        { on: 'done', message: b.message('mail', 'after success') },
        { on: 'dead', message: b.message('news', 'after death') },
      ],
      ...rest,
    });
  /** Callbacks get their ids from storage: they are put on the books when they are there. */
  const account = async (b: Bench) => {
    for (const id of Object.keys((await b.shard()).envelopes)) b.alive.add(id);
  };

  test('comes when it is acked, once', async () => {
    const b = bench();
    await b.enqueue(parent(b));
    const [entry = ''] = await b.take(1);
    for (const _ of ['first', 'replayed']) await b.sync({ settlements: [{ entry, outcome: 'ack', result: 'null' }] });
    await account(b);
    expect(await bodies(b)).toEqual(['after success']);
    expect((await b.shard()).rest).not.toHaveProperty(`callbacks:${entry.slice(2)}`);
  });

  test.each(['dead', 'lapse', 'expiry'] as const)(
    'comes when it dies, by %s, and again success after a redrive',
    async (end) => {
      const b = bench();
      const [id = ''] = await b.enqueue(parent(b, { maxAttempts: 1, ttlMs: end === 'expiry' ? 500 : 0 }));
      if (end === 'expiry') b.now += 500;
      const [entry = ''] = await b.take(1, 'a', { leaseMs: 1_000 });
      if (end === 'dead') await b.sync({ settlements: [{ entry, outcome: 'dead' }] });
      if (end === 'lapse') {
        b.now += 1_000;
        await b.store.sweep('*');
      }
      await account(b);
      expect(await bodies(b)).toEqual(['after death']);
      await b.adminStore().redrive('mail', [id]);
      const [again = ''] = await b.take(1, 'r');
      await b.sync({ lease: 'r', settlements: [{ entry: again, outcome: 'ack', result: 'null' }] });
      b.alive.delete(id);
      await account(b);
      expect(await bodies(b, 9, 'y')).toEqual(['after success']);
    },
  );

  test('leaves nothing behind when its message is cancelled or purged', async () => {
    const b = bench();
    const [waits = '', leased = ''] = await b.enqueue(parent(b), parent(b), parent(b));
    await b.adminStore().cancel(waits);
    await b.take(1);
    await b.adminStore().cancel(leased);
    await b.adminStore().purge('mail', ['ready'], '0');
    b.alive.clear();
    expect(Object.keys((await b.shard()).rest).filter((name) => name.startsWith('callbacks:'))).toEqual([]);
  });
});

onEachRedis('a key that waits for quiet', (bench) => {
  const WINDOW = 20_000; // of the server's own time, for its key
  const keyed = (b: Bench, body: unknown, rest: Partial<PreparedMessage> = {}) => {
    const dedup: StoredDedup = { digest: 'key', windowMs: WINDOW, mode: 'debounce', release: false };
    return b.message('mail', body, { dedup, delayMs: WINDOW, ...rest });
  };

  test('delivers the last message, once no more came for its window', async () => {
    const b = bench();
    const [first = ''] = await b.enqueue(keyed(b, 1));
    for (let i = 2; i < 6; i++) {
      b.now += WINDOW / 2;
      const { duplicates } = await b.store.enqueue({ messages: [keyed(b, i)] });
      expect(duplicates.get(0)).toEqual({ id: first, what: 'replaced' });
    }
    b.now += WINDOW - 1;
    expect(await bodies(b)).toEqual([]);
    b.now += 1;
    expect(await bodies(b)).toEqual([5]);
  });

  test('in one batch the last counts, too', async () => {
    const b = bench();
    const { ids, duplicates } = await b.store.enqueue({ messages: [keyed(b, 1), keyed(b, 2)] });
    b.expectAlive(ids.slice(0, 1), [keyed(b, 1)]);
    expect(duplicates.get(1)).toEqual({ id: ids[0], what: 'replaced' });
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

onEachRedis('what the last call of a key that waits for quiet says', (bench) => {
  const keyed = (b: Bench, body: unknown, rest: Parameters<Bench['message']>[2] = {}, window = 60_000) => {
    const dedup: StoredDedup = { digest: 'key', windowMs: window, mode: 'debounce', release: false };
    return b.message('mail', body, { dedup, delayMs: 1_000, ...rest });
  };
  const again = async (b: Bench, message: PreparedMessage) =>
    (await b.store.enqueue({ messages: [message] })).duplicates.get(0)?.what ?? 'new';

  test.each([
    ['one request after the other', false],
    ['one batch', true],
  ])('counts: its priority and its group, in %s', async (_, together) => {
    const b = bench();
    const messages = [
      keyed(b, 1, { priority: 5, group: 'old' }),
      keyed(b, 2, { priority: 1, group: 'new', maxAttempts: 9 }),
    ];
    const batches = together ? [messages] : messages.map((message) => [message]);
    const ids: string[] = [];
    for (const batch of batches) ids.push(...(await b.store.enqueue({ messages: batch })).ids);
    const [id = ''] = ids;
    b.expectAlive([id], messages);
    expect((await b.shard()).timers).toEqual({ [`m * 1:mail/new 1.${id}`]: b.now + 1_000 });
    expect((await b.shard()).envelopes[id]).toMatch(/^1:mail\/new \* 9 /);
    expect((await b.adminStore().look(id)).state).toBe('delayed');
    b.now += 1_000;
    await b.store.sweep('*');
    expect((await b.shard()).lanes).toEqual({ '1:mail/new': [`1.${id}`] });
  });

  test('is looked at in time: it wakes a drain, as the first did', async () => {
    const b = bench();
    const wakes: boolean[] = [];
    for (const body of [1, 2]) {
      const { ids, wake } = await b.store.enqueue({ messages: [keyed(b, body)] });
      if (body === 1) b.expectAlive(ids, [keyed(b, body)]);
      wakes.push(wake);
      await b.redises.raw.del(`${b.root}awake`); // the drain that it woke has ended
      b.now += 900;
    }
    expect(wakes).toEqual([true, true]);
  });

  test('replaces what followed on the first', async () => {
    const b = bench();
    const after = (...names: string[]) =>
      names.map((name) => ({ on: 'done' as const, message: b.message('news', name) }));
    const [id = ''] = await b.enqueue(keyed(b, 1, { callbacks: after('a', 'b') }));
    await again(b, keyed(b, 2, { callbacks: after('c') }));
    expect(await b.redises.raw.llen(`${b.root}callbacks:${id}`)).toBe(11);
    expect(await b.redises.raw.lrange(`${b.root}callbacks:${id}`, -1, -1)).toEqual(['{"body":"c"}']);
    await again(b, keyed(b, 3));
    expect((await b.shard()).rest).not.toHaveProperty(`callbacks:${id}`);
  });

  test('makes a new message of one that waits for its retry', async () => {
    const b = bench();
    const [id = ''] = await b.enqueue(keyed(b, 1, { priority: 5 }, 60_000));
    b.now += 1_000;
    const [entry = ''] = await b.take(1);
    const failure = { kind: 'failed', text: 'x' } as const;
    await b.sync({ settlements: [{ entry, outcome: 'retry', delayMs: 9_000, failure }] });
    expect(await again(b, keyed(b, 2, { priority: 1 }, 60_000))).toBe('replaced');
    const { timers, failures } = await b.shard();
    expect({ timers, failures }).toEqual({ timers: { [`m * 1:mail 1.${id}`]: b.now + 1_000 }, failures: {} });
  });

  test('is a message of its own where the first holds a group back to which it does not belong', async () => {
    const b = bench();
    b.deploy(defineQueue('mail', { ordered: true, handler: () => {} }));
    const [id = ''] = await b.enqueue(keyed(b, 1, { group: 'a' }, 60_000));
    b.now += 1_000;
    const [entry = ''] = await b.take(1);
    await b.sync({ settlements: [{ entry, outcome: 'retry', delayMs: 9_000 }] });
    const { ids, duplicates } = await b.store.enqueue({ messages: [keyed(b, 2, { group: 'b' }, 60_000)] });
    b.expectAlive(ids, [keyed(b, 2)]);
    expect(duplicates.size).toBe(0);
    expect(Object.keys((await b.shard()).timers)).toEqual(
      expect.arrayContaining([`h * 5:mail/a 2.${id}`, `m * 5:mail/b 1.${ids[0]}`]),
    );
  });

  test('is found for as long as the first waits, also where its delay is longer than its window', async () => {
    const b = bench();
    const [id = ''] = await b.enqueue(keyed(b, 1, { delayMs: 3_600_000 }, 1_000));
    const key = `${b.root}dedup:mail:key`;
    expect(await b.redises.raw.pttl(key)).toBeGreaterThan(3_500_000);
    await b.redises.raw.pexpire(key, 60_000);
    expect(await again(b, keyed(b, 2, { delayMs: 7_200_000 }, 1_000))).toBe('replaced');
    expect(await b.redises.raw.pttl(key)).toBeGreaterThan(7_100_000);
    b.now += 7_200_000;
    expect(await b.take(9)).toEqual([`1.${id}`]);
  });
});

onEachRedis('a message that is cancelled while it is held', (bench) => {
  test('is told to its consumer with the next sync, and to no other', async () => {
    const b = bench();
    const [first = '', second = ''] = await b.enqueue(b.message('mail', 1), b.message('mail', 2));
    await b.take(1, 'x');
    await b.take(1, 'y');
    expect(await b.adminStore().cancel(first)).toBe('leased');
    b.alive.delete(first);
    expect((await b.sync({ lease: 'y', held: 1 })).cancelled).toEqual([]);
    expect((await b.sync({ lease: 'x', held: 1 })).cancelled).toEqual([`1.${first}`]);
    expect((await b.sync({ lease: 'x', settlements: [{ entry: `1.${first}`, outcome: 'retry' }] })).statuses).toEqual([
      'gone',
    ]);
    expect((await b.shard()).leases).toEqual({ y: [`1.${second}`] });
  });
});
