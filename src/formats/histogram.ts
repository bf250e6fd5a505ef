/**
 * Figures: what became of messages, in numbers, and how long they waited and ran, in histograms.
 *
 * Pure. The scripts add the same texts up: stats.lua and fold.lua are the other half of this file.
 */

/**
 * How a delivery ended: as it was settled, or `lapsed` where its consumer let the lease expire and it comes again. `discarded` are
 * dead letters that were too many, or too old, to be kept.
 */
export const OUTCOMES = ['acked', 'retried', 'dead', 'released', 'lapsed', 'discarded'] as const;
export type OutcomeName = (typeof OUTCOMES)[number];

/** What a consumer measured of one delivery. */
export interface Measured {
  queue: string;
  /** From when it was due to the start of its handler; only known at a first delivery. */
  waitMs?: number | undefined;
  runMs: number;
}

/** Durations by bucket, and their sum. */
export interface Histogram {
  /** How many are in each bucket; sparse. */
  counts: number[];
  count: number;
  sumMs: number;
}

export interface Figures extends Record<OutcomeName, number> {
  wait: Histogram;
  run: Histogram;
}

/** Two buckets to an octave, from 1 ms to a day. What is longer has the last one. */
const PER_OCTAVE = 2;
export const LAST_BUCKET = 54;

/** The bucket of a duration: the first whose bound is not below it. */
export function bucketOf(ms: number): number {
  return ms <= 1 ? 0 : Math.min(LAST_BUCKET, Math.ceil(PER_OCTAVE * Math.log2(ms)));
}

/** The longest duration of a bucket, ms. */
export function boundMs(bucket: number): number {
  return bucket === LAST_BUCKET ? Number.POSITIVE_INFINITY : 2 ** (bucket / PER_OCTAVE);
}

/** Deliveries of one queue as stats.lua keeps them: `<queue> <name>=<number> …`; '' for nothing. */
export function measuredText(all: readonly Measured[]): string {
  const [first] = all;
  if (!first) return '';
  const waits = all.map(({ waitMs }) => waitMs);
  const runs = all.map(({ runMs }) => runMs);
  return first.queue + durationWords('w', 'wait', waits) + durationWords('r', 'run', runs);
}

function durationWords(kind: 'w' | 'r', sum: 'wait' | 'run', durations: (number | undefined)[]): string {
  const counts: number[] = [];
  let sumMs = 0;
  for (const duration of durations) {
    if (duration === undefined) continue;
    const ms = Math.max(0, Math.round(duration)); // clocks may disagree
    const bucket = bucketOf(ms);
    counts[bucket] = (counts[bucket] ?? 0) + 1;
    sumMs += ms;
  }
  let words = '';
  counts.forEach((count, bucket) => {
    words += ` ${kind}${bucket}=${count}`;
  });
  return words && `${words} ${sum}=${sumMs}`;
}

/** @param text `<name>=<number> …`, as the scripts keep it; '' is nothing */
export function parseFigures(text: string): Figures {
  const figures = noFigures();
  for (const [, name = '', number] of text.matchAll(/(\w+)=(\d+)/g)) {
    const count = Number(number);
    const [, kind, bucket] = /^([wr])(\d+)$/.exec(name) ?? [];
    if (kind) addBucket(kind === 'w' ? figures.wait : figures.run, Math.min(LAST_BUCKET, Number(bucket)), count);
    else if (name === 'wait' || name === 'run') figures[name].sumMs += count;
    else if (isOutcome(name)) figures[name] += count;
  }
  return figures;
}

const isOutcome = (name: string): name is OutcomeName => OUTCOMES.some((outcome) => outcome === name);

function noFigures(): Figures {
  const none = (): Histogram => ({ counts: [], count: 0, sumMs: 0 });
  return { acked: 0, retried: 0, dead: 0, released: 0, lapsed: 0, discarded: 0, wait: none(), run: none() };
}

function addBucket(histogram: Histogram, bucket: number, count: number): void {
  histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + count;
  histogram.count += count;
}

/** All of them together. */
export function sumOf(all: Figures[]): Figures {
  const sum = noFigures();
  for (const figures of all) {
    for (const outcome of OUTCOMES) sum[outcome] += figures[outcome];
    for (const kind of ['wait', 'run'] as const) {
      for (const [bucket, count = 0] of figures[kind].counts.entries()) addBucket(sum[kind], bucket, count);
      sum[kind].sumMs += figures[kind].sumMs;
    }
  }
  return sum;
}

export interface Percentiles {
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

/** In whole ms, within a bucket of the truth: at most 42 % too long. null where nothing was measured. */
export function percentilesOf(histogram: Histogram): Percentiles {
  return { p50: quantile(histogram, 0.5), p95: quantile(histogram, 0.95), p99: quantile(histogram, 0.99) };
}

function quantile({ counts, count }: Histogram, part: number): number | null {
  let below = 0;
  for (let bucket = 0; bucket <= LAST_BUCKET; bucket++) {
    const here = counts[bucket] ?? 0;
    if (here > 0 && below + here >= part * count) {
      const from = bucket === 0 ? 0 : boundMs(bucket - 1);
      const to = bucket === LAST_BUCKET ? from : boundMs(bucket);
      return Math.round(from + ((to - from) * (part * count - below)) / here);
    }
    below += here;
  }
  return null;
}
