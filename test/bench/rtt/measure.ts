/**
 * The part that is far from Redis: who drains, enqueues and wakes how fast where each round trip takes a while. All are behind one
 * proxy, at one distance they take turns, and what is not timed (filling, clearing, draining what came in) is done from near.
 */
import { attempt, note } from '../attempt.ts';
import type { Place } from '../contender.ts';
import { type FarPlace, openFarPlace } from '../delay/place.ts';
import { type FarFigures, type FarPoint, type Line, quantile, spreadOf } from '../figures.ts';
import { type Form, hasForm, putFor } from '../measures/enqueue.ts';
import { pauseBefore, wakeTimes } from '../measures/wake.ts';
import type { Entrant, Run } from '../run.ts';
import { type Entry, entries } from './rows.ts';

export interface FarEffort {
  rounds: number;
  /** Round trips, ms. */
  distances: number[];
  /** About how long a drain lasts, and how long one goes in. */
  drainMs: number;
  enqueueMs: number;
  wakeSamples: number;
}

export const FAR: FarEffort = { rounds: 3, distances: [1, 5, 20, 50], drainMs: 600, enqueueMs: 300, wakeSamples: 15 };
export const FAR_QUICK: FarEffort = { rounds: 1, distances: [20], drainMs: 200, enqueueMs: 100, wakeSamples: 5 };

/** At every distance: whoever waits for each message gives as many figures as one who takes hundreds. */
const LEAST = 10;
/** Of each lease, when nothing is known of the rate. */
const PROBE = 200;
const LEAST_TRIPS = 25;
/** From a backlog of about as many on a drain has more than one lease. */
const STANDING = 1_500;
/** Lone requests at each distance. */
const LONE = 30;
/** Between two wakes: behind the handler a drain settles, and looks once more. */
const idleMsAt = (ms: number) => 15 + 4 * ms;
/** Where series of leases and drains are measured. */
const SERIES_MS = 20;
const IN: Form[] = ['one at a time', 'four batches of 1,000'];

interface Tally {
  entry: Entry;
  entrant: Entrant;
  figures: FarFigures;
}

/** What one of them did at one distance. */
interface Stay {
  tally: Tally;
  point: FarPoint;
  rates: Record<string, number[]>;
  load: number;
}

interface Means {
  far: FarPlace;
  ms: number;
  effort: FarEffort;
}

export async function measureFar(
  place: Place,
  effort: FarEffort,
  say: (step: string) => void,
): Promise<{ lines: Line[]; figures: FarFigures[] }> {
  const far = await openFarPlace(place);
  const tallies: Tally[] = [];
  const lines: Line[] = [];
  try {
    for (const entry of entries()) {
      say(`from afar: warming up ${entry.row.name}`);
      const entrant = { contender: entry.contender, prepared: await entry.contender.prepare(far) };
      tallies.push({
        entry,
        entrant,
        figures: { ...entry.row, points: [], messages: 0, lost: 0, doubled: 0, failed: [] },
      });
    }
    for (const ms of effort.distances) {
      const trips = await measureAt(tallies, { far, ms, effort }, say);
      await far.setRoundTrip(ms);
      const lone = await far.pingAfter(Array.from({ length: LONE }, () => pauseBefore(idleMsAt(ms))));
      lines.push({
        ms,
        p50: quantile(trips, 0.5),
        p95: quantile(trips, 0.95),
        lone: quantile(
          lone.toSorted((a, b) => a - b),
          0.5,
        ),
      });
    }
  } finally {
    for (const { entrant } of tallies) await entrant.prepared.close();
    far.close();
  }
  return { lines, figures: tallies.map(({ figures }) => figures) };
}

/** @returns what round trips took between the rounds, from the least */
async function measureAt(tallies: Tally[], means: Means, say: (step: string) => void): Promise<number[]> {
  const { far, ms, effort } = means;
  const trips: number[] = [];
  const here = tallies.filter(({ entry }) => !entry.isSeries || ms === SERIES_MS);
  const stays = here.map((tally): Stay => ({ tally, point: { ms, enqueue: {} }, rates: {}, load: 0 }));
  for (let round = -1; round < effort.rounds; round++) {
    for (let turn = 0; turn < stays.length; turn++) {
      const stay = stays[(turn + round + 1) % stays.length] as Stay; // none always comes first
      say(`${ms} ms to Redis and back, round ${round + 1} of ${effort.rounds}: ${stay.tally.figures.name}`);
      if (round < 0) await warmUp(stay, means);
      else await measureOnce(stay, means);
    }
    await far.setRoundTrip(ms);
    trips.push(...(await far.ping()));
  }
  for (const stay of stays) {
    say(`${ms} ms to Redis and back, how soon: ${stay.tally.figures.name}`);
    const { row, isWhole } = stay.tally.entry;
    if (isWhole && row.of !== 'textbook') await measureWake(stay, means); // which waits for its next look
    finish(stay);
  }
  return trips.toSorted((a, b) => a - b);
}

/** What has to be connected and compiled is warm then, and how many messages make a drain of the wanted length is known. */
async function warmUp(stay: Stay, means: Means): Promise<void> {
  const { of, drains, leases } = stay.tally.entry.row;
  stay.load = of === 'textbook' ? LEAST : PROBE * drains * Math.max(1, leases);
  const probes = of === 'BullMQ' ? 1 : 2; // it takes seconds to begin
  for (let probe = 0; probe < probes; probe++) await drainOnce(stay, means, 'warming up');
}

/** The next load is what takes the wanted time at this rate. */
async function drainOnce(stay: Stay, means: Means, what: string): Promise<number | undefined> {
  const { row, contender } = stay.tally.entry;
  const isOurs = row.of === 'library' || row.of === 'worker';
  const rate = isOurs
    ? await marginalRate(stay, means, what)
    : await tried(stay, means, what, (run) => drainFrom(run, means, stay.load, row.of === 'BullMQ')).then(
        (drain) => drain?.rate,
      );
  const wantedMs = Math.max(means.effort.drainMs, LEAST_TRIPS * means.ms);
  const load = Math.max(LEAST, Math.round(((rate ?? 0) * wantedMs) / 1_000));
  stay.load = Math.min(contender.most, load);
  return rate;
}

/**
 * Of a long drain, what it takes longer than a short one: the sweep before it, the look that finds nothing more, and the syncs after
 * which it is seen that a backlog stands, are in both.
 */
async function marginalRate(stay: Stay, means: Means, what: string): Promise<number | undefined> {
  const short = Math.max(Math.round(stay.load / 3), stay.tally.entry.row.leases > 1 ? STANDING : LEAST);
  const long = Math.max(stay.load, 3 * short);
  const first = await tried(stay, means, what, (run) => drainFrom(run, means, short));
  const second = await tried(stay, means, what, (run) => drainFrom(run, means, long));
  const ms = (second?.tookMs ?? 0) - (first?.tookMs ?? Number.POSITIVE_INFINITY);
  return ms > 0 ? ((long - short) / ms) * 1_000 : undefined; // something disturbed the short one
}

async function measureOnce(stay: Stay, means: Means): Promise<void> {
  note(stay, 'drain', await drainOnce(stay, means, 'drain'));
  if (!stay.tally.entry.isWhole) return;
  for (const form of stay.tally.entry.row.of === 'textbook' ? IN.slice(0, 1) : IN) {
    note(stay, form, await tried(stay, means, form, (run) => putFrom(run, form, means)));
  }
}

/** It is opened from near. */
async function tried<T>(stay: Stay, { far }: Means, what: string, measure: (run: Run) => Promise<T>) {
  await far.setRoundTrip(0);
  return attempt(stay.tally, far, what, measure);
}

/**
 * A backlog is put in from near, and drained from that distance.
 * @param isFromFirst the clock begins with the first handler: BullMQ fetches a hundred jobs one after another before it handles any,
 *   which would be most of so short a drain. That of others begins with the call
 */
async function drainFrom(run: Run, { far, ms }: Means, messages: number, isFromFirst = false): Promise<Drained> {
  await far.setRoundTrip(0);
  await run.fill(messages);
  await far.setRoundTrip(ms);
  let firstAt: number | undefined;
  if (isFromFirst) {
    run.ledger.onFirst = () => {
      firstAt ??= performance.now();
    };
  }
  const start = performance.now();
  const endedAt = start + (await run.drain());
  const tookMs = endedAt - (firstAt ?? start);
  return { rate: (messages / tookMs) * 1_000, tookMs };
}

interface Drained {
  /** Messages per second. */
  rate: number;
  tookMs: number;
}

async function putFrom(run: Run, form: Form, { far, ms, effort }: Means): Promise<number | undefined> {
  if (!hasForm(run, form)) return undefined;
  await far.setRoundTrip(ms);
  const rate = await putFor(run, form, Math.max(effort.enqueueMs, 6 * ms));
  await far.setRoundTrip(0);
  await run.drain(); // to see that all came in
  return rate;
}

async function measureWake(stay: Stay, means: Means): Promise<void> {
  const { far, ms, effort } = means;
  const times = await tried(stay, means, 'wake', async (run) => {
    await far.setRoundTrip(ms);
    return wakeTimes(run, effort.wakeSamples, idleMsAt(ms));
  });
  const sorted = (times ?? []).toSorted((a, b) => a - b);
  if (times) stay.point.wake = { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
}

function finish({ tally, point, rates: { drain, ...forms } }: Stay): void {
  if (drain) point.drain = spreadOf(drain);
  for (const [form, values] of Object.entries(forms)) point.enqueue[form as Form] = spreadOf(values);
  tally.figures.points.push(point);
}
