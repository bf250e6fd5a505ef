// Defects that a review found in the scripts, each as the test that would have found it.
import { Cluster } from 'ioredis';
import { expect, test } from 'vitest';
import type { SyncAnswer } from '../../src/store/sync.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';
import { eventually } from '../support/worker.ts';

const ack = (entry: string) => ({ entry, outcome: 'ack' as const });
const hour = 3_600_000;

/** As a restart or a failover leaves the server: it knows no script. */
async function forgetScripts({ redises: { raw } }: Bench): Promise<void> {
  const nodes = raw instanceof Cluster ? raw.nodes('master') : [raw];
  await Promise.all(nodes.map((node) => node.script('FLUSH')));
}

onEachRedis('a request token', (bench) => {
  test('that is used again after its time, for something else, makes a new message and leaves the first alone', async () => {
    const b = bench();
    const enqueue = async (body: string, fingerprint: string, delayMs: number) => {
      const messages = [b.message('mail', body, { delayMs })];
      const answer = await b.store.enqueue({ messages, token: 'key', fingerprint, recognisedMs: 50 });
      b.expectAlive(answer.ids, messages);
      return answer;
    };
    const first = await enqueue('first', 'one', hour);
    await eventually('the token is forgotten', async () => !(await b.redises.raw.exists(`${b.root}req:key`)));
    const second = await enqueue('second', 'two', 0);
    expect(second.replayed).toBe(false);
    expect(second.ids).not.toEqual(first.ids);
    expect(await b.take(10)).toEqual([`1.${second.ids[0]}`]);
    await b.sync({ settlements: [ack(`1.${second.ids[0]}`)] });
    b.now += hour;
    const { taken } = await b.sync({ lease: 'b', want: 10 });
    expect(taken).toEqual([{ entry: `1.${first.ids[0]}`, envelope: expect.stringContaining('"first"') }]);
  });

  test('whose delayed message is refused, as timers are damaged, may be sent again once they are mended', async () => {
    const b = bench();
    await b.redises.raw.set(`${b.root}timers`, 'not a sorted set');
    const before = await b.shard();
    const messages = [b.message('mail', 1), b.message('mail', 2, { delayMs: 1_000 })];
    const request = { messages, token: 'key', fingerprint: 'f' };
    await expect(b.store.enqueue(request)).rejects.toThrow('storage refused');
    expect(await b.shard()).toEqual(before);
    await b.redises.raw.del(`${b.root}timers`);
    const { ids, replayed } = await b.store.enqueue(request);
    b.expectAlive(ids, messages);
    expect(replayed).toBe(false);
    expect(await b.take(10)).toEqual([`1.${ids[0]}`]);
    b.now += 1_000;
    expect(await b.take(10, 'b')).toEqual([`1.${ids[1]}`]);
  });

  test('whose message met a damaged index is never told it was done while the message is lost', async () => {
    const b = bench();
    await b.redises.raw.set(`${b.root}ready:*`, 'not a sorted set');
    const request = { messages: [b.message('mail', 1), b.message('news', 2)], token: 'key', fingerprint: 'f' };
    await b.store.enqueue(request).catch(() => {});
    await b.redises.raw.del(`${b.root}ready:*`);
    const { ids } = await b.store.enqueue(request);
    b.expectAlive(ids, request.messages);
    b.now += 60_000; // what the index did not take waits so long
    expect((await b.take(10)).toSorted()).toEqual(ids.map((id) => `1.${id}`).toSorted());
    expect(await b.take(10, 'b')).toEqual([]);
  });
});

onEachRedis('a lane whose key has a wrong type', (bench) => {
  const ways: [string, (b: Bench) => Promise<unknown>][] = [
    ['a sweep', (b) => b.store.sweep('*')],
    ['a sync', (b) => b.take(10, 'other')],
  ];
  test.each(ways)('keeps what %s fires for it waiting, and gets it a minute after it is mended', async (_, fire) => {
    const b = bench();
    const [retried, lapsed] = await b.enqueue(b.message('work', 1), b.message('work', 2));
    const [delayed] = await b.enqueue(b.message('work', 3, { delayMs: 1_000 }));
    const [first = ''] = await b.take(1, 'retries');
    await b.sync({ lease: 'retries', settlements: [{ entry: first, outcome: 'retry', delayMs: 900 }] });
    await b.take(1, 'crashes', { leaseMs: 1_000 });
    await b.redises.raw.set(`${b.root}lane:5:work`, 'not a list');
    b.now += 1_000;
    await fire(b);
    await fire(b);
    const waiting = [`2.${retried}`, `2.${lapsed}`, `1.${delayed}`];
    const { timers, leases } = await b.shard();
    expect(timers).toEqual(Object.fromEntries(waiting.map((entry) => [`m * 5:work ${entry}`, b.now + 60_000])));
    expect(leases).toEqual({});
    await b.redises.raw.del(`${b.root}lane:5:work`);
    expect(await b.take(10, 'b')).toEqual([]);
    b.now += 60_000;
    expect((await b.take(10, 'b')).toSorted()).toEqual(waiting.toSorted());
  });
});

onEachRedis('a text that reads like an error of storage', (bench) => {
  const texts = [
    'we hit the rate limit',
    'Too Many Requests',
    'LOADING Redis is loading the dataset in memory',
    'NOSCRIPT No matching script',
    'max requests limit exceeded',
  ];

  test.each(texts)('%s: as a body it is stored once, with one request more where scripts are unknown', async (text) => {
    const b = bench();
    await forgetScripts(b);
    const cost = await b.cost(() => b.enqueue(b.message('mail', text)));
    expect(cost.requests).toBe(2);
    const { taken } = await b.sync({ want: 10 });
    expect(taken.map(({ envelope }) => JSON.parse(envelope.slice(envelope.indexOf('\n') + 1)).body)).toEqual([text]);
  });

  test.each(texts)('%s: as the error of a handler it is settled with one request more', async (text) => {
    const b = bench();
    const [id] = await b.enqueue(b.message('mail', 1));
    const [entry = ''] = await b.take(1);
    await forgetScripts(b);
    let answer: SyncAnswer | undefined;
    const settlements = [{ entry, outcome: 'retry' as const, failure: { kind: 'failed' as const, text } }];
    const cost = await b.cost(async () => {
      answer = await b.sync({ settlements });
    });
    expect(cost.requests).toBe(2);
    expect(answer).toMatchObject({ statuses: ['retried'], retried: false });
    expect((await b.shard()).failures[id ?? '']).toContain(text);
  });

  test.each(texts)('%s: a refusal that quotes it stays a refusal, and is not tried again', async (text) => {
    const b = bench();
    await b.enqueue(b.message('mail', 'the script is known from here on'));
    await b.redises.raw.rpush(`${b.root}req:key`, 'not a string');
    const before = await b.shard();
    let error: unknown;
    const cost = await b.cost(async () => {
      error = await b.store.enqueue({ messages: [b.message('mail', text)], token: 'key' }).catch((e: unknown) => e);
    });
    expect(error).toMatchObject({ code: 'refused', reason: expect.stringMatching(/^(WRONGTYPE|error)$/) });
    expect(cost.requests).toBe(1);
    expect(await b.shard()).toEqual(before);
  });
});

onEachRedis('large bodies behind small ones', (bench) => {
  test('come out in order over several syncs, none of which answers with more than 4.3 MB', async () => {
    const b = bench();
    const ids = await b.enqueue(...Array.from({ length: 16 }, (_, n) => b.message('work', n)));
    for (let i = 0; i < 84; i += 12) {
      ids.push(...(await b.enqueue(...Array.from({ length: 12 }, () => b.message('work', 'x'.repeat(250_000))))));
    }
    const taken: string[] = [];
    const sizes: number[] = [];
    while (taken.length < 100 && sizes.length < 30) {
      const answer = await b.sync({ held: taken.length, want: 100 - taken.length });
      taken.push(...answer.taken.map(({ entry }) => entry));
      sizes.push(JSON.stringify(answer).length);
    }
    expect(taken).toEqual(ids.map((id) => `1.${id}`));
    expect(Math.max(...sizes)).toBeLessThan(4_300_000);
    expect(sizes.length).toBeGreaterThanOrEqual(6);
    expect(sizes.length).toBeLessThanOrEqual(8);
  });
});

onEachRedis('a key of a wrong type', (bench) => {
  /** Several times, as entries that are moved twice show only then. */
  const goOn = async (b: Bench) => {
    for (let i = 0; i < 3; i++) {
      await b.store.sweep('*');
      await b.take(0, 'passer-by');
    }
    expect(await b.violations()).toEqual([]);
  };

  test('as a lease that is due: other messages are swept and given out, and it is put off', async () => {
    const b = bench();
    const [held] = await b.enqueue(b.message('work', 1));
    await b.take(1, 'crashes');
    const [fresh] = await b.enqueue(b.message('other', 2));
    b.now += 30_000;
    await b.redises.raw.set(`${b.root}lease:bad`, 'not a list');
    await b.redises.raw.zadd(`${b.root}timers`, 1, 'l bad');
    await goOn(b);
    expect((await b.shard()).timers).toEqual({ 'l bad': b.now + 60_000 });
    expect((await b.take(10)).toSorted()).toEqual([`2.${held}`, `1.${fresh}`].toSorted());
    await b.redises.raw.del(`${b.root}lease:bad`);
    b.now += 60_000;
    await b.store.sweep('*');
    expect((await b.shard()).timers).not.toHaveProperty('l bad');
  });

  test('as the index, when a lease expires: what it held waits, and goes to its lane once when that is mended', async () => {
    const b = bench();
    const [id] = await b.enqueue(b.message('work', 1));
    await b.take(1);
    b.now += 30_000;
    await b.redises.raw.set(`${b.root}ready:*`, 'not a sorted set');
    for (let i = 0; i < 4; i++) await b.store.sweep('*').catch(() => {});
    expect((await b.shard()).timers).toEqual({ [`m * 5:work 2.${id}`]: b.now + 60_000 });
    await b.redises.raw.del(`${b.root}ready:*`);
    b.now += 60_000;
    expect(await b.take(10, 'b')).toEqual([`2.${id}`]);
  });

  test.each(['lapse', 'retry', 'dead'] as const)(
    'as the dead letters of a queue: what dies there by a last %s is kept, and others go on',
    async (way) => {
      const b = bench();
      await b.redises.raw.set(`${b.root}dead:work`, 'not a sorted set');
      const [id] = await b.enqueue(b.message('work', 1, { maxAttempts: 1 }));
      const [entry = ''] = await b.take(1);
      const [other] = await b.enqueue(b.message('other', 1));
      if (way === 'lapse') b.now += 30_000;
      else expect((await b.sync({ settlements: [{ entry, outcome: way }] })).statuses).toEqual(['dead']);
      await goOn(b);
      expect(await b.take(10, 'b')).toEqual([`1.${other}`]);
      const { dead, timers } = await b.shard();
      expect(dead).toEqual({ '-': { [`1.${id}`]: b.now } });
      expect(Object.keys(timers)).toEqual(['l b']);
    },
  );

  test('as the failures: messages are retried, swept and buried without their texts, none of them twice', async () => {
    const b = bench();
    const messages = [5, 1, 5, 1].map((maxAttempts, n) => b.message('work', n, { maxAttempts }));
    const [retried, refused, lapsed, used] = await b.enqueue(...messages);
    expect(await b.take(4)).toHaveLength(4);
    const [other] = await b.enqueue(b.message('other', 1));
    for (const id of [retried, refused, lapsed, used])
      await b.redises.raw.lpush(`${b.root}failures:${id}`, 'not a text');
    const failure = { kind: 'failed' as const, text: 'no luck' };
    const { statuses } = await b.sync({
      held: 2,
      settlements: [
        { entry: `1.${retried}`, outcome: 'retry', delayMs: 500, failure },
        { entry: `1.${refused}`, outcome: 'dead', failure },
      ],
    });
    expect(statuses).toEqual(['retried', 'dead']);
    b.now += 30_000;
    await goOn(b);
    const { dead, leases } = await b.shard();
    expect(leases).toEqual({});
    expect(Object.keys(dead.work ?? {}).toSorted()).toEqual([`1.${refused}`, `1.${used}`].toSorted());
    const again = [`2.${retried}`, `2.${lapsed}`, `1.${other}`];
    expect((await b.take(10, 'b')).toSorted()).toEqual(again.toSorted());
  });

  test('as the failures: a second attempt that is acked goes, and what is settled with it is not doubled', async () => {
    const b = bench();
    const [again, neighbour] = await b.enqueue(b.message('work', 1), b.message('work', 2));
    const [first = ''] = await b.take(1);
    await b.sync({ settlements: [{ entry: first, outcome: 'retry', delayMs: 1 }] });
    b.now += 1;
    expect(await b.take(2)).toEqual([`2.${again}`, `1.${neighbour}`]);
    await b.redises.raw.del(`${b.root}failures:${again}`);
    await b.redises.raw.lpush(`${b.root}failures:${again}`, 'not a text');
    const settlements = [ack(`2.${again}`), { entry: `1.${neighbour}`, outcome: 'retry' as const, delayMs: 500 }];
    const answer = await b.sync({ settlements }).catch(() => undefined);
    expect(await b.violations()).toEqual([]);
    expect(answer?.statuses).toEqual(['acked', 'retried']);
  });
});

onEachRedis('a delayed message behind an earlier timer that nobody sleeps for', (bench) => {
  test('wakes a drain, be that timer a message of a pull queue', async () => {
    const b = bench();
    await b.enqueue(b.message('pulled', 1, { pool: 'pulled', delayMs: 1_000 }));
    const messages = [b.message('work', 2, { delayMs: 2_000 })];
    const { ids, wake } = await b.store.enqueue({ messages });
    b.expectAlive(ids, messages);
    expect(wake).toBe(true);
  });

  test('wakes a drain, be that timer a lease', async () => {
    const b = bench();
    await b.enqueue(b.message('pulled', 1, { pool: 'pulled' }));
    expect(await b.take(1, 'consumer', { pools: ['pulled'], leaseMs: 1_000 })).toHaveLength(1);
    const messages = [b.message('work', 2, { delayMs: 2_000 })];
    const { ids, wake } = await b.store.enqueue({ messages });
    b.expectAlive(ids, messages);
    expect(wake).toBe(true);
  });
});
