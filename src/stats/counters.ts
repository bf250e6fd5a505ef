/**
 * Counters: what became of messages, in numbers, and how long they waited and ran.
 *
 * Pure. The scripts add the same texts up: stats.lua and fold.lua are the other half of this file.
 */
import { addToBucket, emptyHistogram, type Histogram, LAST_BUCKET } from '../formats/histogram.ts';

/**
 * How a delivery ended: as it was settled, or `leaseExpired` where its consumer let the lease expire and it comes again. `discarded` are
 * dead letters that were too many, or too old, to be kept.
 */
export const OUTCOMES = ['acked', 'retried', 'dead', 'released', 'leaseExpired', 'discarded'] as const;
export type OutcomeName = (typeof OUTCOMES)[number];

export interface Counters extends Record<OutcomeName, number> {
  wait: Histogram;
  run: Histogram;
}

/** @param text `<name>=<number> …`, as the scripts keep it; '' is nothing */
export function parseCounters(text: string): Counters {
  const counters = emptyCounters();
  for (const [, name = '', number] of text.matchAll(/(\w+)=(\d+)/g)) {
    const count = Number(number);
    const [, kind, bucket] = /^([wr])(\d+)$/.exec(name) ?? [];
    if (kind) addToBucket(kind === 'w' ? counters.wait : counters.run, Math.min(LAST_BUCKET, Number(bucket)), count);
    else if (name === 'wait' || name === 'run') counters[name].sumMs += count;
    else if (isOutcome(name)) counters[name] += count;
  }
  return counters;
}

const isOutcome = (name: string): name is OutcomeName => OUTCOMES.some((outcome) => outcome === name);

function emptyCounters(): Counters {
  return {
    acked: 0,
    retried: 0,
    dead: 0,
    released: 0,
    leaseExpired: 0,
    discarded: 0,
    wait: emptyHistogram(),
    run: emptyHistogram(),
  };
}

/** All of them together. */
export function addCounters(all: Counters[]): Counters {
  const sum = emptyCounters();
  for (const counters of all) {
    for (const outcome of OUTCOMES) sum[outcome] += counters[outcome];
    for (const kind of ['wait', 'run'] as const) {
      for (const [bucket, count = 0] of counters[kind].counts.entries()) addToBucket(sum[kind], bucket, count);
      sum[kind].sumMs += counters[kind].sumMs;
    }
  }
  return sum;
}
