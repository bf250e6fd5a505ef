// What Sluice costs: billed Redis commands and round trips, counted in the emulator. Exact enough to notice one more.
import { expect, test } from 'vitest';
import { type Engine, openEngine } from '../src/engine.ts';
import { defineQueue, defineSchedule } from '../src/index.ts';
import { type Bench, onEachRedis } from './support/bench.ts';

function engineOn(bench: Bench, handled: string[], every?: string): Engine {
  const env = {
    UPSTASH_REDIS_REST_URL: bench.redises.emulator.url,
    UPSTASH_REDIS_REST_TOKEN: bench.redises.emulator.token,
    SLUICE_PREFIX: bench.prefix,
    SLUICE_DRAIN_REQUESTS: '9000',
  };
  const queue = defineQueue('work', { requests: 0, handler: ({ id }) => void handled.push(id) });
  const schedules = every ? [defineSchedule('often', { every, queue, body: 1 })] : [];
  return openEngine(env, new Map([[queue.name, queue]]), { schedules });
}

const drafts = (engine: Engine, count: number) => {
  const queue = engine.queues.get('work');
  if (!queue) throw new Error('no queue');
  return Array.from({ length: count }, (_, i) => ({ queue, body: { text: 'x'.repeat(230), i }, options: {}, at: '' }));
};

/** Loads every script once: NOSCRIPT is a cost of the first call only. */
async function warmUp(engine: Engine): Promise<void> {
  await engine.enqueue(drafts(engine, 1));
  await engine.tick();
  await engine.tick(); // folds the figures that the first left
}

onEachRedis('the cost', (bench) => {
  test('GR4 of an idle cron tick: 5 commands in one round trip', async () => {
    const engine = engineOn(bench(), []);
    await warmUp(engine);
    const cost = await bench().cost(() => engine.tick());
    print('idle tick', cost, 1);
    expect(cost).toEqual({ commands: 5, requests: 1 });
  });

  test('of the cron tick after work: 9 commands more, which fold what became of it', async () => {
    const engine = engineOn(bench(), []);
    await warmUp(engine);
    await engine.enqueue(drafts(engine, 1));
    await engine.drain(20_000);
    const cost = await bench().cost(() => engine.tick());
    print('tick after work', cost, 1);
    expect(cost.requests).toBe(1);
    expect(cost.commands).toBeLessThanOrEqual(14); // 12 or 13 where the hour, or the ten minutes, have figures already
  });

  test('of a lone message from enqueue to ack: 26 commands in three round trips', async () => {
    const handled: string[] = [];
    const engine = engineOn(bench(), handled);
    await warmUp(engine);
    const enqueue = await bench().cost(() => engine.enqueue(drafts(engine, 1)));
    const drain = await bench().cost(() => engine.drain(20_000));
    print('lone message', sum(enqueue, drain), 1);
    expect(handled).toHaveLength(2);
    expect([enqueue, drain]).toEqual([
      { commands: 7, requests: 1 },
      { commands: 19, requests: 2 },
    ]);
  });

  test('of an idle tick with schedules in code: 3 commands and a round trip more', async () => {
    const engine = engineOn(bench(), [], '365d');
    await warmUp(engine);
    const cost = await bench().cost(() => engine.tick());
    print('idle tick with schedules', cost, 1);
    expect(cost).toEqual({ commands: 8, requests: 2 });
  });

  test('GR5 of batches of 100: at most 0.3 commands per message, enqueued and drained', async () => {
    const handled: string[] = [];
    const engine = engineOn(bench(), handled);
    await warmUp(engine);
    const enqueue = await bench().cost(async () => {
      for (let i = 0; i < 10; i++) await engine.enqueue(drafts(engine, 100));
    });
    const drain = await bench().cost(() => engine.drain(20_000));
    print('batches of 100, enqueue', enqueue, 1_000);
    print('batches of 100, drain', drain, 1_000);
    expect(handled).toHaveLength(1_001);
    expect(sum(enqueue, drain).commands / 1_000).toBeLessThanOrEqual(0.3);
  });
});

function sum(a: { commands: number; requests: number }, b: { commands: number; requests: number }) {
  return { commands: a.commands + b.commands, requests: a.requests + b.requests };
}

function print(what: string, { commands, requests }: { commands: number; requests: number }, messages: number): void {
  console.info(`${what}: ${commands / messages} commands, ${requests / messages} round trips per message`);
}
