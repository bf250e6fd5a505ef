/** Histograms of durations: counts by bucket, and the percentiles that they tell. Pure. */

/** Durations by bucket, and their sum. */
export interface Histogram {
  /** How many are in each bucket; sparse. */
  counts: number[];
  count: number;
  sumMs: number;
}

/** Two buckets to an octave, from 1 ms to a day. What is longer has the last one. */
const PER_OCTAVE = 2;
export const LAST_BUCKET = 54;

/** The bucket of a duration: the first whose bound is not below it. */
export function findBucket(ms: number): number {
  return ms <= 1 ? 0 : Math.min(LAST_BUCKET, Math.ceil(PER_OCTAVE * Math.log2(ms)));
}

/** The longest duration of a bucket, ms. */
export function boundMs(bucket: number): number {
  return bucket === LAST_BUCKET ? Number.POSITIVE_INFINITY : 2 ** (bucket / PER_OCTAVE);
}

export const emptyHistogram = (): Histogram => ({ counts: [], count: 0, sumMs: 0 });

export function addToBucket(histogram: Histogram, bucket: number, count: number): void {
  histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + count;
  histogram.count += count;
}

export interface Percentiles {
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

/** In whole ms, within a bucket of the truth: at most 42 % too long. null where nothing was measured. */
export function readPercentiles(histogram: Histogram): Percentiles {
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
