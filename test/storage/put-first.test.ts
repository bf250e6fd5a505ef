// Repairs and figures where storage refuses a write in the middle: what moves stands in its new place before it leaves the old one.
import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { startEmulator } from '../../src/dev/emulator/server.ts';
import { openShard, type Shard } from '../../src/redis/shard.ts';
import { openStats } from '../../src/stats/store.ts';
import { audit } from '../../src/store/audit.ts';
import { openStore } from '../../src/store/store.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

/** The store of a user that may not do this: inside scripts too, where the commands before it have run. */
async function refusing<Answer>(
  b: Bench,
  command: string,
  work: (store: ReturnType<typeof openStore>, shard: Shard) => Promise<Answer>,
): Promise<Answer> {
  const { host, port } = (b.redises.raw as Redis).options;
  await b.redises.raw.call('ACL', 'SETUSER', command, 'on', '>pw', '~*', '+@all', `-${command}`);
  const emulator = await startEmulator({ url: `redis://${command}:pw@${host}:${port}`, token: 'local' });
  const connection = { url: emulator.url, token: 'local', timeoutMs: 5_000 };
  const shard = openShard({ connection, prefix: b.prefix, clock: () => b.now });
  const queues = [{ name: 'mail', pool: '*' }];
  try {
    return await work(openStore(shard, { queues }), shard);
  } finally {
    await emulator.close();
  }
}

const audits = (b: Bench, command: string) => refusing(b, command, (store) => audit(store, '0', true));
const sweep = (b: Bench, command: string) => refusing(b, command, (store) => store.sweep('*', { cursor: '0' }));
const repairs = [
  ['an audit', audits],
  ['a sweep', sweep],
] as const;

onEachRedis(
  'where storage refuses to add to a sorted set',
  (bench) => {
    test.each(repairs)('%s leaves an entry without its envelope in its lane, and goes on', async (_, repair) => {
      const b = bench();
      const [gone, there] = await b.enqueue(b.message('mail', 1), b.message('mail', 2));
      await b.redises.raw.del(`${b.root}m:${gone}`);
      await repair(b, 'zadd');
      expect((await b.shard()).lanes['5:mail']).toEqual([`1.${there}`, `1.${gone}`]);
      await audit(b.store, '0', true);
      expect(Object.keys((await b.shard()).dead.mail ?? {})).toEqual([`1.${gone}`]);
      expect(await b.take(5)).toEqual([`1.${there}`]);
    });

    test.each(repairs)('%s leaves a lane in the index that it should leave', async (_, repair) => {
      const b = bench();
      await b.enqueue(b.message('mail', 1, { pool: 'mail' }));
      await repair(b, 'zadd');
      expect(Object.keys((await b.shard()).ready.mail ?? {})).toEqual(['5:mail']);
    });

    test.each(repairs)('%s leaves a lane among the blocked ones', async (_, repair) => {
      const b = bench();
      await b.enqueue(b.message('mail', 1));
      await b.redises.raw.rename(`${b.root}ready:*`, `${b.root}blocked:mail`);
      await repair(b, 'zadd');
      expect((await b.shard()).blocked.mail).toEqual(['5:mail']);
    });
  },
  ['redis-server'],
);

onEachRedis(
  'where storage refuses to add to a list',
  (bench) => {
    test('an answer that is asked for again has nothing that was to come instead of one cancelled, and nothing twice', async () => {
      const b = bench();
      const [cancelled = '', held] = await b.enqueue(b.message('mail', 1), b.message('mail', 2));
      expect(await b.take(2)).toHaveLength(2);
      const [waits] = await b.enqueue(b.message('mail', 3));
      await b.adminStore().cancel(cancelled);
      b.alive.delete(cancelled);
      const asking = { lease: 'a', leaseMs: 30_000, held: 0, want: 3, pools: ['*'], settlements: [] };
      const answer = await refusing(b, 'lpush', (store) =>
        store.sync({ ...asking, drain: { ending: false, sleepMs: 0 } }),
      );
      const entries = answer.taken.map(({ entry }) => entry);
      const { taken } = await b.sync({ want: 3, held: entries.length });
      expect([...entries, ...taken.map(({ entry }) => entry)]).toEqual([`1.${held}`, `1.${waits}`]);
      expect(await b.take(5, 'b')).toEqual([]);
    });

    test.each(repairs)('%s leaves what is no entry where it is', async (_, repair) => {
      const b = bench();
      const [id] = await b.enqueue(b.message('mail', 1));
      await b.redises.raw.rpush(`${b.root}lane:5:mail`, 'garbage');
      await repair(b, 'rpush');
      expect((await b.shard()).lanes['5:mail']).toEqual([`1.${id}`, 'garbage']);
      await audit(b.store, '0', true);
      expect((await b.shard()).lanes['5:mail']).toEqual([`1.${id}`]);
    });
  },
  ['redis-server'],
);

onEachRedis(
  'where storage refuses to add to a hash',
  (bench) => {
    test('a message whose failures it did not take is found when it was redriven: an audit says nothing, a cancel takes it', async () => {
      const b = bench();
      const [id = ''] = await b.enqueue(b.message('mail', 1, { ttlMs: 600 }));
      b.now += 1_000;
      expect(await b.take(1)).toEqual([]);
      await b.redises.raw.del(`${b.root}failures:${id}`);
      expect(await b.adminStore().redrive('mail', [id])).toEqual(['redriven']);
      expect((await audit(b.store, '0', false, true)).findings).toEqual([]);
      expect((await b.shard()).lanes['5:mail']).toEqual([`1r.${id}`]);
      await b.adminStore().cancel(id);
      b.alive.delete(id);
      expect((await b.shard()).lanes).toEqual({});
    });

    test('counters wait to be rolled up until it takes them, by a sweep or by whoever reads, and count once', async () => {
      const b = bench();
      const minute = Math.floor(b.now / 60_000);
      await b.redises.raw.rpush(`${b.root}stats`, ...Array.from({ length: 1_500 }, () => `${minute} mail acked=1`));
      await sweep(b, 'hset');
      await refusing(b, 'hset', (_, shard) => openStats(shard).totals(['mail']));
      expect(await b.redises.raw.llen(`${b.root}stats`)).toBe(1_500);
      while ((await b.store.sweep('*')).rollupDue);
      expect((await openStats(b.opened()).totals(['mail'])).texts).toEqual(['acked=1500']);
    });
  },
  ['redis-server'],
);
