// Limits, order and chains: what once lost a message, passed a limit, stranded a lane or looped.
import { expect, test } from 'vitest';
import type { StoredDedup } from '../../src/message/envelope.ts';
import { defineQueue, type QueueOptions } from '../../src/queue/queue.ts';
import type { Settlement } from '../../src/store/encode-settlements.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

const queue = (options: QueueOptions, name = 'mail') => defineQueue(name, { ...options, handler: () => {} });
const idOf = (entry: string) => entry.slice(entry.indexOf('.') + 1);
const failure = { kind: 'failed', text: '' } as const;
const settle = (b: Bench, entries: string[], outcome: Settlement['outcome'], lease = 'a', delayMs = 0) =>
  b.sync({ lease, held: -1, settlements: entries.map((entry) => ({ entry, outcome, delayMs, failure })) });
const groups = (b: Bench, count: number, options = {}) =>
  b.enqueue(...Array.from({ length: count }, (_, i) => b.message('mail', i, { group: `g${i}`, ...options })));
/** A sweep of every page of keys. */
async function sweepAllKeys(b: Bench): Promise<void> {
  let cursor = '0';
  do cursor = (await b.store.sweep('*', { cursor })).cursor;
  while (cursor !== '0');
}
const debounce = (): StoredDedup => ({ digest: 'd', windowMs: 60_000, mode: 'debounce', release: false });

onEachRedis('no lane is stranded', (bench) => {
  test('where the lane whose turn it was is emptied by a cancel', async () => {
    const b = bench();
    b.deploy(queue({ limits: { concurrency: 1 } }));
    const ids = await groups(b, 3);
    const taken = await b.take(9);
    await settle(b, taken, 'ack');
    const [next = ''] = Object.keys((await b.shard()).ready['*'] ?? {});
    const id = ids[Number(next.slice(-1))] ?? '';
    expect(await b.adminStore().cancel(id)).toBe('ready');
    b.alive.delete(id);
    expect(await b.take(9, 'y')).toHaveLength(1);
  });

  test('where the lane whose turn it is has to wait for its group: another of the queue has it', async () => {
    const b = bench();
    b.deploy(queue({ limits: { concurrency: 1, group: { rate: { limit: 1, per: '1h' } } } }));
    const [x, y, again, z] = await b.enqueue(
      b.message('mail', 1, { group: 'x', priority: 1 }),
      b.message('mail', 2, { group: 'y', priority: 5 }),
      b.message('mail', 3, { group: 'y', priority: 7 }),
      b.message('mail', 4, { group: 'z', priority: 9 }),
    );
    const order: string[] = [];
    for (const lease of ['1', '2', '3']) {
      const taken = await b.take(9, lease);
      order.push(...taken.map(idOf));
      await settle(b, taken, 'ack', lease);
    }
    expect(order).toEqual([x, y, z]);
    b.now += 3_600_000;
    expect((await b.take(9, 'later')).map(idOf)).toEqual([again]);
  });

  test('where a deployment drops the limit of more lanes than come back at once', async () => {
    const b = bench();
    b.deploy(queue({ limits: { concurrency: 1 } }));
    await groups(b, 250);
    const first = await b.take(250);
    b.deploy(queue({}));
    await settle(b, first, 'ack');
    let taken = 0;
    for (let turn = 0; turn < 4; turn++) taken += (await b.take(250, `l${turn}`)).length;
    expect(taken).toBe(249);
  });

  test('where a deployment drops the order of a queue: a dead letter holds nobody back any more', async () => {
    const b = bench();
    b.deploy(queue({ ordered: { afterDeath: 'block' } }));
    await b.enqueue(b.message('mail', 1, { group: 'a' }), b.message('mail', 2, { group: 'a' }));
    await settle(b, await b.take(1), 'dead');
    expect(await b.take(9, 'y')).toEqual([]);
    b.store = b.openStore(() => b.now, b.prefix, ['mail'], '');
    await sweepAllKeys(b);
    expect(await b.take(9, 'z')).toHaveLength(1);
  });
});

onEachRedis('nothing turns in circles', (bench) => {
  test('where more lanes than come back at once are blocked for a limit, and the queue is resumed', async () => {
    const b = bench();
    b.deploy(queue({ limits: { concurrency: 1 } }));
    await groups(b, 250);
    await b.take(250);
    await b.adminStore().limit('mail', '*', { concurrency: ' c=2' });
    await b.take(250, 'y');
    for (let turn = 0; turn < 2; turn++) await b.take(250, `l${turn}`);
    expect((await b.shard()).config).toEqual({ mail: 'open * c=2' });
    const { commands } = await b.cost(() => b.take(250, 'z'));
    expect(commands).toBeLessThan(20);
    expect((await b.sync({ lease: 'z', want: 9 })).unseen).toBe(false);
  });

  test('where lanes that have no room cannot be blocked; the others go on', async () => {
    const b = bench();
    b.deploy(queue({ limits: { concurrency: 1 } }));
    await groups(b, 4, { priority: 1 });
    const [other] = await b.enqueue(b.message('news', 1, { priority: 5 }));
    await b.take(1);
    await b.redises.raw.del(`${b.root}blocked:mail`);
    await b.redises.raw.set(`${b.root}blocked:mail`, 'wrong');
    expect((await b.take(1, 'y')).map(idOf)).toEqual([other]);
    await b.redises.raw.del(`${b.root}blocked:mail`);
    for (const lane of Object.keys((await b.shard()).lanes)) await b.redises.raw.zadd(`${b.root}ready:*`, 1, lane);
  });

  test('where a period opens for more lanes than come back at once, and only the number at work is limited now', async () => {
    const b = bench();
    b.deploy(queue({ limits: { rate: { limit: 1, per: '1s' } } }));
    await groups(b, 1_200);
    await b.take(1_200);
    b.deploy(queue({ limits: { concurrency: 1 } }));
    b.now += 60_000;
    await b.sync({ lease: 'y', want: 9 });
    // Nothing of the rate is left: only the look, a minute later, at what waits for a slot.
    const looks = Object.entries((await b.shard()).timers).filter(([member]) => member.startsWith('q '));
    expect(looks).toEqual([['q * mail', b.now + 60_000]]);
    expect(Object.keys((await b.shard()).leases)).toContain('y');
  });
});

onEachRedis('nothing is doubled or lost', (bench) => {
  test('where a message that waits to be tried again, and holds its group back, is replaced by another', async () => {
    const b = bench();
    b.deploy(queue({ ordered: true }));
    const [id = ''] = await b.enqueue(b.message('mail', 1, { group: 'a', dedup: debounce() }));
    await settle(b, await b.take(1), 'retry', 'a', 5_000);
    await b.store.enqueue({ messages: [b.message('mail', 2, { group: 'a', dedup: debounce(), delayMs: 9_000 })] });
    b.now += 5_000;
    expect(await b.take(9, 'y')).toEqual([]);
    b.now += 4_000;
    expect(await b.take(9, 'y')).toEqual([`1.${id}`]);
  });

  test('where what follows on a death meets a key of a wrong type while others are on their way into a lease', async () => {
    const b = bench();
    const [waits = ''] = await b.enqueue(b.message('damaged', 1, { dedup: debounce() }));
    const callback = b.message('damaged', 2, { dedup: debounce() });
    const [, bystander] = await b.enqueue(
      b.message('mail', 1, { ttlMs: 10, callbacks: [{ on: 'dead', message: callback }] }),
      b.message('mail', 2),
    );
    b.now += 10;
    await b.redises.raw.rename(`${b.root}lane:5:damaged`, `${b.root}aside`);
    await b.redises.raw.set(`${b.root}lane:5:damaged`, 'wrong');
    const taken = await b.take(9).catch(() => []);
    expect(taken.map(idOf)).toContain(bystander);
    await b.redises.raw.rename(`${b.root}aside`, `${b.root}lane:5:damaged`);
    await b.redises.raw.zadd(`${b.root}ready:*`, 1, '5:damaged');
    b.now += 60_000;
    const followed = (await b.take(9, 'y')).map(idOf).filter((id) => !b.alive.has(id));
    expect(followed).toHaveLength(1);
    b.alive.add(followed[0] ?? '');
    expect((await b.adminStore().look(waits)).state).not.toBe('gone');
  });

  test('where a lapse kills a message and the sync that fires it fails: what follows is there', async () => {
    const b = bench();
    const callback = b.message('after', 1);
    await b.enqueue(b.message('mail', 1, { maxAttempts: 1, callbacks: [{ on: 'dead', message: callback }] }));
    await b.take(1, 'crashed', { leaseMs: 1_000 });
    b.now += 1_000;
    await b.redises.raw.set(`${b.root}lease:y`, 'wrong');
    await expect(b.take(9, 'y')).rejects.toThrow();
    await b.redises.raw.del(`${b.root}lease:y`);
    const [entry = ''] = await b.take(9, 'z');
    expect(idOf(entry)).toMatch(/-dead1-/);
    b.alive.add(idOf(entry));
  });

  test('where a consumer elsewhere fires a lapse that kills: a drain is woken for what follows', async () => {
    const b = bench();
    await b.enqueue(
      b.message('mail', 1, { maxAttempts: 1, callbacks: [{ on: 'dead', message: b.message('after', 1) }] }),
    );
    await b.take(1, 'crashed', { leaseMs: 1_000, drain: { ending: true, sleepMs: 0 } });
    b.now += 1_000;
    expect((await b.sync({ lease: 'elsewhere', want: 1, pools: ['pulled'] })).wake).toBe(true);
    const [entry = ''] = await b.take(9, 'z');
    b.alive.add(idOf(entry));
  });

  test('where slots are freed for a pool whose index has a wrong type: what was released is back once', async () => {
    const b = bench();
    b.deploy({ name: 'mail', pool: 'mail', policy: 'c=1' });
    await b.enqueue(...['a', 'b'].map((group) => b.message('mail', 1, { group, pool: 'mail' })));
    const taken = await b.take(9, 'a', { pools: ['mail'] });
    await b.take(9, 'y', { pools: ['mail'] });
    await b.redises.raw.set(`${b.root}ready:mail`, 'wrong');
    for (const _ of ['first', 'replayed']) await settle(b, taken, 'release').catch(() => {});
    await b.redises.raw.del(`${b.root}ready:mail`);
    b.now += 60_000; // what the index did not take waits so long
    await sweepAllKeys(b);
    expect(Object.values((await b.shard()).lanes).flat()).toHaveLength(2);
  });
});

onEachRedis('a limit means what it says', (bench) => {
  test.each(['b', 'o'])('for a pull queue that is called %s: it is not ordered by its name', async (name) => {
    const b = bench();
    b.deploy({ name, pool: name, policy: 'c=2' });
    await b.enqueue(...[1, 2].map((i) => b.message(name, i, { pool: name, group: 'a' })));
    expect(await b.take(9, 'a', { pools: [name] })).toHaveLength(2);
  });

  test('for deployments side by side that count in periods of different length: none forgets what it gave', async () => {
    const b = bench();
    const [day, second] = ['1d', '1s'].map((per) => {
      b.deploy(queue({ limits: { rate: { limit: 2, per } } }));
      return b.store;
    });
    await groups(b, 9);
    for (let turn = 0; turn < 6; turn++) {
      b.store = (turn % 2 === 0 ? day : second) ?? b.store;
      for (const lane of Object.keys((await b.shard()).lanes)) {
        await b.redises.raw.zrem(`${b.root}blocked:mail`, lane);
        await b.redises.raw.zadd(`${b.root}ready:*`, 1, lane);
      }
      await b.take(9, `l${turn}`);
    }
    expect(Object.values((await b.shard()).leases).flat()).toHaveLength(4);
  });

  test('and a dead letter that holds its group back is found again after its queue was pulled and is drained now', async () => {
    const b = bench();
    b.deploy(queue({ ordered: { afterDeath: 'block' } }));
    const [first = '', second] = await b.enqueue(
      ...[1, 2].map((i) => b.message('mail', i, { group: 'a', pool: 'mail' })),
    );
    await b.redises.raw.rename(`${b.root}ready:mail`, `${b.root}ready:*`); // what the audit does to lanes of such a queue
    await settle(b, await b.take(1), 'dead');
    expect((await b.adminStore().look(first)).state).toBe('dead');
    expect(await b.adminStore().cancel(first)).toBe('dead');
    b.alive.delete(first);
    expect((await b.take(9, 'y', { pools: ['*', 'mail'] })).map(idOf)).toEqual([second]);
  });
});
