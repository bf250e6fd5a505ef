/**
 * Keys that vanish: removed by hand, each type in turn, and by a Redis that evicts. What each one costs is said here, and
 * that the audit and two sweeps leave nothing stuck.
 *
 * Plain reads decide nothing in the store: every decision is made inside a script, on the master. So a stale replica (ST5)
 * has nothing to mislead.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Bench, type Redises } from '../support/bench.ts';
import { type ControlledRedis, redisesOn, startControlledRedis } from '../support/redis-control.ts';
import { redisServerPresent } from '../support/redis-server.ts';
import { auditAll, deliverAll, idOf, sweepAll } from '../support/settling.ts';

const present = redisServerPresent();
if (!present) console.warn('skipped: keys that vanish: no redis-server on the PATH');

describe.skipIf(!present)('keys that vanish', () => {
  let redis: ControlledRedis;
  let redises: Redises;
  beforeAll(async () => {
    redis = await startControlledRedis(['--appendonly', 'no']);
    redises = await redisesOn(redis);
  });
  afterAll(async () => {
    await redises.stop();
    await redis.close();
  });

  /** Some of everything: ids by what they are. */
  async function scene() {
    const b = new Bench(redises);
    const [dead = ''] = await b.enqueue(b.message('mail', 'dead'));
    await b.take(1);
    await b.sync({
      settlements: [{ entry: `1.${dead}`, outcome: 'dead', failure: { kind: 'refused', text: 'no' } }],
    });
    const [held = ''] = await b.enqueue(b.message('mail', 'held'));
    await b.take(1, 'consumer');
    const [ready = '', more = '', delayed = ''] = await b.enqueue(
      b.message('mail', 'ready'),
      b.message('news', 'more'),
      b.message('mail', 'delayed', { delayMs: 5_000 }),
    );
    return { b, ids: { dead, held, ready, more, delayed } };
  }
  const remove = (b: Bench, ...names: string[]) => redis.raw.del(...names.map((name) => b.root + name));
  const repair = async (b: Bench) => {
    const found = await auditAll(b.store);
    await sweepAll(b.store);
    await sweepAll(b.store);
    return found;
  };
  const allButDead = ({ held, ready, more, delayed }: Record<string, string>) =>
    [held, ready, more, delayed].toSorted();

  test.each([
    ['ready', 'dead', '-'],
    ['held', '-', 'lease'],
    ['delayed', 'dead', '-'],
  ])(
    'ST6 Keys removed by hand, ST3 Eviction on, SW4 Message missing: the envelope of what is %s: a dead letter with that reason, the others go on',
    async (which) => {
      const { b, ids } = await scene();
      const id = ids[which as keyof typeof ids];
      await remove(b, `m:${id}`);
      const { acked, dead } = await deliverAll(b);
      expect([...acked].toSorted()).toEqual(allButDead(ids).filter((other) => other !== id));
      expect(dead).toEqual(new Set([ids.dead, id]));
      expect((await b.shard()).failures[id]).toMatch(/ missing its envelope is gone$/);
      expect(await b.violations()).toEqual([]);
    },
  );

  test('ST6 Keys removed by hand: the index of lanes: the audit reports the lanes and puts them back, nothing is lost', async () => {
    const { b, ids } = await scene();
    await remove(b, 'ready:*');
    expect(await repair(b)).toEqual(['unindexed-lane 5:mail', 'unindexed-lane 5:news']);
    expect(await b.violations()).toEqual([]);
    expect([...(await deliverAll(b)).acked].toSorted()).toEqual(allButDead(ids));
  });

  test('ST6 Keys removed by hand, SW3 Expiry missing: timers: the audit gives leases their end back; what was delayed is lost', async () => {
    const { b, ids } = await scene();
    await remove(b, 'timers');
    expect(await repair(b)).toEqual(['lease-without-timer consumer']);
    expect([...(await deliverAll(b)).acked].toSorted()).toEqual(allButDead(ids).filter((id) => id !== ids.delayed));
  });

  test('ST6 Keys removed by hand: a lane: its entries are lost, the audit names it, the others go on', async () => {
    const { b, ids } = await scene();
    await remove(b, 'lane:5:mail');
    expect(await auditAll(b.store, false)).toEqual(['empty-lane 5:mail']);
    expect([...(await deliverAll(b)).acked].toSorted()).toEqual(allButDead(ids).filter((id) => id !== ids.ready));
    const [next = ''] = await b.enqueue(b.message('mail', 'next'));
    expect(await b.take(1)).toEqual([`1.${next}`]);
  });

  test('ST6 Keys removed by hand: a lease: its consumer is told, the others go on, and its timer goes', async () => {
    const { b, ids } = await scene();
    await remove(b, 'lease:consumer');
    expect(await auditAll(b.store, false)).toEqual(['timer-without-lease consumer']);
    const entry = `1.${ids.held}`;
    expect(await b.sync({ lease: 'consumer', held: 1 })).toMatchObject({ lost: true });
    const late = await b.sync({ lease: 'consumer', settlements: [{ entry, outcome: 'ack' }] });
    expect(late.statuses).toEqual(['stale']);
    expect([...(await deliverAll(b)).acked].toSorted()).toEqual(allButDead(ids).filter((id) => id !== ids.held));
    expect((await b.shard()).timers).toEqual({});
  });

  test('ST6 Keys removed by hand: the dead letters of a queue: they are lost, and a redrive says gone', async () => {
    const { b, ids } = await scene();
    await remove(b, 'dead:mail');
    expect(await b.adminStore().redrive('mail', [ids.dead])).toEqual(['gone']);
    expect([...(await deliverAll(b)).acked].toSorted()).toEqual(allButDead(ids));
  });

  test('ST6 Keys removed by hand: the failures: the texts are lost, no message is', async () => {
    const { b, ids } = await scene();
    await remove(b, `failures:${ids.dead}`);
    expect(await repair(b)).toEqual([]);
    expect(await b.adminStore().redrive('mail', [ids.dead])).toEqual(['redriven']);
    expect([...(await deliverAll(b)).acked].toSorted()).toEqual([...allButDead(ids), ids.dead].toSorted());
    expect(await b.violations()).toEqual([]);
  });

  test('ST6 Keys removed by hand: awake and sleeper: one more drain is woken, nothing else', async () => {
    const { b, ids } = await scene();
    await remove(b, 'awake', 'sleeper');
    const messages = [b.message('mail', 'wakes')];
    const answer = await b.store.enqueue({ messages });
    b.expectAlive(answer.ids, messages);
    expect(answer.wake).toBe(true);
    expect([...(await deliverAll(b)).acked].toSorted()).toEqual([...allButDead(ids), ...answer.ids].toSorted());
    expect(await b.violations()).toEqual([]);
  });

  test('ST6 Keys removed by hand: the record of a request: its repeat is stored once more, whole', async () => {
    const { b } = await scene();
    const messages = [b.message('mail', 1), b.message('mail', 2)];
    const first = await b.store.enqueue({ messages, token: 'again' });
    await remove(b, 'req:again');
    const second = await b.store.enqueue({ messages, token: 'again' });
    expect(second.replayed).toBe(false);
    expect(second.ids.filter((id) => first.ids.includes(id))).toEqual([]);
    b.expectAlive([...first.ids, ...second.ids], [...messages, ...messages]);
    await deliverAll(b);
    expect(await b.violations()).toEqual([]);
  });

  describe('while a queue is paused', () => {
    async function paused() {
      const b = new Bench(redises);
      const [first = ''] = await b.enqueue(b.message('mail', 1));
      await b.adminStore().pause('mail', '*');
      expect(await b.take(1)).toEqual([]);
      return { b, first };
    }

    test('ST6 Keys removed by hand: the blocked lanes: the audit names them, and after resume all goes out', async () => {
      const { b, first } = await paused();
      await remove(b, 'blocked:mail');
      expect(await repair(b)).toEqual(['unindexed-lane 5:mail']);
      expect(await b.take(1)).toEqual([]);
      await b.adminStore().resume('mail', '*');
      expect(await b.take(1)).toEqual([`1.${first}`]);
    });

    test('ST6 Keys removed by hand: the configuration: the pause is over, and the audit brings the lanes back', async () => {
      const { b, first } = await paused();
      await remove(b, 'config');
      expect(await repair(b)).toEqual(['blocked-lane 5:mail']);
      expect(await b.take(1)).toEqual([`1.${first}`]);
    });

    test('ST6 Keys removed by hand: the index: until the audit new messages of the queue go out, then the pause holds again', async () => {
      const { b, first } = await paused();
      await remove(b, 'ready:*');
      expect(await repair(b)).toEqual(['pause-without-mark mail']);
      const [second = ''] = await b.enqueue(b.message('mail', 2, { group: 'g' }));
      expect(await b.take(2)).toEqual([]);
      await b.adminStore().resume('mail', '*');
      expect((await b.take(2)).toSorted()).toEqual([`1.${first}`, `1.${second}`].toSorted());
    });
  });

  describe('where limits hold', () => {
    /** Two of three at work, a lane blocked, a rate counted, a group held back by a dead letter, and what follows on it. */
    async function limited() {
      const b = new Bench(redises);
      b.deploy({ name: 'mail', pool: '*', policy: 'c=2 r=9/60000' }, { name: 'order', pool: '*', policy: 'b' });
      const callbacks = [{ on: 'done' as const, message: b.message('mail', 'follows') }];
      const [blocks = ''] = await b.enqueue(b.message('order', 1, { group: 'g', callbacks }));
      const settlements = [{ entry: `1.${blocks}`, outcome: 'dead' as const }];
      await b.take(1);
      await b.sync({ settlements });
      const ids = await b.enqueue(
        b.message('order', 2, { group: 'g' }),
        ...['x', 'y', 'z'].map((group) => b.message('mail', group, { group })),
      );
      expect(await b.take(9, 'consumer', { leaseMs: 5_000 })).toHaveLength(2);
      return { b, ids, blocks };
    }
    const atWork = async (b: Bench) => (await b.take(9, 'next')).length;

    test('ST6 Keys removed by hand: the counts of slots: the limit may be passed until the audit, then it holds again', async () => {
      const { b, ids, blocks } = await limited();
      await remove(b, 'inflight');
      expect(await atWork(b)).toBe(0); // what is blocked stays so
      await b.enqueue(b.message('mail', 'passes', { group: 'w' }));
      expect(await atWork(b)).toBe(1);
      let cursor = '0';
      do cursor = (await b.store.sweep('*', { cursor })).cursor;
      while (cursor !== '0');
      expect((await b.shard()).inflight).toMatchObject({ mail: 3 });
      expect(await b.violations()).toEqual([]);
      expect(await b.adminStore().redrive('order', [blocks])).toEqual(['redriven']);
      const { acked } = await deliverAll(b);
      expect(ids.filter((id) => !acked.has(id))).toEqual([]);
    });

    test.each(['blocked:mail', 'blocked:order'])(
      'ST6 Keys removed by hand: %s: the audit names the lanes, and they wait again, for what they waited for',
      async (key) => {
        const { b, ids, blocks } = await limited();
        await remove(b, key);
        expect(await repair(b)).toEqual([expect.stringMatching(/^unindexed-lane /)]);
        expect(await atWork(b)).toBe(0);
        expect(await b.violations()).toEqual([]);
        expect(await b.adminStore().redrive('order', [blocks])).toEqual(['redriven']);
        const { acked } = await deliverAll(b);
        expect(ids.filter((id) => !acked.has(id))).toEqual([]);
      },
    );

    test('ST6 Keys removed by hand: what a period has given: it may give as much again, nothing else', async () => {
      const { b, ids, blocks } = await limited();
      await remove(b, 'rate:60000:mail');
      expect(await atWork(b)).toBe(0);
      await b.adminStore().redrive('order', [blocks]);
      const { acked } = await deliverAll(b);
      expect(ids.filter((id) => !acked.has(id))).toEqual([]);
    });

    test('ST6 Keys removed by hand: what follows on a message is lost; the message is not', async () => {
      const { b, blocks } = await limited();
      await remove(b, `callbacks:${blocks}`);
      await b.adminStore().redrive('order', [blocks]);
      expect((await deliverAll(b)).acked).toContain(blocks);
      expect(await b.violations()).toEqual([]);
    });
  });

  test('ST3 Eviction on: a Redis that evicts under load: every message is delivered, dead as missing, or its entry was evicted', async () => {
    const small = await startControlledRedis([
      '--appendonly',
      'no',
      '--maxmemory-policy',
      'allkeys-lru',
      '--maxmemory-samples',
      '3',
    ]);
    const smallRedises = await redisesOn(small);
    const b = new Bench(smallRedises);
    try {
      await small.raw.config('SET', 'maxmemory', `${(await usedBytes(small)) + 1_500_000}`);
      const ids: string[] = [];
      for (let i = 0; i < 60; i++) {
        const json = JSON.stringify({ body: 'x'.repeat(2_000) });
        ids.push(...(await b.enqueue(...Array.from({ length: 20 }, (_, n) => b.message(`q${n % 4}`, n, { json })))));
        if (i % 3 === 0) await b.take(2, `crashed${i}`);
      }
      await small.raw.config('SET', 'maxmemory', '0'); // the storm is over
      const before = await b.shard();
      const waiting = [...Object.values(before.lanes), ...Object.values(before.leases)].flat().map(idOf);
      const timed = Object.keys(before.timers).filter((member) => member.startsWith('m '));
      const inDead = Object.values(before.dead).flatMap((letters) => Object.keys(letters).map(idOf));
      const entries = new Set([...waiting, ...timed.map((member) => idOf(member.split(' ')[3] ?? '')), ...inDead]);
      const findings = await auditAll(b.store);
      const { given, acked, dead } = await deliverAll(b);
      const kept = ids.filter((id) => entries.has(id));
      const evicted = ids.length - Object.keys(before.envelopes).length;
      console.log(
        `ST3: ${ids.length} enqueued, ${evicted} envelopes evicted, ${ids.length - kept.length} entries evicted with their list; ` +
          `then ${acked.size} delivered, ${dead.size} dead as missing, ${findings.length} findings of the audit`,
      );
      expect(evicted).toBeGreaterThan(0);
      expect(kept.filter((id) => !acked.has(id) && !dead.has(id))).toEqual([]);
      expect([...given.values()].every((times) => times === 1)).toBe(true);
      const { failures, lanes, leases, timers } = await b.shard();
      expect([...dead].filter((id) => !/ missing /.test(failures[id] ?? ''))).toEqual([]);
      expect({ lanes, leases, timers }).toEqual({ lanes: {}, leases: {}, timers: {} });
    } finally {
      await smallRedises.stop();
      await small.close();
    }
  }, 60_000);
});

async function usedBytes({ raw }: ControlledRedis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await raw.info('memory'))?.[1]);
}
