// What an enqueue promises: all or none, once, in order, and a word on waking.
import { expect, test } from 'vitest';
import { onEachRedis } from '../support/bench.ts';

onEachRedis('enqueue', (bench) => {
  test('a message stands at the tail of its lane, and its lane in the index', async () => {
    const b = bench();
    const [first, second] = await b.enqueue(b.message('mail', { to: 'a' }), b.message('mail', { to: 'b' }));
    const shard = await b.shard();
    expect(shard.lanes).toEqual({ '5:mail': [`1.${second}`, `1.${first}`] });
    expect(Object.keys(shard.ready['*'] ?? {})).toEqual(['5:mail']);
    expect(shard.envelopes[first ?? '']).toBe(`5:mail * 5 ${b.now} 0\n{"body":{"to":"a"}}`);
  });

  test.each([
    { maxAttempts: 9, header: '5:mail * 9 NOW 0' },
    { ttlMs: 1_000, header: '5:mail * 5 NOW LATER' },
    { pool: 'other', lane: '5:other', header: '5:other other 5 NOW 0' },
    { lane: '1:mail', header: '1:mail * 5 NOW 0' },
    { resultTtlMs: 60_000, header: '5:mail * 5 NOW 0 60000 -' },
  ])('a message between two others that differ in one thing keeps it: $header', async ({ header, ...own }) => {
    const b = bench();
    const [before, between, after] = await b.enqueue(
      b.message('mail', 1),
      b.message('mail', 2, own),
      b.message('mail', 3),
    );
    const { envelopes } = await b.shard();
    const headers = [before, between, after].map((id) => envelopes[id ?? '']?.split('\n')[0]);
    const plain = `5:mail * 5 ${b.now} 0`;
    const kept = header.replace('NOW', String(b.now)).replace('LATER', String(b.now + 1_000));
    expect(headers).toEqual([plain, kept, plain]);
  });

  test('LR1 a replay of the request enqueues nothing and gives the same ids', async () => {
    const b = bench();
    const messages = [b.message('mail', 1), b.message('news', 2)];
    const request = { messages, token: 'token', fingerprint: 'f' };
    const first = await b.store.enqueue(request);
    b.expectAlive(first.ids, messages);
    const before = await b.shard();
    const replay = await b.store.enqueue(request);
    expect(replay).toEqual({ ...first, replayed: true });
    expect(await b.shard()).toEqual(before);
  });

  test('CR9 a replay says again that the caller should wake a drain, unless somebody else was asked', async () => {
    const b = bench();
    const request = { messages: [b.message('mail', 1)], token: 'lost-reply' };
    b.expectAlive((await b.store.enqueue(request)).ids, request.messages);
    expect((await b.store.enqueue(request)).wake).toBe(true);
    await b.redises.raw.del(`${b.root}awake`); // whoever was asked has gone, perhaps without having begun
    expect((await b.store.enqueue(request)).wake).toBe(true);
    await b.redises.raw.set(`${b.root}awake`, 'another');
    expect((await b.store.enqueue(request)).wake).toBe(false);
  });

  test('the same token for something else is refused and changes nothing', async () => {
    const b = bench();
    const messages = [b.message('mail', 1)];
    b.expectAlive((await b.store.enqueue({ messages, token: 't', fingerprint: 'one' })).ids, messages);
    const before = await b.shard();
    await expect(b.store.enqueue({ messages, token: 't', fingerprint: 'two' })).rejects.toThrow(
      'used for other messages',
    );
    expect(await b.shard()).toEqual(before);
  });

  test('LR6 ST7 a lane whose key has a wrong type refuses nothing: its messages wait until that is mended', async () => {
    const b = bench();
    await b.redises.raw.set(`${b.root}lane:5:broken`, 'not a list');
    const [, late = ''] = await b.enqueue(b.message('mail', 1), b.message('broken', 2));
    expect((await b.shard()).timers).toEqual({ [`m * 5:broken 1.${late}`]: b.now + 60_000 });
    await b.redises.raw.del(`${b.root}lane:5:broken`);
    b.now += 60_000;
    expect(await b.take(2)).toContain(`1.${late}`);
  });

  test('LR6 ST7 timers of a wrong type refuse a delayed message, and change nothing', async () => {
    const b = bench();
    await b.redises.raw.set(`${b.root}timers`, 'no timers');
    const before = await b.shard();
    await expect(b.enqueue(b.message('mail', 1), b.message('mail', 2, { delayMs: 5 }))).rejects.toThrow('refused');
    expect(await b.shard()).toEqual(before);
    await b.redises.raw.del(`${b.root}timers`);
  });

  test('only the first of many enqueues is asked to wake a drain', async () => {
    const b = bench();
    const wakes: boolean[] = [];
    for (let i = 0; i < 3; i++) {
      const messages = [b.message('mail', i)];
      const { ids, wake } = await b.store.enqueue({ messages });
      b.expectAlive(ids, messages);
      wakes.push(wake);
    }
    expect(wakes).toEqual([true, false, false]);
  });

  test('messages for pull queues wake nobody', async () => {
    const b = bench();
    const messages = [b.message('pulled', 1, { pool: 'pulled' })];
    const { ids, wake } = await b.store.enqueue({ messages });
    b.expectAlive(ids, messages);
    expect(wake).toBe(false);
    expect(Object.keys((await b.shard()).ready)).toEqual(['pulled']);
  });

  test('a delayed message waits in timers until it is due, by the clock of the server', async () => {
    const b = bench();
    const [id] = await b.enqueue(b.message('mail', 1, { delayMs: 5_000 }));
    expect((await b.shard()).timers).toEqual({ [`m * 5:mail 1.${id}`]: b.now + 5_000 });
    b.now += 4_999;
    expect(await b.take(10)).toEqual([]);
    b.now += 1;
    expect(await b.take(10)).toEqual([`1.${id}`]);
  });

  test('a message that must not come before an instant waits for it; one in the past is ready', async () => {
    const b = bench();
    const [later, now] = await b.enqueue(
      b.message('mail', 1, { notBefore: b.now + 2_000 }),
      b.message('mail', 2, { notBefore: b.now - 2_000 }),
    );
    expect(await b.take(10)).toEqual([`1.${now}`]);
    b.now += 2_000;
    expect(await b.take(10, 'b')).toEqual([`1.${later}`]);
  });

  test('a soon due message wakes a drain to sleep until then, unless one sleeps for an earlier timer', async () => {
    const b = bench();
    const wakeFor = async (delayMs: number) => {
      const messages = [b.message('mail', 1, { delayMs })];
      const { ids, wake } = await b.store.enqueue({ messages });
      b.expectAlive(ids, messages);
      await b.redises.raw.del(`${b.root}awake`);
      return wake;
    };
    const sleep = () => b.sync({ lease: 'sleeper', want: 10, drain: { ending: false, sleepMs: 20_000 } });
    expect(await wakeFor(3_600_000)).toBe(false);
    expect(await wakeFor(5_000)).toBe(true);
    expect((await sleep()).nextDue).toBe(b.now + 5_000);
    expect(await wakeFor(6_000)).toBe(false);
    expect(await wakeFor(4_000)).toBe(true);
  });

  test('of drains with nothing to do one sleeps until the next timer, and the others end', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 1, { delayMs: 50_000 }));
    const ask = async (lease: string) =>
      (await b.sync({ lease, want: 10, drain: { ending: false, sleepMs: 200_000 } })).nextDue;
    expect([await ask('a'), await ask('b'), await ask('a')]).toEqual([b.now + 50_000, undefined, b.now + 50_000]);
    await b.enqueue(b.message('mail', 2, { delayMs: 10_000 }));
    expect([await ask('b'), await ask('a')]).toEqual([b.now + 10_000, undefined]);
    b.now += 10_000;
    await b.take(1, 'c', { leaseMs: 100_000 });
    expect([await ask('b'), await ask('a')]).toEqual([b.now + 40_000, undefined]);
  });

  test('one that can stay longer takes over from one that soon has to end: the timers behind its end are nobody else’s', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 1, { delayMs: 5_000 }));
    const ask = async (lease: string, sleepMs: number) =>
      (await b.sync({ lease, want: 10, drain: { ending: false, sleepMs } })).nextDue;
    expect(await ask('woken', 10_000)).toBe(b.now + 5_000);
    expect(await ask('cron', 45_000)).toBe(b.now + 5_000);
    b.now += 1;
    expect(await ask('woken', 9_999)).toBeUndefined();
    expect(await ask('another', 44_000)).toBeUndefined();
  });

  test('a thousand messages of many lanes go in at once and come out in order', async () => {
    const b = bench();
    const messages = Array.from({ length: 1_000 }, (_, i) => b.message(`q${i % 7}`, i, { priority: 3 }));
    const ids = await b.enqueue(...messages);
    const shard = await b.shard();
    for (let q = 0; q < 7; q++) {
      const expected = ids.filter((_, i) => i % 7 === q).map((id) => `1.${id}`);
      expect(shard.lanes[`3:q${q}`]?.toReversed()).toEqual(expected);
    }
  });

  test('bodies come back as they went in, whatever text they hold', async () => {
    const b = bench();
    const texts = [
      '',
      '12345',
      'true',
      'null',
      'OK',
      '9007199254740993',
      'ä€😀',
      '\u0000\n\r\u2028',
      '{"a":[]}',
      '%s {x}:',
    ];
    await b.enqueue(...texts.map((text) => b.message('mail', text)));
    const { taken } = await b.sync({ want: 20 });
    const bodies = taken.map(({ envelope }) => JSON.parse(envelope.slice(envelope.indexOf('\n') + 1)).body);
    expect(bodies).toEqual(texts);
  });
});
