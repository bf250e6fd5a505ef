// A thousand schedules over weeks in which clocks change, fired by five Workers that die and lose answers: each occurrence once.
import { describe, expect, test } from 'vitest';
import { defineQueue, defineSchedule } from '../../src/index.ts';
import type { Runner } from '../../src/redis/runner.ts';
import { registerSchedules, writeSchedules } from '../../src/schedules/register.ts';
import type { Schedule } from '../../src/schedules/schedule.ts';
import { type Chance, chanceFor } from '../chaos/random.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';
import { minutesOf, occurrencesAmong } from '../support/cron-oracle.ts';
import { type Fired, firedOn, Killed, workerOn } from '../support/schedules.ts';

const START = Date.parse('2027-03-12T00:00Z'); // before the 14th in New York, and the 28th in Berlin
const END = Date.parse('2027-03-30T00:00Z');
const WORKERS = 5;
/** After so many rounds of chaos they are left in peace: an occurrence later than the grace would rightly be missed. */
const ROUNDS = 8;

const queue = defineQueue('work', { handler: () => {} });

const TIMES = ['30 2 * * *', '0 3 * * *', '0 9 * * 1-5', '30 17 * * 0', '*/30 1-3 28 3 *', '15 1-3 14 3 *'];
const ZONES = ['Europe/Berlin', 'America/New_York'];
const INTERVALS = ['24h', '3d', '100h'];

function thousand(): Schedule[] {
  return Array.from({ length: 1_000 }, (_, i) => {
    const every = INTERVALS[Math.floor(i / 8) % INTERVALS.length] as string;
    const cron = { cron: TIMES[i % TIMES.length] as string, tz: ZONES[Math.floor(i / 6) % ZONES.length] as string };
    return defineSchedule(`s${i}`, { ...(i % 8 === 7 ? { every } : cron), queue, body: i });
  });
}

const minutes = new Map(ZONES.map((tz) => [tz, minutesOf(tz, START, END)]));

/** Between two instants, by counting. */
function expectedOccurrences({ id, timing }: Schedule): string[] {
  if ('everyMs' in timing) {
    const first = Math.floor(START / timing.everyMs) + 1;
    const count = Math.floor(END / timing.everyMs) - first + 1;
    return Array.from({ length: count }, (_, i) => `${id} ${(first + i) * timing.everyMs}`);
  }
  return occurrencesAmong(minutes.get(timing.tz) ?? [], timing.cron).map((occurrence) => `${id} ${occurrence}`);
}

/** What is wrong with what was fired. */
function judge(expected: string[], fired: Fired[]): string[] {
  const counts = new Map<string, number>();
  for (const { schedule, occurrence } of fired) {
    counts.set(`${schedule} ${occurrence}`, (counts.get(`${schedule} ${occurrence}`) ?? 0) + 1);
  }
  const known = new Set(expected);
  return [
    ...expected.filter((occurrence) => !counts.has(occurrence)).map((occurrence) => `missed: ${occurrence}`),
    ...[...counts].filter(([, count]) => count > 1).map(([occurrence, count]) => `${count} times: ${occurrence}`),
    ...[...counts.keys()]
      .filter((occurrence) => !known.has(occurrence))
      .map((occurrence) => `no occurrence: ${occurrence}`),
  ];
}

/** Dies before a call or after it, or loses its answer and sends it again. */
function unlucky(runner: Runner, chance: Chance): Runner {
  return {
    async run(...call) {
      if (chance.happens(0.08)) throw new Killed();
      const answer = await runner.run(...call);
      if (chance.happens(0.08)) throw new Killed();
      return chance.happens(0.15) ? { ...(await runner.run(...call)), retried: true } : answer;
    },
  };
}

async function nextTimer(bench: Bench): Promise<number> {
  const [, due] = await bench.redises.raw.zrange(`${bench.root}timers`, 0, 0, 'WITHSCORES');
  return Number(due);
}

/** All Workers at once, each until it dies or nothing is left. */
async function tickAll(bench: Bench, chance: Chance | undefined): Promise<void> {
  const ticks = Array.from({ length: WORKERS }, () => {
    const runner = chance ? unlucky(bench.runner(), chance) : bench.runner();
    return workerOn(bench, { queues: [queue], runner }).tick();
  });
  for (const { status, ...how } of await Promise.allSettled(ticks)) {
    if (status === 'rejected') expect((how as PromiseRejectedResult).reason).toBeInstanceOf(Killed);
  }
}

async function liveThrough(bench: Bench, chance: Chance): Promise<void> {
  for (let due = await nextTimer(bench); due <= END; due = await nextTimer(bench)) {
    bench.now = due + chance.whole(0, 30_000);
    for (let round = 0; (await nextTimer(bench)) <= bench.now; round++) {
      await tickAll(bench, round < ROUNDS ? chance : undefined);
      if (chance.happens(0.1)) await clockSetBack(bench, chance);
      bench.now += 5_000;
    }
  }
}

/** The server's clock is put back for a while: nothing may be fired again for it. */
async function clockSetBack(bench: Bench, chance: Chance): Promise<void> {
  const { now } = bench;
  bench.now -= chance.whole(1, 90 * 60_000);
  await tickAll(bench, chance);
  bench.now = now;
}

describe('the judge', () => {
  const fired = (...occurrences: string[]) =>
    occurrences.map((occurrence) => ({
      id: '',
      body: 0,
      schedule: occurrence.split(' ')[0] ?? '',
      occurrence: Number(occurrence.split(' ')[1]),
    }));

  test('sees what is missed, what comes twice and what is no occurrence', () => {
    expect(judge(['a 1', 'a 2'], fired('a 1', 'a 2'))).toEqual([]);
    expect(judge(['a 1', 'a 2'], fired('a 1', 'a 1', 'b 1'))).toEqual([
      'missed: a 2',
      '2 times: a 1',
      'no occurrence: b 1',
    ]);
  });
});

onEachRedis(
  'weeks',
  (bench) => {
    test('1,000 schedules, five Workers that die, clocks that change: every occurrence once, none missed, none twice', async () => {
      const chance = chanceFor(7, 'weeks');
      const schedules = thousand();
      bench().now = START;
      const written = (await writeSchedules(schedules)).map((one) => ({ ...one, origin: 'api' as const }));
      await registerSchedules(workerOn(bench(), { queues: [queue] }).store, written);
      await liveThrough(bench(), chance);
      const expected = schedules.flatMap(expectedOccurrences);
      const fired = await firedOn(bench());
      expect(expected.length).toBeGreaterThan(9_000);
      expect(judge(expected, fired).slice(0, 10)).toEqual([]);
    }, 60_000);
  },
  ['redis-server'],
);
