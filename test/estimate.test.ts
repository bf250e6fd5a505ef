// The estimate of costs says what the emulator bills: arrival patterns are played step by step, by no clock.
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { COUNTS, perMessage } from '../scripts/cost/commands.ts';
import { estimate, MONTH_S, mostFree } from '../scripts/cost/estimate.ts';
import { type Bench, onEachRedis } from './support/bench.ts';
import { AT_MOST } from './support/shell.ts';

const ROUND_TRIP_MS = 10;

/** Pseudo-random, in (0, 1), and the same each time. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/**
 * Enqueues at random instants of a played time, and the syncs of the drain that they wake: one after another, a round trip
 * apart, until one finds nothing. @returns billed commands and round trips per message
 */
async function play(bench: Bench, perSecond: number, count: number): Promise<{ commands: number; requests: number }> {
  const store = bench.openStore(); // by the server's own clock, which a deployment asks for with a command
  const random = randomOf(7);
  let at = 0;
  const arrivals = Array.from({ length: count }, () => {
    at += (-Math.log(random()) / perSecond) * 1_000;
    return at;
  });
  const sync = async (lease: string, entries: string[]) => {
    const settlements = entries.map((entry) => ({ entry, outcome: 'ack' as const }));
    const drain = { ending: false, sleepMs: 20_000 };
    const request = { lease, leaseMs: 30_000, held: 0, want: 100, pools: ['*'], settlements, drain };
    return (await store.sync(request)).taken.map(({ entry }) => entry);
  };
  let lease = 0;
  const next = async () => {
    const due = arrivals.shift();
    if (due !== undefined) await store.enqueue({ messages: [bench.message('work', 'x'.repeat(250))] });
    return due ?? 0;
  };
  await store.enqueue({ messages: [bench.message('work', 'first')] }); // scripts are loaded now
  await sync('warm', await sync('warm', []));
  const cost = await bench.cost(async () => {
    while (arrivals.length > 0) {
      let now = await next();
      lease += 1;
      for (let held: string[] | undefined; held?.length !== 0; ) {
        now += ROUND_TRIP_MS;
        while (arrivals.length > 0 && (arrivals[0] ?? 0) <= now) await next();
        held = await sync(`l${lease}`, held ?? []);
      }
    }
  });
  return { commands: cost.commands / count, requests: cost.requests / count };
}

onEachRedis(
  'the estimate of commands',
  (bench) => {
    test.each([
      { rate: 0.1, count: 20, within: 0.002 },
      { rate: 10, count: 150, within: 0.1 },
      { rate: 100, count: 300, within: 0.1 },
      { rate: 1_000, count: 400, within: 0.15 },
    ])('is within $within of what is billed at $rate messages a second', async ({ rate, count, within }) => {
      const measured = await play(bench(), rate, count);
      const model = perMessage({ perSecond: rate, batch: 1, roundTripMs: ROUND_TRIP_MS });
      console.info(
        `${rate}/s: ${measured.commands.toFixed(2)} commands billed, ${model.commands.toFixed(2)} estimated`,
      );
      expect(Math.abs(model.commands / measured.commands - 1)).toBeLessThanOrEqual(within);
      expect(Math.abs(model.roundTrips / measured.requests - 1)).toBeLessThanOrEqual(within);
    });
  },
  ['redis-server'], // counts are the same on each: test/cost.test.ts
);

describe('the estimate', () => {
  const usage = {
    messages: 1_000_000,
    perSecond: 1_000_000 / MONTH_S,
    batch: 1,
    bytes: 260,
    roundTripMs: 6,
    cronMinutes: 1,
  };

  test('of an idle month is that of its cron ticks, and free', () => {
    const { commands, upstashPayAsYouGo, workers } = estimate({ ...usage, messages: 0 });
    expect(commands).toBe(43_200 * COUNTS.idleTick);
    expect([upstashPayAsYouGo, workers]).toEqual([0, 0]);
  });

  test('finds the cheapest plan that bears the bandwidth, and none where commands come too fast', () => {
    expect(estimate(usage).upstashFixed).toEqual(expect.objectContaining({ price: 10 }));
    expect(estimate({ ...usage, messages: 1e8 }).upstashFixed?.price).toBeGreaterThan(20);
    expect(estimate({ ...usage, perSecond: 2_000, roundTripMs: 0.1 }).upstashFixed).toBeUndefined();
  });

  test('U7 knows where the free database ends: with the next message it refuses everything', () => {
    for (const given of [{ batch: 1 }, { batch: 100 }, { cronMinutes: 5 }, { bytes: 100_000 }]) {
      const kind = { ...usage, ...given };
      const at = (messages: number) => estimate({ ...kind, messages, perSecond: messages / MONTH_S });
      const most = mostFree(kind);
      expect(at(most).upstashPayAsYouGo).toBe(0);
      expect(at(most + 1).upstashPayAsYouGo).toBeGreaterThan(0);
    }
  });

  test('of cron every few minutes has so many ticks fewer', () => {
    expect(estimate({ ...usage, messages: 0, cronMinutes: 5 }).idleCommands).toBe(8_640 * COUNTS.idleTick);
  });

  test('S11 of logs: free while Workers Free does, and by size, and by how long they are kept, beyond what is included', () => {
    expect(estimate(usage).logs).toEqual({ gb: expect.closeTo(3.13), price: undefined });
    const { gb, price } = estimate({ ...usage, messages: 1e8, perSecond: 1e8 / MONTH_S }).logs;
    expect([gb, price]).toEqual([
      expect.closeTo(300.13),
      expect.closeTo(250.13 * 0.25 + (300.13 * (7 / 30) - 12) * 0.1),
    ]);
  });

  test('falls as messages come faster, and in batches', () => {
    const commands = [1, 10, 100, 1_000, 10_000].map(
      (perSecond) => estimate({ ...usage, perSecond }).commandsPerMessage,
    );
    expect(commands).toEqual(commands.toSorted((a, b) => b - a));
    expect(estimate({ ...usage, batch: 100 }).commandsPerMessage).toBeLessThan(1);
  });
});

describe('npm run cost', () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, ['scripts/cost/cost-command.ts', ...args], { ...AT_MOST, encoding: 'utf8' });

  test('prints the estimate, and one object as its last line', () => {
    const { status, stdout } = run('--messages', '10k', '--rate', '5/s', '--json');
    expect([status, stdout]).toEqual([0, expect.stringContaining('instead, QStash')]);
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({
      usage: { messages: 10_000, perSecond: 5 },
      idleCommands: 43_200 * COUNTS.idleTick,
      freeMessages: expect.any(Number),
    });
  });

  test.each([
    ['--messages', 'many'],
    ['--rate', '-1/s'],
    ['--batch', '1001'],
    ['--round-trip', '0'],
    ['--cron', '0'],
  ])('refuses %s %s in one line that names the option', (option, value) => {
    const { status, stderr } = run(`${option}=${value}`);
    expect([status, stderr]).toEqual([1, expect.stringMatching(`^error: ${option} .*\n$`)]);
  });
});
