// Dedup keys and kept results: what a second message with the same key becomes, and that no key outlives its reason.
import { expect, test } from 'vitest';
import type { StoredDedup, Unnamed } from '../../src/message.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

const HERE = ['the embedded Redis', 'redis-server'];

function keyed(b: Bench, body: unknown, dedup: Partial<StoredDedup> = {}, rest: Partial<Unnamed> = {}): Unnamed {
  return b.message('mail', body, {
    dedup: { digest: 'key', windowMs: 60_000, mode: 'drop', release: false, ...dedup },
    ...rest,
  });
}

/** Enqueues one. @returns its id, and what became of it where its key was taken */
async function enqueue(b: Bench, message: Unnamed, token?: string) {
  const { ids, met } = await b.store.enqueue({ messages: [message], token });
  if (!met.has(0)) b.expectAlive(ids, [message]);
  return met.get(0) ?? { id: ids[0] ?? '', what: 'new' };
}

const bodies = async (b: Bench, lease = 'z') => {
  const { taken } = await b.exchange({ lease, want: 10 });
  return taken.map(({ envelope }) => JSON.parse(envelope.slice(envelope.indexOf('\n') + 1)).body);
};

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

    test('it holds for its window also when the first is done, and not after', async () => {
      const b = bench();
      const first = await enqueue(b, keyed(b, 1));
      await b.take(1);
      await b.exchange({ settlements: [{ entry: `1.${first.id}`, outcome: 'ack' }] });
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
        if (end === 'ack') await b.exchange({ settlements: [{ entry, outcome: 'ack', result: 'null' }] });
        if (end === 'dead') await b.exchange({ settlements: [{ entry, outcome: 'dead' }] });
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
      await b.operations().cancel(id);
      b.alive.delete(id);
      const second = await enqueue(b, keyed(b, 2));
      expect(second.what).toBe('new');
      await b.operations().purge('mail', ['ready'], '0');
      b.alive.delete(second.id);
      expect((await enqueue(b, keyed(b, 3))).what).toBe('new');
    });

    test('LR7 the end of an old message does not free the key of a newer one', async () => {
      const b = bench();
      const old = await enqueue(b, keyed(b, 1, { release: true }));
      await b.take(1);
      await b.redises.raw.del(`${b.root}dedup:mail:key`); // its window was over
      await enqueue(b, keyed(b, 2, { release: true }));
      await b.exchange({ settlements: [{ entry: `1.${old.id}`, outcome: 'ack', result: 'null' }] });
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

    test('LR8 a repeat of the request gives the first answer again, and nothing changes', async () => {
      const b = bench();
      const first = await enqueue(b, keyed(b, 1));
      const messages = [keyed(b, 2), b.message('mail', 3)];
      const request = { messages, token: 'batch', fingerprint: 'f' };
      const answer = await b.store.enqueue(request);
      b.expectAlive(answer.ids.slice(1), messages.slice(1));
      const before = await b.shard();
      const again = await b.store.enqueue(request);
      expect(again).toEqual({ ...answer, repeated: true });
      expect(again.met).toEqual(new Map([[0, { id: first.id, what: 'duplicate' }]]));
      expect(await b.shard()).toEqual(before);
    });

    test('in one batch the first with a key counts', async () => {
      const b = bench();
      const messages = [keyed(b, 1), keyed(b, 2), b.message('mail', 3)];
      const { ids, met } = await b.store.enqueue({ messages });
      b.expectAlive([ids[0] ?? '', ids[2] ?? ''], messages);
      expect(met).toEqual(new Map([[1, { id: ids[0], what: 'duplicate' }]]));
      expect(await bodies(b)).toEqual([1, 3]);
    });

    test('one without an end is found by the audit and gets one', async () => {
      const b = bench();
      await b.redises.raw.set(`${b.root}dedup:mail:stray`, 'x');
      const { findings } = await b.store.audit('0', true);
      expect(findings).toContainEqual({ finding: 'dedup-without-end', name: 'mail:stray' });
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
  'a retention',
  (bench) => {
    test('keeps the outcome and the result of an acked message for its time', async () => {
      const b = bench();
      const [id = ''] = await b.enqueue(b.message('mail', 1, { retentionMs: 60_000 }));
      const [entry = ''] = await b.take(1);
      b.now += 5;
      await b.exchange({ settlements: [{ entry, outcome: 'ack', result: '{"sent":true}' }] });
      expect(await b.operations().look(id)).toMatchObject({
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
      await b.exchange({ settlements: [{ entry, outcome: 'ack', result: '1' }] });
      expect(Object.keys((await b.shard()).rest).filter((key) => key.startsWith('result'))).toEqual([]);
    });
  },
  HERE,
);
