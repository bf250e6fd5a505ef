// Dedup keys and kept results: what a second message with the same key becomes, and that no key outlives its reason.
import { expect, test } from 'vitest';
import type { PreparedMessage, StoredDedup } from '../../src/message/envelope.ts';
import { defineQueue } from '../../src/queue/queue.ts';
import { auditWhole, Bench, onEachRedis } from '../support/bench.ts';

const HERE = ['the embedded Redis', 'redis-server'];

function keyed(
  b: Bench,
  body: unknown,
  dedup: Partial<StoredDedup> = {},
  rest: Partial<PreparedMessage> = {},
): PreparedMessage {
  return b.message('mail', body, {
    dedup: { digest: 'key', windowMs: 60_000, mode: 'drop', release: false, ...dedup },
    ...rest,
  });
}

/** Enqueues one. @returns its id, and what became of it where its key was taken */
async function enqueue(b: Bench, message: PreparedMessage, token?: string) {
  const { ids, duplicates } = await b.store.enqueue({ messages: [message], token });
  if (!duplicates.has(0)) b.expectAlive(ids, [message]);
  return duplicates.get(0) ?? { id: ids[0] ?? '', what: 'new' };
}

const bodies = async (b: Bench, lease = 'z') => {
  const { taken } = await b.sync({ lease, want: 10 });
  return taken.map(({ envelope }) => JSON.parse(envelope.slice(envelope.indexOf('\n') + 1)).body);
};

async function fail(b: Bench, entry = '', delayMs = 0): Promise<void> {
  await b.sync({ settlements: [{ entry, outcome: 'retry', delayMs, failure: { kind: 'failed', text: 'x' } }] });
}

/** Callbacks get their ids from storage: they are put on the books when they are there. */
async function callbackIds(b: Bench): Promise<string[]> {
  const ids = Object.keys((await b.shard()).envelopes).filter((id) => /-(done|dead)\d/.test(id));
  for (const id of ids) b.alive.add(id);
  return ids;
}

onEachRedis(
  'a dedup key',
  (bench) => {
    test('a second message with it is dropped, and told the id of the first; another key, or another queue, is another message', async () => {
      const b = bench();
      const first = await enqueue(b, keyed(b, 1));
      expect(await enqueue(b, keyed(b, 2))).toEqual({ id: first.id, what: 'duplicate' });
      expect((await enqueue(b, keyed(b, 3, { digest: 'other' }))).what).toBe('new');
      expect((await enqueue(b, { ...keyed(b, 4), lane: '5:news' })).what).toBe('new');
      expect(await bodies(b)).toEqual(expect.arrayContaining([1, 3, 4]));
    });

    test('one that waits to be tried again is replaced too where its consumer has said nothing of why', async () => {
      const b = bench();
      const { id } = await enqueue(b, keyed(b, 'first', { mode: 'replace' }));
      await b.take(1);
      await b.sync({ settlements: [{ entry: `1.${id}`, outcome: 'retry', delayMs: 1_000 }] });
      expect(await enqueue(b, keyed(b, 'second', { mode: 'replace' }))).toEqual({ id, what: 'replaced' });
      b.now += 1_000;
      expect(await bodies(b)).toEqual(['second']);
    });

    test('it holds for its window also when the first is done, and not after', async () => {
      const b = bench();
      const first = await enqueue(b, keyed(b, 1));
      await b.take(1);
      await b.sync({ settlements: [{ entry: `1.${first.id}`, outcome: 'ack' }] });
      expect((await enqueue(b, keyed(b, 2))).what).toBe('duplicate');
      await b.redises.raw.pexpire(`${b.root}dedup:mail:key`, 0);
      expect((await enqueue(b, keyed(b, 3))).what).toBe('new');
    });

    test.each(['ack', 'dead', 'lapse', 'expiry'] as const)(
      'LR7 one that is released with its message is free again after %s',
      async (end) => {
        const b = bench();
        const message = keyed(b, 1, { release: true }, { maxAttempts: 1, ttlMs: end === 'expiry' ? 500 : 0 });
        const { id } = await enqueue(b, message);
        if (end === 'expiry') b.now += 500;
        const [entry = ''] = await b.take(1);
        if (end === 'ack') await b.sync({ settlements: [{ entry, outcome: 'ack', result: 'null' }] });
        if (end === 'dead') await b.sync({ settlements: [{ entry, outcome: 'dead' }] });
        if (end === 'lapse') {
          b.now += 30_000;
          await b.store.sweep('*');
        }
        const again = await enqueue(b, keyed(b, 2, { release: true }));
        expect(again.what).toBe('new');
        expect(again.id).not.toBe(id);
      },
    );

    test('LR7 a message that is cancelled or purged takes its key along', async () => {
      const b = bench();
      const { id } = await enqueue(b, keyed(b, 1));
      await b.adminStore().cancel(id);
      b.alive.delete(id);
      const second = await enqueue(b, keyed(b, 2));
      expect(second.what).toBe('new');
      await b.adminStore().purge('mail', ['ready'], '0');
      b.alive.delete(second.id);
      expect((await enqueue(b, keyed(b, 3))).what).toBe('new');
    });

    test('LR7 the end of an old message does not free the key of a newer one', async () => {
      const b = bench();
      const old = await enqueue(b, keyed(b, 1, { release: true }));
      await b.take(1);
      await b.redises.raw.del(`${b.root}dedup:mail:key`); // its window was over
      await enqueue(b, keyed(b, 2, { release: true }));
      await b.sync({ settlements: [{ entry: `1.${old.id}`, outcome: 'ack', result: 'null' }] });
      expect((await enqueue(b, keyed(b, 3))).what).toBe('duplicate');
    });

    test('replace: the first has the new body while it waits, ready or delayed; one at work is left, and the new one counts', async () => {
      const b = bench();
      const ready = await enqueue(b, keyed(b, 'old', { mode: 'replace' }));
      expect(await enqueue(b, keyed(b, 'new', { mode: 'replace' }))).toEqual({ id: ready.id, what: 'replaced' });
      const delayed = await enqueue(b, keyed(b, 'old later', { mode: 'replace', digest: 'd' }, { delayMs: 1_000 }));
      expect((await enqueue(b, keyed(b, 'new later', { mode: 'replace', digest: 'd' }))).id).toBe(delayed.id);
      expect(await bodies(b, 'a')).toEqual(['new']);
      expect((await enqueue(b, keyed(b, 'newest', { mode: 'replace' }))).what).toBe('new');
      b.now += 1_000;
      expect((await bodies(b, 'b')).toSorted()).toEqual(['new later', 'newest']);
    });

    test('replace: one that waits for its retry becomes a new message, with the attempts and the callbacks of the new one, and keeps its time', async () => {
      const b = bench();
      const callbacks = (body: string) => [{ on: 'done' as const, message: b.message('news', body) }];
      const old = keyed(
        b,
        'old',
        { mode: 'replace' },
        { maxAttempts: 2, ttlMs: 100, callbacks: callbacks('after old') },
      );
      const { id } = await enqueue(b, old);
      await fail(b, (await b.take(1))[0], 5_000);
      b.now += 1_000;
      const next = keyed(
        b,
        'new',
        { mode: 'replace' },
        { maxAttempts: 7, ttlMs: 500, callbacks: callbacks('after new') },
      );
      expect(await enqueue(b, next)).toEqual({ id, what: 'replaced' });
      const { failures, timers } = await b.shard();
      expect({ failures, timers }).toEqual({ failures: {}, timers: { [`m * 5:mail 1.${id}`]: b.now + 4_000 } });
      b.now += 4_000; // it has to be delivered within its own time from now on
      const { taken } = await b.sync({ want: 1, lease: 'z' });
      const [line = '', json = ''] = taken[0]?.envelope.split('\n') ?? [];
      expect(taken[0]?.entry).toBe(`1.${id}`);
      expect(line.split(' ').slice(2, 5)).toEqual(['7', String(b.now - 4_000), String(b.now + 500)]);
      expect(JSON.parse(json)).toEqual({ body: 'new' });
      await b.sync({ lease: 'z', settlements: [{ entry: `1.${id}`, outcome: 'ack', result: 'null' }] });
      expect(await callbackIds(b)).toEqual([`${id}-done1`]);
      expect(await bodies(b, 'y')).toEqual(['after new']);
    });

    test.each(['retry', 'lapse', 'redrive'] as const)(
      'replace: one that stands in its lane again after a %s becomes a new message in the same place',
      async (how) => {
        const b = bench();
        const { id } = await enqueue(b, keyed(b, 'old', { mode: 'replace' }));
        b.unordered.add(id);
        const [entry] = await b.take(1);
        if (how === 'redrive') {
          await b.sync({
            settlements: [{ entry: entry ?? '', outcome: 'dead', failure: { kind: 'failed', text: 'x' } }],
          });
          await b.adminStore().redrive('mail', [id]);
        } else if (how === 'retry') {
          await fail(b, entry, 10);
        }
        b.now += 30_000;
        await b.store.sweep('*');
        const [behind] = await b.enqueue(b.message('mail', 'behind'));
        expect(await enqueue(b, keyed(b, 'new', { mode: 'replace' }))).toEqual({ id, what: 'replaced' });
        const { failures, lanes } = await b.shard();
        expect({ failures, lanes }).toEqual({ failures: {}, lanes: { '5:mail': [`1.${behind}`, `1.${id}`] } });
        expect((await b.adminStore().look(id)).state).toBe('ready');
        expect(await bodies(b)).toEqual(['new', 'behind']);
      },
    );

    test('replace: one of an ordered queue that waits for its retry goes on holding its group back', async () => {
      const b = bench();
      b.deploy(defineQueue('mail', { ordered: true, handler: () => {} }));
      const { id } = await enqueue(b, keyed(b, 'old', { mode: 'replace' }));
      await fail(b, (await b.take(1))[0], 5_000);
      await b.enqueue(b.message('mail', 'behind'));
      expect((await enqueue(b, keyed(b, 'new', { mode: 'replace' }))).what).toBe('replaced');
      expect(await bodies(b)).toEqual([]);
      b.now += 5_000;
      expect(await b.take(9, 'y')).toEqual([`1.${id}`]);
    });

    test('replace: in one batch as in one request after the other, also where others follow', async () => {
      for (const together of [true, false]) {
        const b = new Bench(bench().redises);
        const callbacks = [{ on: 'done' as const, message: b.message('news', 'after') }];
        const wait = { delayMs: 1_000 };
        const messages = [
          keyed(b, 1, {}, wait),
          keyed(b, 2, { mode: 'debounce' }, { ...wait, callbacks }),
          keyed(b, 3, { mode: 'replace' }),
        ];
        for (const batch of together ? [messages] : messages.map((message) => [message]))
          await b.store.enqueue({ messages: batch });
        b.now += 1_000;
        const { taken } = await b.sync({ want: 9 });
        expect(taken.map(({ envelope }) => envelope.split('\n')[1])).toEqual(['{"body":3}']);
        await b.sync({ settlements: [{ entry: taken[0]?.entry ?? '', outcome: 'ack', result: 'null' }] });
        expect(await callbackIds(b)).toHaveLength(1);
        expect(Object.keys((await b.shard()).rest).filter((name) => name.startsWith('callbacks:'))).toEqual([]);
      }
    });

    test('LR8 a repeat of the request gives the first answer again, and nothing changes', async () => {
      const b = bench();
      const first = await enqueue(b, keyed(b, 1));
      const messages = [keyed(b, 2), b.message('mail', 3)];
      const request = { messages, token: 'batch', fingerprint: 'f' };
      const answer = await b.store.enqueue(request);
      b.expectAlive(answer.ids.slice(1), messages.slice(1));
      const before = await b.shard();
      const again = await b.store.enqueue(request);
      expect(again).toEqual({ ...answer, replayed: true });
      expect(again.duplicates).toEqual(new Map([[0, { id: first.id, what: 'duplicate' }]]));
      expect(await b.shard()).toEqual(before);
    });

    test('in one batch the first with a key counts', async () => {
      const b = bench();
      const messages = [keyed(b, 1), keyed(b, 2), b.message('mail', 3)];
      const { ids, duplicates } = await b.store.enqueue({ messages });
      b.expectAlive([ids[0] ?? '', ids[2] ?? ''], messages);
      expect(duplicates).toEqual(new Map([[1, { id: ids[0], what: 'duplicate' }]]));
      expect(await bodies(b)).toEqual([1, 3]);
    });

    test('one without an end is found by the audit and gets one', async () => {
      const b = bench();
      await b.redises.raw.set(`${b.root}dedup:mail:stray`, 'x');
      expect(await auditWhole(b.store)).toContainEqual({ finding: 'dedup-without-end', name: 'mail:stray' });
      expect(await b.redises.raw.pttl(`${b.root}dedup:mail:stray`)).toBeGreaterThan(0);
    });

    test('it costs two commands, and messages without one cost nothing more', async () => {
      const b = bench();
      await enqueue(b, b.message('mail', 0));
      const plain = await b.cost(() => enqueue(b, b.message('mail', 1)));
      const withKey = await b.cost(() => enqueue(b, keyed(b, 2)));
      expect(withKey.commands - plain.commands).toBe(2);
    });
  },
  HERE,
);

onEachRedis(
  'a request of a thousand that replace',
  (bench) => {
    test('looks for those that are at work not each in the whole of a long lane', async () => {
      const b = bench();
      const digest = (i: number) => ({ mode: 'replace' as const, digest: `d${i}` });
      const many = Array.from({ length: 1_000 }, (_, i) => keyed(b, i, digest(i)));
      await b.enqueue(...many);
      for (let lease = 0; lease < 2; lease++) await b.take(500, `l${lease}`);
      for (let i = 0; i < 20; i++) await b.enqueue(...Array.from({ length: 1_000 }, () => b.message('mail', 0)));
      const { commands } = await b.cost(() => b.enqueue(...many));
      expect(commands).toBeLessThan(8_100); // each 8: none of them five that pass ten thousand entries
    });
  },
  HERE,
);

onEachRedis(
  'a resultTtl',
  (bench) => {
    test('keeps the outcome and the result of an acked message for its time', async () => {
      const b = bench();
      const [id = ''] = await b.enqueue(b.message('mail', 1, { resultTtlMs: 60_000 }));
      const [entry = ''] = await b.take(1);
      b.now += 5;
      await b.sync({ settlements: [{ entry, outcome: 'ack', result: '{"sent":true}' }] });
      expect(await b.adminStore().look(id)).toMatchObject({
        state: 'gone',
        result: { queue: 'mail', attempt: 1, at: b.now, json: '{"sent":true}' },
      });
      const ttl = await b.redises.raw.pttl(`${b.root}result:${id}`);
      expect(ttl).toBeGreaterThan(50_000);
      expect(ttl).toBeLessThanOrEqual(60_000);
    });

    test('a message without one leaves nothing, whatever its consumer gives', async () => {
      const b = bench();
      await b.enqueue(b.message('mail', 1));
      const [entry = ''] = await b.take(1);
      await b.sync({ settlements: [{ entry, outcome: 'ack', result: '1' }] });
      expect(Object.keys((await b.shard()).rest).filter((key) => key.startsWith('result'))).toEqual([]);
    });
  },
  HERE,
);
