// What Sluice costs: billed Redis commands and round trips, counted in the emulator. Exact enough to notice one more.
import { expect, test } from 'vitest';
import { ASIDE, COUNTS } from '../scripts/cost/commands.ts';
import { openAdminOn } from '../src/engine/admin.ts';
import { type Engine, openEngine } from '../src/engine.ts';
import { type AnyQueue, defineQueue, defineSchedule } from '../src/index.ts';
import { Invocation } from '../src/runtime/invocation.ts';
import { openStatsReader } from '../src/stats/stats.ts';
import { openStats } from '../src/stats/store.ts';
import { drainFor } from './regressions/engines.ts';
import { type Bench, onEachRedis } from './support/bench.ts';

function engineOn(bench: Bench, handled: { push(id: string): unknown }, every?: string): Engine {
  const env = {
    UPSTASH_REDIS_REST_URL: bench.redises.emulator.url,
    UPSTASH_REDIS_REST_TOKEN: bench.redises.emulator.token,
    SLUICE_PREFIX: bench.prefix,
    SLUICE_DRAIN_REQUESTS: '9000',
    SLUICE_REDIS_TIMEOUT_MS: '10000', // a repeated call costs: the machine may stand still for seconds
    SLUICE_CONCURRENCY: '100', // full syncs, however busy the machine: else they follow the pace of the handlers
  };
  const queue = defineQueue('work', { subrequests: 0, handler: ({ id }) => void handled.push(id) });
  const pulled = defineQueue('pulled', { kind: 'pull' });
  const schedules = every ? [defineSchedule('often', { every, queue, body: 1 })] : [];
  return openEngine(env, new Map<string, AnyQueue>([queue, pulled].map((each) => [each.name, each])), { schedules });
}

const inputs = (engine: Engine, count: number, name = 'work', options: object = {}) => {
  const queue = engine.queues.get(name);
  if (!queue) throw new Error('no queue');
  return Array.from({ length: count }, (_, i) => ({ queue, body: { text: 'x'.repeat(230), i }, options, path: '' }));
};

/** Loads every script once: NOSCRIPT is a cost of the first call only. */
async function warmUp(engine: Engine): Promise<void> {
  await engine.enqueue(inputs(engine, 1));
  await engine.tick();
  await engine.tick(); // rolls up the counters that the first left
}

onEachRedis('the cost', (bench) => {
  test.each([undefined, '365d'])(
    'GR4 of an idle cron tick in a new isolate: 5 commands in one round trip, with schedules %s',
    async (every) => {
      await warmUp(engineOn(bench(), [], every));
      for (let tick = 0; tick < 3; tick++) {
        const engine = engineOn(bench(), [], every);
        const cost = await bench().cost(() => engine.tick());
        print(`idle tick of a new isolate, schedules ${every}`, cost, 1);
        expect(cost).toEqual({ commands: 5, requests: 1 });
        expect(await bench().cost(() => engine.tick())).toEqual({ commands: 4, requests: 1 }); // it knows where it stands
      }
    },
  );

  test('of one idle tick in ten minutes: 6, because it notes that cron runs, whoever makes it', async () => {
    const { raw } = bench().redises;
    const kept = engineOn(bench(), [], '365d');
    await warmUp(kept);
    const totals = `${bench().root}stats:totals`;
    await raw.hset(totals, '!', Date.now() - 600_000);
    const engine = engineOn(bench(), [], '365d');
    expect(await bench().cost(() => engine.tick())).toEqual({ commands: 6, requests: 1 });
    const { lastSweepAt = 0, now } = await openStatsReader(openStats(engine.shard)).report('1h', ['*']);
    expect(now - lastSweepAt).toBeLessThan(60_000);
    expect(await bench().cost(() => engine.tick())).toEqual({ commands: 4, requests: 1 });
    const realNow = Date.now;
    try {
      await raw.hset(totals, '!', realNow() + 300_000); // lately by the server's clock and by this one, which the embedded Redis has
      Date.now = () => realNow() + 600_000;
      expect(await bench().cost(() => kept.tick())).toEqual({ commands: 5, requests: 1 }); // asks, and another has noted it
      expect(await bench().cost(() => kept.tick())).toEqual({ commands: 4, requests: 1 });
    } finally {
      Date.now = realNow;
    }
  });

  test('of registering schedules: 12 commands in the first tick of a version, 5 in the next, then none', async () => {
    const b = bench();
    await warmUp(engineOn(b, [], '364d'));
    const costs: number[] = [];
    for (let tick = 0; tick < 3; tick++) costs.push((await b.cost(() => engineOn(b, [], '365d').tick())).commands);
    expect(costs).toEqual([17, 10, 5]);
  });

  test('of two versions that tick side by side: they register in turns of five minutes, and cost no more between', async () => {
    const b = bench();
    const tick = async (every: string) => (await b.cost(() => engineOn(b, [], every).tick())).commands;
    for (const every of ['364d', '364d', '365d', '365d']) await tick(every);
    expect([await tick('364d'), await tick('365d'), await tick('364d'), await tick('365d')]).toEqual([5, 5, 5, 5]);
    const noted = (await b.redises.raw.hget(`${b.root}stats:totals`, '=')) ?? '';
    await b.redises.raw.hset(`${b.root}stats:totals`, '=', noted.replace(/^\d+/, String(Date.now() - 300_000)));
    const of = async () => (await b.redises.raw.hget(`${b.root}schedules`, 'often'))?.split('\n')[2];
    expect([await tick('365d'), await of()]).toEqual([5, `every ${365 * 86_400_000}`]);
    expect([(await tick('364d')) > 5, await of()]).toEqual([true, `every ${364 * 86_400_000}`]);
  });

  test('of an idle tick where one page does not hold all keys: 7 in a new isolate, which leaves where it stood, and 5 later', async () => {
    const b = bench();
    await warmUp(engineOn(b, []));
    const others = Array.from({ length: 1_000 }, (_, i) => `${b.root}req:${i}`);
    await Promise.all(others.map((key) => b.redises.raw.set(key, 'x')));
    const engine = engineOn(b, []);
    expect(await b.cost(() => engine.tick())).toEqual({ commands: 7, requests: 1 });
    expect(await b.cost(() => engine.tick())).toEqual({ commands: 5, requests: 1 });
  });

  test('of the cron tick after work: 10 commands more, which roll up what became of it', async () => {
    const engine = engineOn(bench(), []);
    await warmUp(engine);
    await engine.enqueue(inputs(engine, 1));
    await drainFor(engine, 20_000);
    const cost = await bench().cost(() => engine.tick());
    print('tick after work', cost, 1);
    expect(cost.requests).toBe(1);
    expect(cost.commands).toBeLessThanOrEqual(15); // 13 or 14 where the hour, or the ten minutes, have figures already
  });

  test('of a lone message from enqueue to ack: 17 commands in two round trips, of which one comes before its handler', async () => {
    const { emulator } = bench().redises;
    const handledAt: number[] = [];
    const engine = engineOn(bench(), { push: () => handledAt.push(emulator.requests()) });
    const woken: Promise<unknown>[] = [];
    const caller = {
      invocation: new Invocation(),
      context: { waitUntil: (work: Promise<unknown>) => woken.push(work) },
    };
    const enqueue = async () => {
      await engine.under(caller).enqueue(inputs(engine, 1));
      await Promise.all(woken);
    };
    await enqueue(); // loads the scripts
    for (let i = 0; i < 3; i++) {
      const before = emulator.requests();
      const cost = await bench().cost(enqueue);
      print('lone message', cost, 1);
      expect(cost).toEqual({ commands: 17, requests: 2 });
      expect(handledAt.at(-1)).toBe(before + 1);
    }
    expect(handledAt).toHaveLength(4);
  });

  test('of a lone message that waits in a lane, from enqueue to ack: 26 commands in three round trips', async () => {
    const handled: string[] = [];
    const engine = engineOn(bench(), handled);
    await warmUp(engine);
    const enqueue = await bench().cost(() => engine.enqueue(inputs(engine, 1)));
    const drain = await bench().cost(() => drainFor(engine, 20_000));
    print('lone message in a lane', sum(enqueue, drain), 1);
    expect(handled).toHaveLength(2);
    expect([enqueue, drain]).toEqual([
      { commands: 7, requests: 1 },
      { commands: 19, requests: 2 },
    ]);
  });

  test.each([
    [1, 7],
    [2, 7],
    [100, 7],
    [101, 8],
    [1_000, 20],
  ])('of enqueueing %i at once into an empty lane: %i commands in one round trip', async (count, commands) => {
    const engine = engineOn(bench(), []);
    await warmUp(engine);
    const cost = await bench().cost(() => engine.enqueue(inputs(engine, count)));
    await engine.tick();
    expect(cost).toEqual({ commands, requests: 1 });
  });

  test('of what a message may ask for: a dedup key adds two commands, a delay none, an instant two', async () => {
    const engine = engineOn(bench(), []);
    await warmUp(engine);
    const ids: string[] = [];
    const enqueue = (options?: object) =>
      bench().cost(async () => {
        const { receipts } = await engine.enqueue(inputs(engine, 1, 'pulled', options));
        ids.push(...receipts.map(({ id }) => id));
      });
    // Of a thousand delayed ones each first looks how many there are.
    const least = async (options: object) => {
      const costs = [await enqueue(options), await enqueue(options), await enqueue(options)];
      return { commands: Math.min(...costs.map(({ commands }) => commands)) };
    };
    const delayed = await least({ delay: '1h' });
    const named = await least({ notBefore: Date.now() + 3_600_000 });
    await enqueue();
    const [plain, dedup] = [await enqueue(), await enqueue({ dedup: { key: 'a' } })];
    for (const id of ids) await openAdminOn(engine).cancel(id);
    expect([delayed, named, plain, dedup].map(({ commands }) => commands)).toEqual([5, 7, 5, 5 + ASIDE.dedup]);
  });

  test.each([
    { count: 1, receive: 11, settle: 8 },
    { count: 100, receive: 13, settle: 10 },
  ])('of receiving $count and settling: $receive and $settle commands, one round trip each', async (expected) => {
    const { count, receive, settle } = expected;
    const engine = engineOn(bench(), []);
    await warmUp(engine);
    const take = (lease: string, max: number) =>
      engine.receive({ lease, queues: ['pulled'], max, visibilityMs: 30_000 });
    const ack = (lease: string, { messages }: Awaited<ReturnType<typeof take>>) =>
      engine.settle({ lease, settlements: messages.map(({ id, attempt }) => ({ id, attempt, outcome: 'ack' })) });
    await engine.enqueue(inputs(engine, 1, 'pulled'));
    await ack('first', await take('first', 1));
    await engine.enqueue(inputs(engine, count, 'pulled'));
    let received = await take('none', 0);
    const taking = await bench().cost(async () => {
      received = await take('second', count);
    });
    const settling = await bench().cost(() => ack('second', received));
    const empty = await bench().cost(() => take('third', 1));
    expect(received.messages).toHaveLength(count);
    expect([taking, settling, empty]).toEqual([
      { commands: receive, requests: 1 },
      { commands: settle, requests: 1 },
      { commands: ASIDE.emptyReceive, requests: 1 },
    ]);
  });

  test('of cancelling: 12 commands where it waits alone, 7 where it is delayed, 3 where it is gone', async () => {
    const engine = engineOn(bench(), []);
    const one = async (options?: object) =>
      (await engine.enqueue(inputs(engine, 1, 'pulled', options))).receipts[0]?.id;
    const cancel = (id = '') => bench().cost(() => openAdminOn(engine).cancel(id));
    await cancel(await one());
    const [waits, delayed] = [await cancel(await one()), await cancel(await one({ delay: '1h' }))];
    expect([waits, delayed, await cancel('gone')]).toEqual([
      { commands: 12, requests: 1 },
      { commands: 7, requests: 1 },
      { commands: 3, requests: 1 },
    ]);
  });

  test.each([
    { lanes: 1, each: 200, commands: ASIDE.takeHundred.oneLane },
    { lanes: 10, each: 20, commands: 30 },
    { lanes: 100, each: 10, commands: ASIDE.takeHundred.manyLanes },
    { lanes: 200, each: 1, commands: ASIDE.takeHundred.loneMessages },
  ])(
    'of a sync that takes 100 messages of $lanes lanes that hold $each: $commands commands',
    async ({ lanes, each, commands }) => {
      const messages = Array.from({ length: lanes * each }, (_, i) =>
        bench().message('work', i, { group: `g${i % lanes}` }),
      );
      await bench().enqueue(...messages);
      await bench().take(50); // scripts are loaded now
      let taken: string[] = [];
      const cost = await bench().cost(async () => {
        taken = await bench().take(100, 'b');
      });
      expect([taken.length, cost]).toEqual([100, { commands, requests: 1 }]);
    },
  );

  test('is what the estimate of costs reckons with', () => {
    expect(COUNTS).toEqual({ idleTick: 5, enqueue: 6, emptyLane: 1, handOff: 9, take: 11, settle: 8, rollup: 10 });
    expect(COUNTS.enqueue + COUNTS.emptyLane + COUNTS.take + COUNTS.settle).toBe(26);
    expect(COUNTS.handOff + COUNTS.settle).toBe(17);
    expect(ASIDE).toEqual({
      thousand: { enqueue: 61, drain: 157 },
      takeHundred: { oneLane: 11, manyLanes: 25, loneMessages: 112 },
      emptyReceive: 5,
      dedup: 2,
    });
  });

  test('GR5 of batches of 100: 0.061 commands to enqueue a message, 0.157 to drain it', async () => {
    const handled: string[] = [];
    const engine = engineOn(bench(), handled);
    await warmUp(engine);
    const enqueue = await bench().cost(async () => {
      for (let i = 0; i < 10; i++) await engine.enqueue(inputs(engine, 100));
    });
    const drain = await bench().cost(() => drainFor(engine, 20_000));
    print('batches of 100, enqueue', enqueue, 1_000);
    print('batches of 100, drain', drain, 1_000);
    expect(handled).toHaveLength(1_001);
    expect([enqueue, drain]).toEqual([
      { commands: ASIDE.thousand.enqueue, requests: 10 },
      { commands: ASIDE.thousand.drain, requests: 11 },
    ]);
  });
});

function sum(a: { commands: number; requests: number }, b: { commands: number; requests: number }) {
  return { commands: a.commands + b.commands, requests: a.requests + b.requests };
}

function print(what: string, { commands, requests }: { commands: number; requests: number }, messages: number): void {
  console.info(`${what}: ${commands / messages} commands, ${requests / messages} round trips per message`);
}
