/**
 * What consumers measured of deliveries, on its way to the store. Pure.
 *
 * The scripts add the same texts up: stats.lua is the other half of this file.
 */
import { findBucket } from '../formats/histogram.ts';

/** What a consumer measured of one delivery. */
export interface Measurement {
  queue: string;
  /** From when it was due to the start of its handler; only known at a first delivery. */
  waitMs?: number | undefined;
  runMs: number;
}

/** Deliveries of one queue as stats.lua keeps them: `<queue> <name>=<number> …`; '' for nothing. */
export function measuredText(all: readonly Measurement[]): string {
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
    const bucket = findBucket(ms);
    counts[bucket] = (counts[bucket] ?? 0) + 1;
    sumMs += ms;
  }
  let words = '';
  counts.forEach((count, bucket) => {
    words += ` ${kind}${bucket}=${count}`;
  });
  return words && `${words} ${sum}=${sumMs}`;
}
