/** The part that compares: each contender in turn, round by round, so that what disturbs the machine disturbs all alike. */
import { attempt, note } from './attempt.ts';
import type { Contender, Place } from './contender.ts';
import { CONTENDERS } from './contenders/index.ts';
import { type PeerFigures, quantile, spreadOf } from './figures.ts';
import { throughRate } from './measures/both.ts';
import { arrivalCost, bytesEach, idleCost, saturatedCost } from './measures/commands.ts';
import { drainRate } from './measures/drain.ts';
import { enqueueRate, FORMS, type Form } from './measures/enqueue.ts';
import { wakeTimes } from './measures/wake.ts';
import type { Entrant, Run } from './run.ts';

export interface Effort {
  rounds: number;
  /** Besides these, of bulk enqueueing alone. */
  bulkRounds: number;
  /** How long one timed run of enqueueing lasts, and about how long one of draining. */
  enqueueMs: number;
  drainMs: number;
  wakeSamples: number;
  /** Messages at 10 a second, and ten times as many at 100. */
  arrivals: number;
}

export const FULL: Effort = {
  rounds: 5,
  bulkRounds: 10,
  enqueueMs: 500,
  drainMs: 1_000,
  wakeSamples: 500,
  arrivals: 30,
};
export const QUICK: Effort = {
  rounds: 1,
  bulkRounds: 0,
  enqueueMs: 150,
  drainMs: 300,
  wakeSamples: 12,
  arrivals: 6,
};

const PROBE = 1_000;
const LEAST = 500;
const LONE_PER_SECOND = 4;

/** A ratio of it is asked, and it differs most from run to run: whoever's garbage is collected during one pays for it. */
const BULK: Form = 'four batches of 1,000';

interface Tally {
  entrant: Entrant;
  figures: PeerFigures;
  rates: Record<string, number[]>;
  /** Messages that a drain of the wanted length has. */
  load: number;
}

export async function measurePeers(place: Place, effort: Effort, say: (step: string) => void): Promise<PeerFigures[]> {
  const tallies: Tally[] = [];
  try {
    for (const contender of CONTENDERS) {
      say(`warming up ${contender.name}`);
      tallies.push(await enter(contender, place, effort));
    }
    await inTurns(tallies, effort.rounds, say, (tally) => speeds(tally, place, effort));
    const producers = tallies.filter(({ rates }) => rates[BULK]);
    await inTurns(producers, effort.bulkRounds, say, (tally) => goingIn(tally, place, effort, [BULK]));
    for (const tally of tallies) {
      say(`latency and commands: ${tally.figures.name}`);
      if (!tally.entrant.contender.consumerOnly) await once(tally, place, effort);
    }
    return tallies.map(finished);
  } finally {
    for (const { entrant } of tallies) await entrant.prepared.close();
  }
}

async function inTurns(
  tallies: Tally[],
  rounds: number,
  say: (step: string) => void,
  measure: (tally: Tally) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < tallies.length; turn++) {
      const tally = tallies[(turn + round) % tallies.length] as Tally; // none always comes first
      say(`round ${round + 1} of ${rounds}: ${tally.figures.name}`);
      await measure(tally);
    }
  }
}

async function enter(contender: Contender, place: Place, { drainMs }: Effort): Promise<Tally> {
  const entrant = { contender, prepared: await contender.prepare(place) };
  const { name, settings } = contender;
  const figures: PeerFigures = { name, settings, enqueue: {}, cost: {}, messages: 0, lost: 0, doubled: 0, failed: [] };
  const tally: Tally = { entrant, figures, rates: {}, load: PROBE };
  // Twice: what is not compiled yet says little of how much a second's work is.
  for (let probe = 0; probe < 2; probe++) {
    const rate = await attempt(tally, place, 'warming up', (run) => drainRate(run, tally.load));
    tally.load = Math.round(Math.min(contender.most, Math.max(LEAST, ((rate ?? 0) * drainMs) / 1_000)));
  }
  return tally;
}

async function speeds(tally: Tally, place: Place, effort: Effort): Promise<void> {
  note(tally, 'drain', await attempt(tally, place, 'drain', (run) => drainRate(run, tally.load)));
  if (tally.entrant.contender.consumerOnly) return;
  note(tally, 'both', await attempt(tally, place, 'both', (run) => throughRate(run, tally.load)));
  await goingIn(tally, place, effort, Object.keys(FORMS) as Form[]);
}

async function goingIn(tally: Tally, place: Place, { enqueueMs }: Effort, forms: Form[]): Promise<void> {
  for (const form of forms) {
    note(tally, form, await attempt(tally, place, form, (run) => enqueueRate(run, form, enqueueMs)));
  }
}

async function once(tally: Tally, place: Place, { wakeSamples, arrivals }: Effort): Promise<void> {
  const { figures, load } = tally;
  const times = await attempt(tally, place, 'wake', (run) => wakeTimes(run, wakeSamples));
  const sorted = (times ?? []).toSorted((a, b) => a - b);
  if (times) figures.wake = { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
  const cost = async (name: keyof PeerFigures['cost'], measure: (run: Run) => ReturnType<typeof arrivalCost>) => {
    const measured = await attempt(tally, place, name, measure);
    if (measured) figures.cost[name] = measured;
  };
  await cost('lone', (run) => arrivalCost(run, place, LONE_PER_SECOND, Math.ceil(arrivals / 3)));
  await cost('10/s', (run) => arrivalCost(run, place, 10, arrivals));
  await cost('100/s', (run) => arrivalCost(run, place, 100, 10 * arrivals));
  await cost('saturated', (run) => saturatedCost(run, place, Math.min(load, 10_000)));
  await cost('idle minute', (run) => idleCost(run, place, 1_000));
  const bytes = await attempt(tally, place, 'bytes', async (run) => {
    const each = await bytesEach(run, place, LEAST * 4);
    await run.drain();
    return each;
  });
  if (bytes) figures.bytes = bytes;
}

function finished({ figures, rates }: Tally): PeerFigures {
  const { drain, both, ...forms } = rates;
  if (drain) figures.drain = spreadOf(drain);
  if (both) figures.both = spreadOf(both);
  for (const [form, values] of Object.entries(forms)) figures.enqueue[form as Form] = spreadOf(values);
  return figures;
}
