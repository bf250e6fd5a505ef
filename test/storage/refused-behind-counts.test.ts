// Storage that refuses the last puts of a take, behind the counts of slots: nothing was taken, and what is counted is what is held.
import { expect, test } from 'vitest';
import { StorageError } from '../../src/errors.ts';
import { defineQueue } from '../../src/queue/queue.ts';
import { onEachRedis } from '../support/bench.ts';

const mail = defineQueue('mail', { kind: 'push', limits: { concurrency: 5 } });
const dedup = { digest: 'k', windowMs: 60_000, mode: 'replace' as const, release: false };

onEachRedis('a take whose last puts are refused', (bench) => {
  test('leaves the slots counted that others hold, and not those that it has settled', async () => {
    const b = bench();
    b.deploy(mail, { name: 'other', pool: '*', policy: '' });
    await b.enqueue(...Array.from({ length: 5 }, (_, i) => b.message('mail', i)));
    const own = await b.take(3, 'a');
    expect(await b.take(2, 'b')).toHaveLength(2);
    const follows = b.message('other', 'second', { dedup });
    const [waits = ''] = await b.enqueue(b.message('other', 'first', { dedup, delayMs: 3_600_000 }));
    await b.enqueue(
      b.message('mail', 'late', { ttlMs: 1, callbacks: [{ on: 'dead', message: follows }] }),
      b.message('mail', 'next'),
    );
    b.now += 1_000;
    b.redises.refuse = () => ({
      from: 1,
      times: Number.POSITIVE_INFINITY,
      commands: ['MSET'],
      keys: [`${b.root}m:${waits}`],
    });
    const settlements = own.map((entry) => ({ entry, outcome: 'ack' as const }));
    const answer = await b.sync({ lease: 'a', want: 5, settlements });
    b.redises.refuse = () => undefined;
    expect([answer.refused, answer.taken, answer.statuses]).toEqual([
      expect.any(StorageError),
      [],
      ['acked', 'acked', 'acked'],
    ]);
    expect((await b.shard()).inflight).toEqual({ mail: 2 });
    const { taken } = await b.sync({ lease: 'a', want: 5 });
    expect(taken).toHaveLength(1);
  });
});
