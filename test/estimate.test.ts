// The estimate of costs says what the emulator bills: arrival patterns are played step by step, by no clock.
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { COUNTS, perMessage } from '../scripts/cost/commands.ts';
import { estimate, MONTH_S, mostFree } from '../scripts/cost/estimate.ts';
import { UPSTASH } from '../scripts/cost/prices.ts';
import { type Bench, onEachRedis } from './support/bench.ts';
import { AT_MOST } from './support/shell.ts';

const ROUND_TRIP_MS = 10;
/** As many as a drain takes whose handlers are quick, and five at once. */
const TAKES = 10;

/** Pseudo-random, in (0, 1), and the same each time. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** What happens at an instant of the played time. */
interface Event {
  at: number;
  happen(now: number): Promise<void>;
}

/** Plays all events in their order; what happens may add more. */
async function playOut(events: Event[]): Promise<void> {
  while (events.length > 0) {
    events.sort((a, b) => a.at - b.at);
    const { at, happen } = events.shift() as Event;
    await happen(at);
  }
}

/**
 * Enqueues at random instants of a played time, and the drains that they wake, each of its own request: it begins with what was
 * handed to it, or takes a round trip later, and syncs, one after another, a round trip apart, until it finds nothing. Until then nobody
 * else is woken, and what comes is for its next.
 * @returns billed commands and round trips per message
 */
async function play(bench: Bench, perSecond: number, count: number): Promise<{ commands: number; requests: number }> {
  const store = bench.openStore(); // by the server's own clock, which a deployment asks for with a command
  const random = randomOf(7);
  const events: Event[] = [];
  let leases = 0;
  const drainFrom = (at: number, lease: string, held: string[]) => {
    const sync = async (now: number) => {
      const settlements = held.map((entry) => ({ entry, outcome: 'ack' as const }));
      const request = { lease, leaseMs: 30_000, held: 0, want: TAKES, pools: ['*'], settlements };
      const { taken } = await store.sync({ ...request, drain: { ending: false, sleepMs: 20_000, keeps: TAKES } });
      if (taken.length > 0)
        drainFrom(
          now,
          lease,
          taken.map(({ entry }) => entry),
        );
    };
    events.push({ at: at + ROUND_TRIP_MS, happen: sync });
  };
  const enqueue = async (now: number) => {
    const handOff = { lease: `l${leases++}`, leaseMs: 30_000, most: 5 };
    const answer = await store.enqueue({ messages: [bench.message('work', 'x'.repeat(250))], handOff });
    const held = answer.handOff?.taken?.map(({ entry }) => entry) ?? [];
    if (answer.wake) drainFrom(now, handOff.lease, held);
  };
  await enqueue(0); // scripts are loaded now
  await enqueue(0);
  await playOut(events);
  let at = 0;
  for (let i = 0; i < count; i++) {
    at += (-Math.log(random()) / perSecond) * 1_000;
    events.push({ at, happen: enqueue });
  }
  const cost = await bench.cost(() => playOut(events));
  return { commands: cost.commands / count, requests: cost.requests / count };
}

onEachRedis(
  'the estimate of commands',
  (bench) => {
    test.each([
      { rate: 0.1, count: 20, within: 0.002 },
      { rate: 10, count: 150, within: 0.02 },
      { rate: 100, count: 300, within: 0.05 },
      { rate: 300, count: 300, within: 0.05 },
      { rate: 1_000, count: 400, within: 0.1 },
      { rate: 3_000, count: 400, within: 0.05 },
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

  test('falls where several come in a round trip, and in batches; before that one that comes close behind another is a little dearer', () => {
    const commands = [50, 100, 1_000, 10_000].map((perSecond) => estimate({ ...usage, perSecond }).commandsPerMessage);
    expect(commands).toEqual(commands.toSorted((a, b) => b - a));
    const few = [0.1, 1, 10].map((perSecond) => estimate({ ...usage, perSecond }).commandsPerMessage);
    expect([few.toSorted((a, b) => a - b), few.every((each) => each < 17.4)]).toEqual([few, true]);
    expect(estimate({ ...usage, batch: 2 }).commandsPerMessage).toBeCloseTo(17 / 2, 1);
    expect(estimate({ ...usage, batch: 100 }).commandsPerMessage).toBeLessThan(1);
  });

  describe('of several shards', () => {
    const three = { ...usage, shards: 3 };
    const ofCommands = (commands: number) => commands * UPSTASH.perCommand;

    test('with one it is what it was', () => {
      expect(estimate({ ...usage, shards: 1 })).toEqual(estimate(usage));
    });

    test('has each of them asked in each tick, and one is free of charge', () => {
      const idle = estimate({ ...three, messages: 0 });
      expect(idle.commands).toBe(3 * 43_200 * COUNTS.idleTick);
      expect(idle.upstashPayAsYouGo).toBeCloseTo(ofCommands(2 * 43_200 * COUNTS.idleTick));
      expect(idle.workers).toBe(0);
    });

    test('a lone message costs a command more to enqueue, and one more to settle', () => {
      const [one, more] = [usage, three].map((kind) => perMessage({ ...kind, perSecond: 1e-9 }).commands) as [
        number,
        number,
      ];
      expect(more - one).toBeCloseTo(2);
    });

    test('shares what comes: fewer come within a round trip of each other, and no database meets its commands a second', () => {
      const fast = { perSecond: 900, roundTripMs: 10 };
      const third = perMessage({ ...usage, perSecond: 300, roundTripMs: 10 });
      expect(estimate({ ...three, ...fast }).roundTripsPerMessage).toBeCloseTo(third.roundTrips);
      const tooFast = { perSecond: 2_000, roundTripMs: 0.1 };
      expect(estimate({ ...usage, ...tooFast }).upstashFixed).toBeUndefined();
      expect(estimate({ ...usage, ...tooFast, shards: 4 }).upstashFixed).toEqual({ name: '250 MB', price: 40 });
    });

    test('the free one ends where its own share ends it, and databases beyond ten cost by themselves', () => {
      const kind = { ...usage, shards: 3 };
      const most = mostFree(kind);
      const at = (messages: number) => estimate({ ...kind, messages, perSecond: messages / MONTH_S });
      expect(at(most).upstashPayAsYouGo / ofCommands(at(most).commands)).toBeCloseTo(2 / 3);
      expect(at(most + 1).upstashPayAsYouGo / ofCommands(at(most + 1).commands)).toBeCloseTo(1);
      const idle = (shards: number) => estimate({ ...usage, messages: 0, shards }).upstashPayAsYouGo;
      expect(idle(12) - idle(11)).toBeCloseTo(ofCommands(43_200 * COUNTS.idleTick) + 0.5);
    });
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

  test('says what several shards cost', () => {
    const { stdout } = run('--messages', '100M', '--shards', '4', '--json');
    expect(stdout).toContain('on 4 shards');
    expect(stdout).toMatch(/fixed plan +\$\d+\.00 \(4 × /);
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({
      usage: { shards: 4 },
      idleCommands: 4 * 43_200 * COUNTS.idleTick,
    });
  });

  test.each([
    ['--messages', 'many'],
    ['--rate', '-1/s'],
    ['--batch', '1001'],
    ['--round-trip', '0'],
    ['--cron', '0'],
    ['--shards', '0'],
  ])('refuses %s %s in one line that names the option', (option, value) => {
    const { status, stderr } = run(`${option}=${value}`);
    expect([status, stderr]).toEqual([1, expect.stringMatching(`^error: ${option} .*\n$`)]);
  });
});
