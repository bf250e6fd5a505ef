// How far sweeps reach: every key comes under one of them, whoever makes them, and what stands behind many that are well is seen.
import { expect, test } from 'vitest';
import { openEngine } from '../../src/engine.ts';
import { type AnyQueue, defineQueue } from '../../src/index.ts';
import { encodeLimitedQueues } from '../../src/queue/limits.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

const mail = defineQueue('mail', { handler: () => {} });
const chat = defineQueue('chat', { kind: 'pull' });
const deployed: AnyQueue[] = [mail, chat];

/** As a new isolate has it. */
const newEngine = (b: Bench) =>
  openEngine(
    {
      UPSTASH_REDIS_REST_URL: b.redises.emulator.url,
      UPSTASH_REDIS_REST_TOKEN: b.redises.emulator.token,
      SLUICE_PREFIX: b.prefix,
      SLUICE_DRAIN_REQUESTS: 45, // as on Workers Free
    },
    new Map(deployed.map((queue) => [queue.name, queue])),
  );

const storeOf = (b: Bench, ...queues: { name: string; pool: string; policy: string }[]): Store =>
  openStore(
    b.opened(b.runner(), () => b.now),
    { queues, policies: encodeLimitedQueues(queues) },
  );

/** Keys of no interest, so that pages of all keys have little else on them. */
async function fill(b: Bench, count: number): Promise<void> {
  for (let from = 0; from < count; from += 500) {
    const pipeline = Array.from({ length: 500 }, (_, i) => b.redises.raw.set(`${b.root}req:filler${from + i}`, 'x'));
    await Promise.all(pipeline);
  }
}

/** Lanes with a message each, under the queue 'mail'. */
async function lanes(b: Bench, count: number, name = 'g'): Promise<string[]> {
  const messages = Array.from({ length: count }, (_, i) => b.message('mail', i, { group: `${name}${i}` }));
  for (let from = 0; from < count; from += 500) await b.enqueue(...messages.slice(from, from + 500));
  return messages.map(({ lane }) => lane);
}

onEachRedis('a sweep', (bench) => {
  test('of a new isolate goes on where the last one stood: a page of keys each, and all are seen', async () => {
    const b = bench();
    await fill(b, 3_000);
    const broken = await lanes(b, 12);
    await b.redises.raw.zrem(`${b.root}ready:*`, ...broken);
    const keys = 3_000 + 2 * broken.length;
    let ticks = 0;
    const left = async () => broken.length - Object.keys((await b.shard()).ready['*'] ?? {}).length;
    while ((await left()) > 0 && ticks < keys / 200 + 5) {
      await newEngine(b).sweep();
      ticks += 1;
    }
    expect(await left()).toBe(0);
    console.log(`${keys} keys: mended after ${ticks} ticks, each of a new isolate`);
  }, 60_000);

  test('notes where it stood, and the queues there are, in the one command that notes it', async () => {
    const b = bench();
    await newEngine(b).sweep();
    const noted = await b.redises.raw.hgetall(`${b.root}stats:totals`);
    expect(noted).toEqual({
      '#': expect.any(String),
      '!': expect.any(String),
      '@': expect.stringMatching(/^\d+ 1$/),
      '?mail': '*',
      '?chat': 'chat',
    });
    await fill(b, 1_000); // more than is on one page
    await newEngine(b).sweep();
    expect(await b.redises.raw.hget(`${b.root}stats:totals`, '@')).toMatch(/^\d+ 2$/);
  });

  test.each(['nonsense', '99999999999999999999 x', '7'])('whose note is damaged (%s) begins again', async (place) => {
    const b = bench();
    await b.redises.raw.hset(`${b.root}stats:totals`, '@', place);
    expect(await newEngine(b).sweep()).toMatchObject({ repaired: 0 });
    expect(await b.redises.raw.hget(`${b.root}stats:totals`, '@')).toMatch(/^\d+ 1$/);
  });

  test('finds by name what is wrong with indexes, blocked lanes, settings and counts, among however many keys', async () => {
    const b = bench();
    await fill(b, 2_000);
    await b.enqueue(b.message('mail', 1, { pool: 'mail' })); // it was pulled, and is drained now
    await b.enqueue(b.message('news', 2));
    await b.adminStore().pause('chat', 'chat');
    await b.redises.raw.zrem(`${b.root}ready:chat`, '!');
    await b.redises.raw.zrem(`${b.root}ready:*`, '5:news');
    await b.redises.raw.zadd(`${b.root}blocked:news`, 1, '5:news');
    await b.redises.raw.hset(`${b.root}inflight`, 'news', 3);
    const store = storeOf(b, { ...mail, policy: '' }, chat, { name: 'news', pool: '*', policy: 'c=5' });
    const { findings } = await store.sweep('*', { cursor: '0' });
    expect(findings.map(({ finding, name }) => `${finding} ${name}`).toSorted()).toEqual([
      'blocked-lane 5:news',
      'count-without-slots news',
      'lane-in-another-pool 5:mail',
      'pause-without-mark chat',
    ]);
    expect((await store.sweep('*', { cursor: '0' })).findings).toEqual([]);
    expect(await b.take(5)).toHaveLength(2);
  }, 60_000);

  test.each(['ready:*', 'blocked:mail', 'config', 'inflight', 'dead:mail', 'ready:chat'])(
    'goes on where %s is of a wrong type, and mends the others',
    async (wrong) => {
      const b = bench();
      await b.enqueue(b.message('news', 1));
      await b.redises.raw.zrem(`${b.root}ready:*`, '5:news');
      await b.redises.raw.zadd(`${b.root}blocked:news`, 1, '5:news');
      await b.adminStore().limit('chat', 'chat', { concurrency: ' c=3' });
      await b.redises.raw.hset(`${b.root}inflight`, 'mail', 1, 'mail/g', 1);
      await b.redises.raw.del(b.root + wrong);
      await b.redises.raw.set(b.root + wrong, 'x');
      const store = storeOf(b, { ...mail, policy: 'b' }, chat, { name: 'news', pool: '*', policy: 'c=5' });
      const { findings } = await store.sweep('*', { cursor: '0' });
      expect(findings.map(({ name }) => name).join(' ')).toMatch(
        wrong === 'dead:mail' ? /inflight/ : /:|config|inflight/,
      );
      await b.redises.raw.del(b.root + wrong);
      await store.sweep('*', { cursor: '0' });
      expect(await b.take(5)).toHaveLength(1);
      await b.adminStore().limit('chat', 'chat', { concurrency: '' });
    },
  );

  test('sees what stands behind many lanes that are well, a part of them each time', async () => {
    const b = bench();
    await lanes(b, 450);
    await b.redises.raw.zadd(`${b.root}ready:*`, String(9 * 2 ** 49), '9:nothing');
    const store = storeOf(b, mail);
    const found: string[] = [];
    let round = 0;
    for (let sweeps = 0; sweeps < 5; sweeps++) {
      const swept = await store.sweep('*', { cursor: '0', round });
      found.push(...swept.findings.map(({ name }) => name));
      round = swept.round;
    }
    expect([found, round]).toEqual([['9:nothing'], 5]);
  });

  test('sees a blocked lane that waits for nothing behind many that wait for the next period of their groups', async () => {
    const b = bench();
    const blocked = await lanes(b, 250);
    for (const [i, lane] of blocked.entries()) {
      await b.redises.raw.zadd(`${b.root}blocked:mail`, String(10 * 2 ** 49 + i), lane);
      if (i < 249) await b.redises.raw.zadd(`${b.root}timers`, b.now + 60_000, `q * mail/g${i}`);
    }
    await b.redises.raw.del(`${b.root}ready:*`);
    const store = storeOf(b, { ...mail, policy: 'gr=1/60000' });
    const found: string[] = [];
    for (let round = 0; round < 3; round++) {
      found.push(...(await store.sweep('*', { cursor: '0', round })).findings.map(({ name }) => name));
    }
    expect(found).toEqual([blocked[249]]);
  });

  test('brings back all lanes whose turns lie ahead of a clock that was put back, though they stand last', async () => {
    const b = bench();
    await lanes(b, 130, 'busy');
    b.now += 3_600_000;
    await lanes(b, 300, 'ahead');
    await b.enqueue(b.message('mail', 1, { priority: 2 }));
    b.now -= 3_600_000;
    for (const id of b.alive) b.unordered.add(id);
    const { findings } = await storeOf(b, mail).sweep('*', { cursor: '0' });
    expect(findings.map(({ finding }) => finding)).toEqual(Array(301).fill('turn-in-the-future'));
    const turns = Object.entries((await b.shard()).ready['*'] ?? {});
    const ahead = turns.filter(([lane, turn]) => turn % 2 ** 49 > (b.now + 1) * 256 && lane !== '!');
    expect(ahead).toEqual([]);
  });

  test('promotes a lane that has waited long behind a thousand of queues that promise nothing', async () => {
    const b = bench();
    const others = Array.from({ length: 1_500 }, (_, i) => b.message('bulk', i, { group: `g${i}` }));
    for (let from = 0; from < 1_500; from += 500) await b.enqueue(...others.slice(from, from + 500));
    b.now += 1_000;
    await b.enqueue(b.message('mail', 1));
    b.now += 60_000;
    const store = storeOf(b, { ...mail, policy: 'a=30000' });
    for (let round = 0; round < 2; round++) await store.sweep('*', { round });
    expect((await b.take(1))[0]).toBe(`1.${[...b.alive].at(-1)}`);
  });

  test('costs little where limits are in use and operators have set something, and all of it is well', async () => {
    const b = bench();
    const limited = { name: 'mail', pool: '*', policy: 'c=2' };
    const drained = { name: 'chat', pool: '*', policy: '' };
    b.deploy(limited, drained);
    await lanes(b, 12);
    await b.take(9); // two are at work, the others are blocked
    await b.adminStore().pause('chat', '*');
    await b.enqueue(...Array.from({ length: 3 }, (_, i) => b.message('chat', i, { group: `g${i}` })));
    await b.take(9, 'b');
    const { blocked, inflight } = await b.shard();
    expect([blocked.mail?.length, blocked.chat?.length, inflight.mail]).toEqual([10, 3, 2]);
    const store = storeOf(b, limited, drained);
    await fill(b, 6_000);
    let least = Number.POSITIVE_INFINITY; // of a page that has no lane: 4 commands by a given clock, and what is looked for by name
    for (let cursor = '0', page = 0; page === 0 || cursor !== '0'; page++) {
      const { commands } = await b.cost(async () => {
        const swept = await store.sweep('*', { cursor });
        expect(swept.findings).toEqual([]);
        cursor = swept.cursor;
      });
      least = Math.min(least, commands);
    }
    expect(least).toBe(4 + 18);
  });
});
