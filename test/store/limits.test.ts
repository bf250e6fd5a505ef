// Limits of queues and groups: what may be in flight and in a period; lanes over a limit are blocked and come back by themselves.
import { expect, test } from 'vitest';
import { defineQueue, type QueueOptions } from '../../src/queue/queue.ts';
import { audit } from '../../src/store/audit.ts';
import type { Outcome } from '../../src/store/encode-settlements.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

const queue = (options: QueueOptions, name = 'mail') => defineQueue(name, { ...options, handler: () => {} });
const idOf = (entry: string) => entry.slice(entry.indexOf('.') + 1);
const groupsOf = (b: Bench, groups: string[], each = 1) =>
  b.enqueue(...groups.flatMap((group) => Array.from({ length: each }, (_, i) => b.message('mail', i, { group }))));
const settle = (b: Bench, entries: string[], outcome: Outcome, rest: object = {}, lease = 'a') =>
  b.sync({ lease, held: -1, settlements: entries.map((entry) => ({ entry, outcome, delayMs: 0, ...rest })) });
const blocked = async (b: Bench) => Object.values((await b.shard()).blocked).flat().length;

/** A queue whose one slot is taken, and so many lanes of it between each two of another. */
async function lanesBetween(b: Bench, ...full: number[]): Promise<void> {
  b.deploy(queue({ limits: { concurrency: 1 } }));
  await b.enqueue(b.message('mail', 0, { group: 'first' }));
  expect(await b.take(1, 'holder')).toHaveLength(1);
  let lane = 0;
  for (const count of full) {
    b.now += 1;
    for (let left = count; left > 0; left -= 1_000) {
      const groups = Array.from({ length: Math.min(1_000, left) }, () => `g${lane++}`);
      await groupsOf(b, groups);
    }
    b.now += 1;
    await b.enqueue(b.message('other', count, { group: `after-${lane}` }));
  }
}

onEachRedis(
  'many lanes at their limit',
  (bench) => {
    test('are moved aside 2,000 at a time, however few of what stands between them can be taken', async () => {
      const b = bench();
      await lanesBetween(b, 9, 259, 6_000);
      const { commands } = await b.cost(() => b.take(100));
      expect(commands).toBeLessThan(2_600);
    });

    test('leave a batch to twenty of the lanes behind them, not to each', async () => {
      const b = bench();
      await lanesBetween(b, 30);
      b.now += 1;
      await b.enqueue(...Array.from({ length: 1_000 }, (_, i) => b.message('other', i, { group: `g${i % 100}` })));
      const { commands } = await b.cost(async () => expect(await b.take(100)).toHaveLength(100));
      expect(commands).toBe(58); // three of them put the thirty lanes aside, 20 cut off what was taken
    });

    test('and those of a paused queue hide nothing that is behind them', async () => {
      const b = bench();
      await b.enqueue(b.message('other', 1));
      await lanesBetween(b, 260);
      b.now += 1;
      await b.enqueue(...Array.from({ length: 1_000 }, (_, i) => b.message('paused', i, { group: `g${i}` })));
      b.now += 1;
      await b.enqueue(...Array.from({ length: 50 }, (_, i) => b.message('other', i, { group: `g${i}` })));
      await b.adminStore().pause('paused', '*');
      expect(await b.take(100)).toHaveLength(52);
    });
  },
  ['redis-server'],
);

onEachRedis('concurrency', (bench) => {
  test('no more than the limit is in flight, over all leases and lanes; the rest waits, blocked', async () => {
    const b = bench();
    b.deploy(queue({ limits: { concurrency: 3 } }));
    await groupsOf(b, ['a', 'b', 'c', 'd', 'e'], 2);
    b.now += 1;
    expect(await b.take(2, 'x')).toHaveLength(2);
    b.now += 1;
    expect(await b.take(10, 'y')).toHaveLength(1);
    expect(await b.take(10, 'z')).toHaveLength(0);
    expect((await b.shard()).ready).toEqual({});
    expect(await blocked(b)).toBe(5);
  });

  test.each(['ack', 'retry', 'dead', 'release'] as const)(
    'a slot is free again when its message leaves the lease by %s',
    async (outcome) => {
      const b = bench();
      b.deploy(queue({ limits: { concurrency: 1 } }));
      await groupsOf(b, ['a', 'b']);
      const [first = ''] = await b.take(5);
      expect(await b.take(5, 'y')).toEqual([]);
      await settle(b, [first], outcome, {
        delayMs: outcome === 'retry' ? 1_000 : 0,
        failure: { kind: 'failed', text: '' },
      });
      expect(await b.take(5, 'y')).toHaveLength(1);
      expect(await b.take(5, 'z')).toEqual([]);
    },
  );

  test('LF5 a slot of a crashed consumer is free when its lease is over, and not before', async () => {
    const b = bench();
    b.deploy(queue({ limits: { concurrency: 2 } }));
    await groupsOf(b, ['a', 'b', 'c']);
    expect(await b.take(9, 'dead', { leaseMs: 5_000 })).toHaveLength(2);
    b.now += 4_999;
    await b.store.sweep('*');
    expect(await b.take(9, 'y')).toEqual([]);
    b.now += 1;
    await b.store.sweep('*');
    expect(await b.take(9, 'y')).toHaveLength(2);
  });

  test('SC3 a consumer that comes back late frees no slot that it does not have', async () => {
    const b = bench();
    b.deploy(queue({ limits: { concurrency: 1 } }));
    await groupsOf(b, ['a', 'b']);
    const [lapsed = ''] = await b.take(1, 'slow', { leaseMs: 1_000 });
    b.now += 1_000;
    await b.store.sweep('*');
    expect(await b.take(5, 'y')).toHaveLength(1);
    await settle(b, [lapsed], 'ack', {}, 'slow');
    expect(await b.take(5, 'z')).toEqual([]);
  });

  test('what was cancelled, has expired or lost its envelope takes no slot', async () => {
    const b = bench();
    b.deploy(queue({ limits: { concurrency: 1 } }));
    const [, late = ''] = await b.enqueue(
      b.message('mail', 1, { group: 'a', ttlMs: 10 }),
      b.message('mail', 2, { group: 'b' }),
    );
    b.now += 10;
    expect((await b.take(1)).map(idOf)).toEqual([late]);
    expect(await b.take(1, 'b')).toEqual([]);
  });

  test('each group has its own limit, whatever the priorities of its messages', async () => {
    const b = bench();
    b.deploy(queue({ limits: { group: { concurrency: 2 } } }));
    const inA = await b.enqueue(
      ...[1, 2, 3].map((i) => b.message('mail', i, { group: 'a' })),
      b.message('mail', 4, { group: 'a', priority: 9 }),
      b.message('mail', 5, { group: 'b' }),
      b.message('mail', 6),
    );
    const taken = await b.take(9);
    expect(taken).toHaveLength(4);
    const shard = await b.shard();
    expect(shard.inflight).toEqual({ mail: 4, 'mail/a': 2, 'mail/b': 1, 'mail/': 1 });
    await settle(
      b,
      taken.filter((entry) => inA.slice(0, 4).includes(idOf(entry))),
      'ack',
    );
    expect((await b.take(9, 'y')).map(idOf)).toEqual([inA[2], inA[3]]);
  });

  test('a limit that operators set counts over that of the code, also for what waits already; taken away, the code counts', async () => {
    const b = bench();
    b.deploy(queue({ limits: { concurrency: 1 } }));
    await groupsOf(b, ['a', 'b', 'c', 'd']);
    expect(await b.take(9)).toHaveLength(1);
    await b.adminStore().limit('mail', '*', { concurrency: ' c=3' });
    expect(await b.take(9, 'y')).toHaveLength(2);
    expect((await b.adminStore().count('mail')).limits).toBe(' c=3');
    await b.adminStore().limit('mail', '*', { concurrency: '' });
    expect(await b.take(9, 'z')).toEqual([]);
    expect((await b.shard()).config).toEqual({});
  });

  test('a limit that a deployment raises, or drops, counts for what waits from the next message that is done', async () => {
    const b = bench();
    b.deploy(queue({ limits: { concurrency: 1 } }));
    await groupsOf(b, ['a', 'b', 'c', 'd', 'e', 'f']);
    const [first = ''] = await b.take(9);
    b.deploy(queue({ limits: { concurrency: 3 } }));
    const more = await b.sync({ lease: 'a', held: 0, want: 9, settlements: [{ entry: first, outcome: 'ack' }] });
    expect(more.taken).toHaveLength(3);
    b.deploy(queue({}));
    await settle(b, [more.taken[0]?.entry ?? ''], 'ack');
    expect(await b.take(9, 'y')).toHaveLength(2);
  });

  test('a paused queue with a limit gives nothing when a slot is free, and goes on when it is resumed', async () => {
    const b = bench();
    b.deploy(queue({ limits: { concurrency: 1 } }));
    await groupsOf(b, ['a', 'b']);
    const taken = await b.take(9);
    await b.adminStore().pause('mail', '*');
    await settle(b, taken, 'ack');
    expect(await b.take(9, 'y')).toEqual([]);
    await b.adminStore().resume('mail', '*');
    expect(await b.take(9, 'y')).toHaveLength(1);
  });

  test('purge and cancel of what is blocked leave nothing behind', async () => {
    const b = bench();
    b.deploy(queue({ limits: { concurrency: 1 } }));
    const [, second = '', ...others] = await groupsOf(b, ['a', 'b', 'c']);
    const taken = await b.take(9);
    await b.adminStore().cancel(second);
    await b.adminStore().purge('mail', ['ready'], '0');
    for (const id of [second, ...others]) b.alive.delete(id);
    expect((await b.shard()).blocked).toEqual({});
    await settle(b, taken, 'ack');
  });

  test('the audit counts slots again where the counts were damaged, and lets go what waited for them', async () => {
    const b = bench();
    b.deploy(queue({ limits: { concurrency: 2 } }));
    await groupsOf(b, ['a', 'b', 'c']);
    await b.take(1);
    await b.redises.raw.hset(`${b.root}inflight`, 'mail', 7);
    expect(await b.take(1, 'y')).toEqual([]);
    for (let pass = 0; pass < 3; pass++) {
      let cursor = '0';
      do cursor = (await audit(b.store, cursor, true)).cursor;
      while (cursor !== '0');
    }
    const [only = ''] = await b.take(0).then(async () => (await b.shard()).leases.a ?? []);
    await settle(b, [only], 'ack');
    expect(await b.take(9, 'y')).toHaveLength(2);
  });

  test('blocked lanes come back in the order of their turns', async () => {
    const b = bench();
    b.deploy(queue({ limits: { concurrency: 1 } }));
    const order: string[] = [];
    const groups = ['a', 'b', 'c'];
    const ids = await groupsOf(b, groups, 3);
    for (let i = 0; i < 9; i++) {
      b.now += 1;
      const [entry = ''] = await b.take(1);
      order.push(groups[Math.floor(ids.indexOf(idOf(entry)) / 3)] ?? '');
      b.now += 1;
      await settle(b, [entry], 'ack');
    }
    expect(order.join('')).toMatch(/^(abc|acb|bac|bca|cab|cba)\1\1$/);
  });
});

onEachRedis('a rate', (bench) => {
  test('no period gives more than its share; what waits comes by itself when the next begins', async () => {
    const b = bench();
    b.now = 1_800_000_018_000;
    b.deploy(queue({ limits: { rate: { limit: 4, per: '1m' } } })); // what it has given is kept for two periods of the server's time
    await groupsOf(b, ['a', 'b', 'c', 'd', 'e', 'f'], 2);
    const leaseMs = 600_000;
    const { taken, nextDue } = await b.sync({ want: 9, leaseMs });
    expect(taken).toHaveLength(4);
    expect(nextDue).toBe(1_800_000_060_000);
    b.now = 1_800_000_059_999;
    expect(await b.take(9, 'y')).toHaveLength(0);
    b.now = 1_800_000_060_000;
    expect(await b.take(9, 'y', { leaseMs })).toHaveLength(4);
    b.now = 1_800_000_120_000;
    await b.store.sweep('*');
    expect(await b.take(9, 'z')).toHaveLength(4);
    expect(await blocked(b)).toBe(0);
  });

  test('with more lanes than a period lets through none is forgotten', async () => {
    const b = bench();
    b.deploy(queue({ limits: { rate: { limit: 5, per: '1s' } } }));
    await groupsOf(
      b,
      Array.from({ length: 23 }, (_, i) => `g${i}`),
    );
    const taken: number[] = [];
    for (let period = 0; period < 6; period++) {
      taken.push((await b.take(50, `l${period}`)).length);
      b.now = Math.floor(b.now / 1_000) * 1_000 + 1_000;
    }
    expect(taken).toEqual([5, 5, 5, 5, 3, 0]);
  });

  test('of each group leaves the others alone', async () => {
    const b = bench();
    b.deploy(queue({ limits: { group: { rate: { limit: 1, per: '10s' } } } }));
    await groupsOf(b, ['a', 'b'], 3);
    expect(await b.take(9)).toHaveLength(2);
    b.now = Math.floor(b.now / 10_000) * 10_000 + 10_000;
    expect(await b.take(9, 'y')).toHaveLength(2);
  });

  test('holds together with concurrency, and neither strands the other', async () => {
    const b = bench();
    b.deploy(queue({ limits: { concurrency: 2, rate: { limit: 3, per: '1m' }, group: { concurrency: 1 } } }));
    const ids = await groupsOf(b, ['a', 'b', 'c', 'd', 'e'], 4);
    const perPeriod = new Map<number, number>();
    for (let step = 0; b.alive.size > 0 && step < 400; step++) {
      const taken = await b.take(9, `l${step}`);
      expect(taken.length).toBeLessThanOrEqual(2);
      const period = Math.floor(b.now / 60_000);
      perPeriod.set(period, (perPeriod.get(period) ?? 0) + taken.length);
      b.now += 3_000;
      await settle(b, taken, 'ack', {}, `l${step}`);
    }
    expect([...perPeriod.values()].reduce((sum, n) => sum + n)).toBe(ids.length);
    expect(Math.max(...perPeriod.values())).toBe(3);
    expect((await b.shard()).inflight).toEqual({});
  });
});

onEachRedis('an ordered queue', (bench) => {
  const take = async (b: Bench, want = 9, lease = 'a') => (await b.take(want, lease)).map(idOf);

  test('gives out one message of a group at a time, in order', async () => {
    const b = bench();
    b.deploy(queue({ ordered: true }));
    const [a1, a2, b1, b2] = await groupsOf(b, ['a', 'b'], 2);
    expect(new Set(await take(b))).toEqual(new Set([a1, b1]));
    const { taken } = await b.sync({
      lease: 'a',
      held: 1,
      want: 9,
      settlements: [{ entry: `1.${a1}`, outcome: 'ack' }],
    });
    expect(taken.map(({ entry }) => idOf(entry))).toEqual([a2]);
    expect(await take(b, 9, 'y')).toEqual([]);
    await settle(b, [`1.${b1}`], 'ack');
    expect(await take(b, 9, 'y')).toEqual([b2]);
  });

  test('LF4 a failing message holds back its group, and only that, until it is done', async () => {
    const b = bench();
    b.deploy(queue({ ordered: true }));
    const [a1 = '', a2, b1 = '', b2] = await groupsOf(b, ['a', 'b'], 2);
    await take(b);
    await settle(b, [`1.${a1}`], 'retry', { delayMs: 5_000, failure: { kind: 'failed', text: '' } });
    await settle(b, [`1.${b1}`], 'ack');
    await b.enqueue(b.message('mail', 'later', { group: 'a' }));
    expect(await take(b, 9, 'y')).toEqual([b2]);
    b.now += 5_000;
    expect(await take(b, 9, 'z')).toEqual([a1]);
    await settle(b, [`2.${a1}`], 'ack', {}, 'z');
    expect(await take(b, 9, 'z')).toEqual([a2]);
  });

  test('a group of one message that fails is not overtaken by what comes while it waits', async () => {
    const b = bench();
    b.deploy(queue({ ordered: true }));
    const [a1 = ''] = await groupsOf(b, ['a']);
    await take(b);
    await settle(b, [`1.${a1}`], 'retry', { delayMs: 5_000, failure: { kind: 'failed', text: '' } });
    const [a2] = await groupsOf(b, ['a']);
    expect(await take(b, 9, 'y')).toEqual([]);
    b.now += 5_000;
    expect(await take(b, 9, 'y')).toEqual([a1]);
    await settle(b, [`2.${a1}`], 'ack', {}, 'y');
    expect(await take(b, 9, 'y')).toEqual([a2]);
  });

  test('a crash costs an attempt and keeps the order', async () => {
    const b = bench();
    b.deploy(queue({ ordered: true }));
    const [a1] = await groupsOf(b, ['a'], 2);
    await b.take(9, 'dead', { leaseMs: 1_000 });
    b.now += 1_000;
    await b.store.sweep('*');
    expect(await b.take(9, 'y')).toEqual([`2.${a1}`]);
  });

  test.each([
    ['skip', 1],
    ['block', 0],
  ] as const)('after a death the group follows its policy: %s', async (afterDeath, goesOn) => {
    const b = bench();
    b.deploy(queue({ ordered: { afterDeath } }));
    const [a1 = ''] = await groupsOf(b, ['a'], 2);
    await take(b);
    await settle(b, [`1.${a1}`], 'dead', { failure: { kind: 'refused', text: 'no' } });
    expect(await take(b, 9, 'y')).toHaveLength(goesOn);
    expect((await b.adminStore().look(a1)).state).toBe('dead');
    expect((await b.adminStore().browse('mail', 'dead', 9, '')).messages.map(({ entry }) => entry)).toEqual([
      `1.${a1}`,
    ]);
  });

  test.each(['redrive', 'cancel', 'purge'] as const)(
    'a blocked group goes on after %s of the dead letter',
    async (way) => {
      const b = bench();
      b.deploy(queue({ ordered: { afterDeath: 'block' } }));
      const [a1 = '', a2] = await groupsOf(b, ['a'], 2);
      await take(b);
      await settle(b, [`1.${a1}`], 'dead', { failure: { kind: 'refused', text: 'no' } });
      expect(await take(b)).toEqual([]);
      if (way === 'redrive') expect(await b.adminStore().redrive('mail', [a1])).toEqual(['redriven']);
      if (way === 'cancel') expect(await b.adminStore().cancel(a1)).toBe('dead');
      if (way === 'purge') await b.adminStore().purge('mail', ['dead'], '0');
      if (way !== 'redrive') b.alive.delete(a1);
      expect(await take(b, 9, 'y')).toEqual([way === 'redrive' ? a1 : a2]);
    },
  );

  test('a message that waits to be tried again and is cancelled, or purged, lets its group go on', async () => {
    const b = bench();
    b.deploy(queue({ ordered: true }));
    const [a1 = '', a2, b1 = '', b2] = await groupsOf(b, ['a', 'b'], 2);
    await take(b);
    await settle(b, [`1.${a1}`, `1.${b1}`], 'retry', { delayMs: 60_000, failure: { kind: 'failed', text: '' } });
    expect(await b.adminStore().cancel(a1)).toBe('delayed');
    expect(await take(b, 9, 'y')).toEqual([a2]);
    await b.adminStore().purge('mail', ['delayed'], '0');
    for (const id of [a1, b1]) b.alive.delete(id);
    expect(await take(b, 9, 'z')).toEqual([b2]);
  });
});

onEachRedis('turns', (bench) => {
  test('go by weight, and no further than the quantum', async () => {
    const b = bench();
    b.deploy(queue({ fair: { quantum: 2, weights: { big: 3 } } }));
    const ids = await groupsOf(b, ['big', 'small'], 20);
    const names = (await b.take(16)).map((entry) => (ids.indexOf(idOf(entry)) < 20 ? 'B' : 's'));
    expect(names.join('')).toMatch(/^(BBBBBBss|ssBBBBBB){2}$/);
  });

  test('divide a batch by weight, however much the lanes weigh together', async () => {
    const b = bench();
    b.deploy(queue({ fair: { weights: { big: 40, bigger: 55 } } }));
    const ids = await groupsOf(b, ['small', 'big', 'bigger', 'other'], 100);
    const lanes = (await b.take(97)).map((entry) => Math.floor(ids.indexOf(idOf(entry)) / 100));
    expect([0, 1, 2, 3].map((lane) => lanes.filter((of) => of === lane).length)).toEqual([1, 40, 55, 1]);
  });

  test('come round for each of a few more lanes than share a batch', async () => {
    const b = bench();
    const groups = Array.from({ length: 30 }, (_, n) => `g${n}`);
    const ids = await groupsOf(b, groups, 80);
    const names: string[] = [];
    for (let batch = 0; batch < 12; batch++) {
      b.now += 7;
      const taken = await b.take(100);
      for (const entry of taken) names.push(groups[Math.floor(ids.indexOf(idOf(entry)) / 80)] ?? '');
      await settle(b, taken, 'ack');
    }
    const shares = groups.map((group) => names.filter((name) => name === group).length);
    expect(Math.min(...shares)).toBeGreaterThanOrEqual(36);
    expect(Math.max(...shares)).toBeLessThanOrEqual(44);
  });

  test('of a lane that waited for too long come beside the most urgent, until it has caught up', async () => {
    const b = bench();
    b.deploy(queue({ maxWait: '10s' }, 'low'));
    const [first = '', second = ''] = await b.enqueue(
      b.message('low', 1, { priority: 9 }),
      b.message('low', 2, { priority: 9 }),
    );
    const urgent = (count: number) =>
      b.enqueue(...Array.from({ length: count }, (_, i) => b.message('mail', i, { priority: 0 })));
    await urgent(60);
    const ack = async () => {
      const taken = await b.take(4);
      await settle(b, taken, 'ack');
      return taken.map(idOf);
    };
    b.now += 9_999;
    await b.store.sweep('*');
    expect(await ack()).not.toContain(first);
    b.now += 1;
    await b.store.sweep('*');
    expect(await ack()).toEqual(expect.arrayContaining([first, second]));
    const [third = ''] = await b.enqueue(b.message('low', 3, { priority: 9 }));
    for (let i = 0; i < 5; i++) expect(await ack()).not.toContain(third);
  });

  test('of a lane that waited for too long and has no slot left are blocked, and nowhere else', async () => {
    const b = bench();
    b.deploy(queue({ maxWait: '10s', limits: { group: { concurrency: 1 } } }, 'low'));
    await b.enqueue(...[1, 2, 3].map((n) => b.message('low', n, { priority: 9, group: 'g' })));
    await b.enqueue(b.message('mail', 1, { priority: 0 }));
    b.now += 10_000;
    await b.store.sweep('*');
    expect(await b.take(10)).toHaveLength(2);
    expect(await blocked(b)).toBe(1);
    expect((await b.shard()).ready).toEqual({});
  });

  test('of a lane that waited for too long come behind a more urgent lane that had its last turn earlier', async () => {
    const b = bench();
    b.deploy(queue({ maxWait: '10s' }, 'low'));
    const [urgent = ''] = await b.enqueue(b.message('mail', 1, { priority: 0 }));
    b.now += 1;
    const [low = ''] = await b.enqueue(b.message('low', 1, { priority: 9 }));
    b.now += 10_000;
    await b.store.sweep('*');
    expect((await b.take(2)).map(idOf)).toEqual([urgent, low]);
  });

  test('a lane without a promise never comes before its priority', async () => {
    const b = bench();
    b.deploy(queue({}, 'low'));
    const [low] = await b.enqueue(b.message('low', 1, { priority: 9 }));
    await b.enqueue(...Array.from({ length: 8 }, (_, i) => b.message('mail', i, { priority: 0 })));
    b.now += 3_600_000;
    await b.store.sweep('*');
    expect((await b.take(8)).map(idOf)).not.toContain(low);
  });
});
