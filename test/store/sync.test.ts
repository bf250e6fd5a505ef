// What a sync promises: urgent first, turns between peers, one owner per entry, and nothing twice on replay.
import { expect, test } from 'vitest';
import { defineQueue } from '../../src/queue/queue.ts';
import type { SyncRequest } from '../../src/store/sync.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';
import { emptyShard } from '../support/shard.ts';

onEachRedis('taking', (bench) => {
  test('the most urgent comes first, and in a lane the oldest', async () => {
    const b = bench();
    const [low1, urgent, low2] = await b.enqueue(
      b.message('news', 1, { priority: 5 }),
      b.message('mail', 2, { priority: 0 }),
      b.message('news', 3, { priority: 5 }),
    );
    expect(await b.take(10)).toEqual([`1.${urgent}`, `1.${low1}`, `1.${low2}`]);
  });

  test('behind a backlog of ten thousand, an urgent message is in the next batch', async () => {
    const b = bench();
    for (let i = 0; i < 10; i++) {
      await b.enqueue(...Array.from({ length: 1_000 }, (_, n) => b.message('news', n, { priority: 5 })));
    }
    const before = await b.take(100);
    const [urgent] = await b.enqueue(b.message('mail', 'urgent', { priority: 0 }));
    const next = await b.take(100, 'a', { held: 100 });
    expect(before).not.toContain(`1.${urgent}`);
    expect(next[0]).toBe(`1.${urgent}`);
    expect(next).toHaveLength(100);
  });

  test('lanes of one priority share a batch, and what one cannot fill the others do', async () => {
    const b = bench();
    await b.enqueue(...Array.from({ length: 50 }, (_, i) => b.message('big', i)));
    await b.enqueue(b.message('small', 1), b.message('small', 2));
    await b.enqueue(...Array.from({ length: 50 }, (_, i) => b.message('also', i, { group: 'acme/co' })));
    const taken = await b.take(30);
    const shard = await b.shard();
    expect(taken).toHaveLength(30);
    expect(shard.lanes['5:small']).toBeUndefined();
    expect(
      Math.abs((shard.lanes['5:big']?.length ?? 0) - (shard.lanes['5:also/acme%2Fco']?.length ?? 0)),
    ).toBeLessThanOrEqual(8);
  });

  test('LF2 behind a group with five thousand messages, ten of another are all in the next batch', async () => {
    const b = bench();
    for (let i = 0; i < 5; i++) {
      await b.enqueue(...Array.from({ length: 1_000 }, (_, n) => b.message('mail', n, { group: 'noisy' })));
    }
    const quiet = await b.enqueue(...Array.from({ length: 10 }, (_, n) => b.message('mail', n, { group: 'quiet' })));
    const taken = await b.take(100);
    expect(taken).toHaveLength(100);
    expect(taken.filter((entry) => quiet.includes(entry.slice(2)))).toHaveLength(10);
  });

  test('one by one, lanes of one priority take turns', async () => {
    const b = bench();
    for (const queue of ['a', 'b', 'c']) {
      await b.enqueue(...[1, 2, 3].map((n) => b.message(queue, n)));
      b.now += 1;
    }
    const queues: string[] = [];
    for (let i = 0; i < 9; i++) {
      b.now += 1;
      const { taken } = await b.sync({ lease: `l${i}`, want: 1 });
      queues.push(taken[0]?.envelope[2] ?? '');
    }
    expect(queues.join('')).toBe('abcabcabc');
  });

  test('a batch over more lanes than it wants messages takes one of each of the longest waiting', async () => {
    const b = bench();
    for (let i = 0; i < 12; i++) {
      await b.enqueue(b.message(`q${i}`, 1), b.message(`q${i}`, 2));
      b.now += 1;
    }
    const queues = async (lease: string) =>
      (await b.sync({ lease, want: 5 })).taken.map(({ envelope }) => envelope.slice(2, envelope.indexOf(' ')));
    expect(await queues('a')).toEqual(['q0', 'q1', 'q2', 'q3', 'q4']);
    b.now += 1;
    expect(await queues('b')).toEqual(['q5', 'q6', 'q7', 'q8', 'q9']);
    b.now += 1;
    expect(await queues('c')).toEqual(['q10', 'q11', 'q0', 'q1', 'q2']);
  });

  test.each([
    { lanes: 10, want: 15 },
    { lanes: 16, want: 40 },
    { lanes: 20, want: 30 },
    { lanes: 20, want: 35 },
  ])(
    '$lanes lanes get as much of batches of $want as each other, whatever does not divide',
    async ({ lanes, want }) => {
      const b = bench();
      const rounds = 12;
      const each = Math.ceil((rounds * want) / lanes) + want;
      for (let i = 0; i < lanes; i++) {
        await b.enqueue(...Array.from({ length: each }, (_, n) => b.message('mail', n, { group: `g${i}` })));
      }
      const taken: string[] = [];
      for (let round = 0; round < rounds; round++) {
        b.now += 7;
        const answer = await b.sync({ lease: `l${round}`, want });
        taken.push(...answer.taken.map(({ envelope }) => envelope.slice(0, envelope.indexOf(' '))));
      }
      const shares = Array.from({ length: lanes }, (_, i) => taken.filter((lane) => lane === `5:mail/g${i}`).length);
      expect(taken).toHaveLength(rounds * want);
      expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
    },
  );

  test('several pools are emptied in the order given', async () => {
    const b = bench();
    const [one] = await b.enqueue(b.message('one', 1, { pool: 'one', priority: 0 }));
    const [two] = await b.enqueue(b.message('two', 2, { pool: 'two', priority: 9 }));
    expect(await b.take(5, 'a', { pools: ['two', 'one'] })).toEqual([`1.${two}`, `1.${one}`]);
  });

  test('LR2 LR3 what was taken and lost in transit comes first with the replay, and counts as taken', async () => {
    const b = bench();
    const ids = await b.enqueue(...Array.from({ length: 10 }, (_, i) => b.message('mail', i)));
    const held = await b.take(2);
    const request = { want: 3, held: 1, settlements: [{ entry: held[0] ?? '', outcome: 'ack' as const }] };
    const first = await b.sync(request);
    const before = await b.shard();
    const replay = await b.sync(request);
    expect(first.statuses).toEqual(['acked']);
    expect(replay.statuses).toEqual(['gone']);
    expect(replay.taken).toEqual(first.taken);
    expect(await b.shard()).toEqual(before);
    expect(first.taken.map(({ entry }) => entry)).toEqual(ids.slice(2, 5).map((id) => `1.${id}`));
  });

  const LARGE = 'x'.repeat(200_000);

  /** Asks until nothing more is said to be there. @returns the entries of each answer */
  async function takeAll(b: Bench, want: number, request: Partial<SyncRequest> = {}): Promise<string[][]> {
    const answers: string[][] = [];
    for (let more = true, held = 0; more; ) {
      const { taken, unseen } = await b.sync({ want: want - held, held, ...request });
      answers.push(taken.map(({ entry }) => entry));
      held += taken.length;
      more = unseen;
    }
    return answers;
  }

  test('more than fits in an answer to a drain stays in its lane, and comes with the next', async () => {
    const b = bench();
    const ids: string[] = [];
    for (let i = 0; i < 40; i++) ids.push(...(await b.enqueue(b.message('mail', LARGE))));
    const drain = { ending: false, sleepMs: 0 };
    const first = await b.sync({ want: 40, drain });
    expect(first.unseen).toBe(true);
    expect((await b.shard()).leases.a).toHaveLength(first.taken.length);
    const seen = first.taken.map(({ entry }) => entry);
    for (let more = true; more; ) {
      const next = await b.sync({ want: 40 - seen.length, held: seen.length, drain });
      seen.push(...next.taken.map(({ entry }) => entry));
      more = next.unseen;
    }
    expect(seen).toEqual(ids.map((id) => `1.${id}`));
  });

  test('more than fits in an answer to a consumer is not taken: it may never ask again, and it would lapse unseen', async () => {
    const b = bench();
    const ids: string[] = [];
    for (let i = 0; i < 40; i++) ids.push(...(await b.enqueue(b.message('mail', LARGE))));
    const first = await b.sync({ want: 40 });
    const entries = ids.map((id) => `1.${id}`);
    const held = first.taken.length;
    expect([held > 1 && held < 40, first.unseen, first.taken.map(({ entry }) => entry)]).toEqual([
      true,
      true,
      entries.slice(0, held),
    ]);
    const { leases, lanes } = await b.shard();
    expect([leases.a, lanes['5:mail']]).toEqual([
      entries.slice(0, held).toReversed(),
      entries.slice(held).toReversed(),
    ]);
    expect((await takeAll(b, 40, { lease: 'b' })).flat()).toEqual(entries.slice(held));
  });

  test('what does not fit goes back to each lane in its order, and uses up no limit', async () => {
    const b = bench();
    const rate = { limit: 30, per: '1m' } as const;
    const limited = defineQueue('mail', { kind: 'pull', limits: { concurrency: 40, rate, group: { rate } } });
    b.deploy(limited, defineQueue('news', { kind: 'pull', ordered: true }));
    const ids: Record<string, string[]> = {};
    for (let i = 0; i < 36; i++) {
      const group = `g${i % 3}`;
      const [id = ''] = await b.enqueue(b.message('mail', LARGE, { group, pool: 'mail' }));
      ids[group] = [...(ids[group] ?? []), `1.${id}`];
    }
    await b.enqueue(b.message('news', LARGE, { pool: 'news' }));
    const answers = await takeAll(b, 40, { pools: ['mail', 'news'] });
    const taken = answers.flat();
    expect(answers.length).toBeGreaterThan(1);
    expect(taken).toHaveLength(31); // the period has room for thirty of them, and all of these were given out
    for (const entries of Object.values(ids)) {
      const given = taken.filter((entry) => entries.includes(entry));
      expect(given).toEqual(entries.slice(0, given.length));
    }
    expect((await b.shard()).inflight).toMatchObject({ mail: 30, news: 1 });
  });

  test('of what was lost in transit a consumer gets no more than it asks for, and is told of the rest', async () => {
    const b = bench();
    const ids = await b.enqueue(...Array.from({ length: 19 }, (_, i) => b.message('mail', i)));
    await b.take(19); // its answer was lost
    const before = await b.shard();
    expect(await b.sync({ want: 0 })).toMatchObject({ taken: [], unseen: true });
    const one = await b.sync({ want: 1 });
    expect([one.taken.map(({ entry }) => entry), one.unseen]).toEqual([[`1.${ids[0]}`], true]);
    const nine = await b.sync({ held: 1, want: 9 });
    expect(nine.taken.map(({ entry }) => entry)).toEqual(ids.slice(1, 10).map((id) => `1.${id}`));
    const rest = await b.sync({ held: 10, want: 9 });
    expect([rest.taken.length, rest.unseen, (await b.shard()).leases]).toEqual([9, false, before.leases]);
  });

  test('SW6 a lane whose key has a wrong type stops no other', async () => {
    const b = bench();
    const [id] = await b.enqueue(b.message('mail', 1));
    await b.redises.raw.set(`${b.root}lane:0:broken`, 'not a list');
    await b.redises.raw.zadd(`${b.root}ready:*`, 1, '0:broken');
    expect(await b.take(10)).toEqual([`1.${id}`]);
  });

  test('a message whose time to live is over becomes a dead letter and is never given out', async () => {
    const b = bench();
    const [short, long] = await b.enqueue(
      b.message('mail', 1, { ttlMs: 1_000 }),
      b.message('mail', 2, { ttlMs: 9_000 }),
    );
    b.now += 1_000;
    expect(await b.take(10)).toEqual([`1.${long}`]);
    const shard = await b.shard();
    expect(shard.dead).toEqual({ mail: { [`1.${short}`]: b.now } });
    expect(shard.failures[short ?? '']).toMatch(/^1 \d+ expired /);
  });

  test('SW4 an entry whose envelope vanished becomes a dead letter that says so, and the others go on', async () => {
    const b = bench();
    const [gone, there] = await b.enqueue(b.message('mail', 1), b.message('mail', 2));
    await b.redises.raw.del(`${b.root}m:${gone}`);
    expect(await b.take(10)).toEqual([`1.${there}`]);
    const shard = await b.shard();
    expect(shard.dead).toEqual({ mail: { [`1.${gone}`]: b.now } });
    expect(shard.failures[gone ?? '']).toMatch(/ missing /);
  });

  test('a drain that comes back full keeps others asleep, one that finds less lets them be woken', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 1), b.message('mail', 2));
    await b.redises.raw.del(`${b.root}awake`);
    const drain = { ending: false, sleepMs: 0 };
    await b.take(1, 'a', { drain });
    expect((await b.shard()).rest.awake).toBe('a');
    await b.take(2, 'a', { drain, held: 1 });
    expect((await b.shard()).rest.awake).toBeUndefined();
  });

  test.each([
    { keeps: 2, found: 2, stays: true },
    { keeps: 2, found: 3, stays: false },
    { keeps: 2, found: 0, stays: false },
    { keeps: -1, found: 0, stays: true },
    { keeps: -1, found: 3, stays: true },
    { keeps: 2, found: 2, left: true, stays: false },
    { keeps: -1, found: 2, ending: true, stays: false },
  ])('a drain that finds $found where it keeps $keeps: others stay asleep $stays', async (row) => {
    const { keeps, found, left = false, ending = false, stays } = row;
    const b = bench();
    const slow = { name: 'slow', pool: '*', policy: '', timeoutMs: 90_000 };
    b.deploy(slow);
    await b.enqueue(...Array.from({ length: found }, (_, i) => b.message('mail', i)));
    if (left) await b.enqueue(b.message('slow', 1));
    await b.redises.raw.set(`${b.root}awake`, 'somebody');
    await b.take(9, 'a', { drain: { ending, sleepMs: 0, lifeMs: 60_000, keeps } });
    expect((await b.shard()).rest.awake).toBe(stays ? 'somebody' : undefined);
  });
});

onEachRedis('settling', (bench) => {
  test('an ack leaves nothing of the message', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 1));
    const [entry = ''] = await b.take(1);
    const answer = await b.sync({ settlements: [{ entry, outcome: 'ack' }] });
    expect(answer.statuses).toEqual(['acked']);
    const { rest, ...shard } = await b.shard();
    expect({ ...shard, rest: {} }).toEqual(emptyShard());
    expect(Object.keys(rest).every((key) => /^(req:|awake$)/.test(key))).toBe(true);
  });

  test('a retry waits its delay and comes again one attempt later, before what has not been delivered yet', async () => {
    const b = bench();
    const [id] = await b.enqueue(b.message('mail', 1));
    const [entry = ''] = await b.take(1);
    await b.enqueue(b.message('mail', 2));
    const failure = { kind: 'failed' as const, text: 'Error: no\nluck' };
    const answer = await b.sync({ settlements: [{ entry, outcome: 'retry', delayMs: 3_000, failure }] });
    expect(answer.statuses).toEqual(['retried']);
    expect(answer.nextDue).toBe(b.now + 3_000);
    const shard = await b.shard();
    expect(shard.timers).toEqual({ [`m * 5:mail 2.${id}`]: b.now + 3_000 });
    expect(shard.failures).toEqual({ [id ?? '']: `1 ${b.now} failed Error: no luck` });
    b.now += 3_000;
    expect((await b.take(2))[0]).toBe(`2.${id}`);
  });

  test('the next due is never the expiry of the own lease, whether that comes first or not', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 1), b.message('mail', 2));
    const nextDueOf = async (lease: string) =>
      (await b.sync({ lease, leaseMs: 0, held: lease === 'nobody' ? 0 : 1 })).nextDue;
    await b.take(1, 'a', { leaseMs: 10_000 });
    expect(await nextDueOf('a')).toBeUndefined();
    await b.take(1, 'b', { leaseMs: 20_000 });
    expect(await nextDueOf('a')).toBe(b.now + 20_000);
    expect(await nextDueOf('b')).toBe(b.now + 10_000);
    expect(await nextDueOf('nobody')).toBe(b.now + 10_000);
    await b.enqueue(b.message('mail', 3, { delayMs: 15_000 }), b.message('mail', 4, { delayMs: 16_000 }));
    expect([await nextDueOf('a'), await nextDueOf('b')]).toEqual([b.now + 15_000, b.now + 10_000]);
  });

  test('CR2 a retry after the last attempt is a dead letter with its last five errors', async () => {
    const b = bench();
    const [id] = await b.enqueue(b.message('mail', 1, { maxAttempts: 7 }));
    const statuses: unknown[] = [];
    for (let attempt = 1; attempt <= 7; attempt++) {
      const [entry = ''] = await b.take(1);
      const failure = { kind: 'failed' as const, text: `error ${attempt}` };
      statuses.push(...(await b.sync({ settlements: [{ entry, outcome: 'retry', failure }] })).statuses);
      b.now += 1;
    }
    expect(statuses).toEqual([...Array(6).fill('retried'), 'dead']);
    const shard = await b.shard();
    expect(shard.dead).toEqual({ mail: { [`7.${id}`]: b.now - 1 } });
    const kept = (shard.failures[id ?? ''] ?? '')
      .split('\n')
      .map((line) => line.replace(/^(\d+) \d+ (\S+ .*)/, '$1 $2'));
    expect(kept).toEqual([3, 4, 5, 6, 7].map((n) => `${n} failed error ${n}`));
  });

  test('a refused message is a dead letter at once', async () => {
    const b = bench();
    const [id] = await b.enqueue(b.message('mail', 1));
    const [entry = ''] = await b.take(1);
    const failure = { kind: 'refused' as const, text: 'no' };
    expect((await b.sync({ settlements: [{ entry, outcome: 'dead', failure }] })).statuses).toEqual(['dead']);
    expect(Object.keys((await b.shard()).dead.mail ?? {})).toEqual([`1.${id}`]);
  });

  test('CR3 released messages stand at the head of their lane again, in their order, with the same attempt', async () => {
    const b = bench();
    const ids = await b.enqueue(...[1, 2, 3, 4].map((n) => b.message('mail', n)));
    const held = await b.take(3);
    const settlements = held.map((entry) => ({ entry, outcome: 'release' as const }));
    expect((await b.sync({ settlements })).statuses).toEqual(['released', 'released', 'released']);
    expect(await b.take(4, 'b')).toEqual(ids.map((id) => `1.${id}`));
  });

  test('a release with a delay waits without counting as an attempt', async () => {
    const b = bench();
    const [id] = await b.enqueue(b.message('mail', 1));
    const [entry = ''] = await b.take(1);
    await b.sync({ settlements: [{ entry, outcome: 'release', delayMs: 500 }] });
    expect(await b.take(1)).toEqual([]);
    b.now += 500;
    expect(await b.take(1)).toEqual([`1.${id}`]);
  });

  test.each(['ack', 'retry', 'dead', 'release'] as const)('LR4 a replayed %s changes nothing', async (outcome) => {
    const b = bench();
    await b.enqueue(b.message('mail', 1), b.message('mail', 2), b.message('mail', 3));
    const [, entry = ''] = await b.take(3);
    const request = { held: 2, settlements: [{ entry, outcome, delayMs: 1_000 }] };
    await b.sync(request);
    const before = await b.shard();
    const replay = await b.sync(request);
    expect(replay.statuses).toEqual([outcome === 'ack' ? 'gone' : 'stale']);
    expect(await b.shard()).toEqual(before);
  });

  test('many settled at once, of many kinds, leave the lease with the rest in order', async () => {
    const b = bench();
    await b.enqueue(...Array.from({ length: 450 }, (_, n) => b.message('mail', n)));
    const held = await b.take(450);
    const outcomes = ['ack', 'retry', 'dead', 'release'] as const;
    const settled = held.filter((_, i) => i % 5 !== 4);
    const settlements = settled.map((entry, i) => ({ entry, outcome: outcomes[i % 4] ?? 'ack', delayMs: 1_000 }));
    const answer = await b.sync({ held: 90, settlements });
    expect(answer.statuses).toEqual(settled.map((_, i) => ['acked', 'retried', 'dead', 'released'][i % 4]));
    expect((await b.shard()).leases.a?.toReversed()).toEqual(held.filter((_, i) => i % 5 === 4));
  });

  test('an entry named twice in one sync counts once', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 1));
    const [entry = ''] = await b.take(1);
    const settlements = [
      { entry, outcome: 'retry' as const, delayMs: 1_000 },
      { entry, outcome: 'ack' as const },
    ];
    expect((await b.sync({ settlements })).statuses).toEqual(['retried', 'stale']);
  });

  test('each sync extends the lease, and an empty one drops its timer', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 1));
    const [entry = ''] = await b.take(1);
    b.now += 20_000;
    await b.sync({ held: 1 });
    expect((await b.shard()).timers).toEqual({ 'l a': b.now + 30_000 });
    await b.sync({ settlements: [{ entry, outcome: 'ack' }] });
    expect((await b.shard()).timers).toEqual({});
  });
});
