// What operators are told: everything that is there, page by page, and where a bounded look ended, that it did.
import { expect, test } from 'vitest';
import type { State } from '../../src/store/admin-messages.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

const idOf = (entry: string) => entry.slice(entry.indexOf('.') + 1);

/** Every page of a list. @returns entries in their order, with their envelopes, and how many pages there were */
async function listAll(b: Bench, state: State, queue = 'mail', limit = 100) {
  const messages: { entry: string; envelope: string }[] = [];
  let pages = 0;
  for (let cursor = '', first = true; first || cursor !== ''; first = false, pages++) {
    if (pages > 1_000) throw new Error('it comes to no end');
    const page = await b.adminStore().browse(queue, state, limit, cursor);
    messages.push(...page.messages);
    cursor = page.cursor;
  }
  return { ids: messages.map(({ entry }) => idOf(entry)), messages, pages };
}

async function purgeAll(b: Bench, states: ('ready' | 'delayed' | 'dead')[]): Promise<number> {
  let purged = 0;
  for (let cursor = '0', more = true, calls = 0; more; calls++) {
    if (calls > 1_000) throw new Error('it comes to no end');
    const step = await b.adminStore().purge('mail', states, cursor);
    purged += step.purged;
    ({ cursor, more } = step);
  }
  for (const id of [...b.alive]) if ((await b.adminStore().look(id)).state === 'gone') b.alive.delete(id);
  return purged;
}

/** Lanes of another queue, which stand before those of 'mail' in the index: past the scripts, for they are many. */
async function crowd(b: Bench, count: number): Promise<void> {
  for (let from = 0; from < count; from += 1_000) {
    const lanes = Array.from({ length: 1_000 }, (_, i) => [from + i, `0:crowd/g${from + i}`]).flat();
    await b.redises.raw.zadd(`${b.root}ready:*`, ...lanes);
  }
}

const suite = (bench: () => Bench) => {
  test('of ready messages whose lanes stand behind thousands of others, and purges them', async () => {
    const b = bench();
    await crowd(b, 3_000);
    const ids = await b.enqueue(...['a', 'b', 'c'].map((group) => b.message('mail', group, { group })));
    await b.enqueue(b.message('mailing', 1)); // another queue, with a longer name
    expect((await listAll(b, 'ready')).ids).toEqual(ids);
    expect(await purgeAll(b, ['ready'])).toBe(3);
    expect((await listAll(b, 'ready')).ids).toEqual([]);
    expect(Object.keys((await b.shard()).lanes)).toEqual(['5:mailing']);
    await b.redises.raw.del(`${b.root}ready:*`);
    await b.redises.raw.zadd(`${b.root}ready:*`, 1, '5:mailing');
  }, 60_000);

  test('of all that is ready in twelve thousand lanes, each message once, and purges all of it', async () => {
    const b = bench();
    const ids: string[] = [];
    for (let from = 0; from < 12_000; from += 1_000) {
      const messages = Array.from({ length: 1_000 }, (_, i) => b.message('mail', i, { group: `g${from + i}` }));
      ids.push(...(await b.store.enqueue({ messages })).ids);
    }
    const page = await b.adminStore().browse('mail', 'ready', 100, '');
    expect([page.messages.length, page.cursor.split(' ').length]).toEqual([1, 3]);
    let purged = 0;
    for (let cursor = '0', more = true; more; ) {
      const step = await b.adminStore().purge('mail', ['ready'], cursor);
      purged += step.purged;
      ({ cursor, more } = step);
    }
    expect(purged).toBe(12_000);
    const { lanes, ready, envelopes } = await b.shard();
    expect({ lanes, ready, envelopes }).toEqual({ lanes: {}, ready: {}, envelopes: {} });
  }, 120_000);

  test('of lanes wherever they stand: in the shared index, in that of their queue, and blocked', async () => {
    const b = bench();
    const [shared, aside] = await b.enqueue(
      b.message('mail', 1, { group: 'shared' }),
      b.message('mail', 2, { group: 'blocked' }),
    );
    const [own] = await b.enqueue(b.message('mail', 3, { group: 'own', pool: 'mail' }));
    await b.redises.raw.zrem(`${b.root}ready:*`, '5:mail/blocked');
    await b.redises.raw.zadd(`${b.root}blocked:mail`, 1, '5:mail/blocked');
    expect((await listAll(b, 'ready')).ids.toSorted()).toEqual([shared, aside, own].toSorted());
    expect(await b.adminStore().count('mail')).toMatchObject({ ready: { 5: 3 }, complete: true });
    expect(await purgeAll(b, ['ready'])).toBe(3);
    const { ready, blocked } = await b.shard();
    expect({ ready, blocked }).toEqual({ ready: {}, blocked: {} });
  });

  test('of the next lane where one is used up exactly at the end of a page', async () => {
    const b = bench();
    const groups = ['a', 'a', 'b', 'b', 'b', 'c'];
    const ids = await b.enqueue(...groups.map((group) => b.message('mail', 1, { group })));
    for (const limit of [1, 2, 3]) expect((await listAll(b, 'ready', 'mail', limit)).ids).toEqual(ids);
  });

  test('of delayed messages behind thousands of others, and purges them though timers fire meanwhile', async () => {
    const b = bench();
    const bulk = async (from: number, dueAt: number) => {
      const timers = Array.from({ length: 1_000 }, (_, n) => [String(dueAt + n), `m * 5:bulk 1.bulk${from + n}`]);
      await b.redises.raw.zadd(`${b.root}timers`, ...timers.flat());
    };
    await bulk(0, b.now);
    const ids = await b.enqueue(...[1, 2, 3].map((n) => b.message('mail', n, { delayMs: 60_000 + n })));
    for (const from of [1_000, 2_000]) await bulk(from, b.now + 100_000 + from);
    expect((await listAll(b, 'delayed')).ids).toEqual(ids);
    expect(await b.adminStore().count('mail')).toMatchObject({ delayed: 3, complete: true });
    const first = await b.adminStore().purge('mail', ['delayed'], '0');
    await b.redises.raw.zremrangebyrank(`${b.root}timers`, 0, 999); // those ranks are gone
    let { purged, cursor, more } = first;
    while (more) {
      const step = await b.adminStore().purge('mail', ['delayed'], cursor);
      ({ cursor, more } = step);
      purged += step.purged;
    }
    expect(purged).toBe(3);
    await b.redises.raw.del(`${b.root}timers`);
    b.alive.clear();
  }, 60_000);

  test('of what is leased, though one lease holds nine thousand of another queue', async () => {
    const b = bench();
    const [mine] = await b.enqueue(b.message('mail', 1));
    const [entry = ''] = await b.take(1, 'mine', { leaseMs: 60_000 });
    const held = Array.from({ length: 9_000 }, (_, i) => `bulk${i}`);
    for (let from = 0; from < held.length; from += 500) {
      const part = held.slice(from, from + 500);
      await b.redises.raw.rpush(`${b.root}lease:huge`, ...part.map((id) => `1.${id}`));
      await Promise.all(part.map((id) => b.redises.raw.set(`${b.root}m:${id}`, `5:bulk * 5 ${b.now} 0\n{"body":1}`)));
    }
    await b.redises.raw.zadd(`${b.root}timers`, b.now + 30_000, 'l huge');
    expect((await listAll(b, 'leased')).ids).toEqual([mine]);
    const bulk = await listAll(b, 'leased', 'bulk');
    expect([bulk.ids.length, new Set(bulk.ids).size, bulk.pages]).toEqual([9_000, 9_000, 91]);
    expect(await b.adminStore().count('bulk')).toMatchObject({ leased: 9_000, complete: true });
    await b.redises.raw.del(`${b.root}lease:huge`, ...held.map((id) => `${b.root}m:${id}`));
    await b.redises.raw.zrem(`${b.root}timers`, 'l huge');
    await b.sync({ lease: 'mine', settlements: [{ entry, outcome: 'ack' }] });
  }, 60_000);

  const large = (n: number) => JSON.stringify({ body: `${n}${'x'.repeat(250_000)}` });
  test.each(['ready', 'delayed', 'leased', 'dead'] as const)(
    'of large %s messages as many as fit in an answer, and of the others with the next page: each with its body',
    async (state) => {
      const b = bench();
      const delayMs = state === 'delayed' ? 5_000 : 0;
      const ids: string[] = [];
      for (let i = 0; i < 20; i += 10) {
        const messages = Array.from({ length: 10 }, (_, n) => b.message('mail', n, { delayMs, json: large(i + n) }));
        ids.push(...(await b.enqueue(...messages)));
      }
      for (let taken = 0; (state === 'leased' || state === 'dead') && taken < 20; ) {
        const entries = await b.take(10, state === 'leased' ? `l${taken}` : 'a');
        taken += entries.length;
        const failure = { kind: 'failed' as const, text: 'x' };
        const settlements = entries.map((entry) => ({ entry, outcome: 'dead' as const, failure }));
        if (state === 'dead') await b.sync({ settlements });
      }
      const { ids: listed, messages, pages } = await listAll(b, state);
      expect(listed.toSorted()).toEqual(ids.toSorted());
      expect(messages.every(({ envelope }) => envelope.length > 250_000)).toBe(true);
      expect(pages).toBeGreaterThan(1);
    },
    60_000,
  );

  test('of dead letters without their bodies as many as are asked for', async () => {
    const b = bench();
    const ids = await b.enqueue(...Array.from({ length: 20 }, (_, i) => b.message('mail', i, { json: large(i) })));
    const failure = { kind: 'failed' as const, text: 'x' };
    for (let held = await b.take(10); held.length > 0; held = await b.take(10)) {
      await b.sync({ settlements: held.map((entry) => ({ entry, outcome: 'dead' as const, failure })) });
    }
    const { messages } = await b.adminStore().browse('mail', 'dead', 1_000, '', false);
    expect(messages.map(({ entry }) => idOf(entry)).toSorted()).toEqual(ids.toSorted());
  }, 60_000);

  test('how old the oldest is in a group with the longest of names', async () => {
    const b = bench();
    await b.enqueue(b.message('q'.repeat(64), 1, { group: '漢'.repeat(128) }));
    expect((await b.adminStore().count('q'.repeat(64))).oldestReadyAt).toBe(b.now);
  });

  test('that an older one may wait where there are more lanes than are looked at, those first that waited longest', async () => {
    const b = bench();
    const since = b.now;
    await b.enqueue(b.message('mail', 1, { group: 'z' }));
    b.now += 1_000;
    await b.enqueue(...Array.from({ length: 9 }, (_, i) => b.message('mail', i, { group: `g${i}` })));
    expect(await b.adminStore().count('mail')).toMatchObject({ oldestReadyAt: since, oldestComplete: true });
    await b.enqueue(...Array.from({ length: 20 }, (_, i) => b.message('mail', i, { group: `h${i}` })));
    expect(await b.adminStore().count('mail')).toMatchObject({
      ready: { 5: 30 },
      oldestReadyAt: since,
      oldestComplete: false,
      complete: true,
    });
  });

  test('all that can be read beside what is no entry, in lanes, leases, timers and among dead letters', async () => {
    const b = bench();
    const adminStore = b.adminStore();
    const [dead] = await b.enqueue(b.message('mail', 'dead'));
    await b.sync({ want: 1 });
    await b.sync({ settlements: [{ entry: `1.${dead}`, outcome: 'dead' }] });
    const [leased] = await b.enqueue(b.message('mail', 'leased'));
    await b.take(1, 'b');
    const [ready] = await b.enqueue(b.message('mail', 'ready'));
    const [delayed] = await b.enqueue(b.message('mail', 'delayed', { delayMs: 900 }));
    const garbage = ['garbage', '', ' ', '.', 'a b'];
    await b.redises.raw.rpush(`${b.root}lane:5:mail`, ...garbage);
    await b.redises.raw.lpush(`${b.root}lease:b`, ...garbage);
    for (const text of garbage) {
      await b.redises.raw.zadd(`${b.root}dead:mail`, 1, text);
      await b.redises.raw.zadd(`${b.root}timers`, b.now + 1, `m * 5:mail ${text}`);
    }
    for (const [state, id] of Object.entries({ ready, delayed, leased, dead })) {
      expect((await listAll(b, state as State)).ids, state).toEqual([id]);
    }
    expect(await adminStore.count('mail')).toMatchObject({ leased: 1, oldestComplete: true });
    expect((await adminStore.causes('mail', 1_000)).causes.map(({ id }) => id)).toEqual([dead]);
    expect((await adminStore.leases(9, '')).leases).toMatchObject([{ lease: 'b', newest: [['*', '5:mail']] }]);
    expect(await purgeAll(b, ['ready', 'delayed', 'dead'])).toBe(3);
    await b.redises.raw.lrem(`${b.root}lease:b`, 0, 'x');
    for (const text of garbage) await b.redises.raw.lrem(`${b.root}lease:b`, 0, text);
    expect(await b.redises.raw.zcard(`${b.root}dead:mail`)).toBe(0);
    await b.sync({ lease: 'b', settlements: [{ entry: `1.${leased}`, outcome: 'ack' }] });
    await b.redises.raw.del(`${b.root}timers`);
  });

  test('of two hundred queues in one request, and few commands where nothing is in them', async () => {
    const b = bench();
    const queues = Array.from({ length: 200 }, (_, i) => `q${i}`);
    await b.adminStore().countAll(queues); // loads the script
    expect(await b.cost(() => b.adminStore().countAll(queues))).toEqual({ commands: 8, requests: 1 });
    expect(await b.cost(() => b.adminStore().countAll(queues.slice(1)))).toEqual({ commands: 7, requests: 1 });
    await b.redises.raw.zadd(`${b.root}dead:q77`, 1, '1.x');
    const cost = await b.cost(async () => {
      expect((await b.adminStore().countAll(queues))[77]).toMatchObject({ dead: 1 });
    });
    expect(cost.commands).toBeLessThan(30);
    await b.redises.raw.del(`${b.root}dead:q77`);
  });
};

// Thousands of messages each: a cluster answers as its masters do.
onEachRedis('an operator is told', suite, ['the embedded Redis', 'redis-server']);
