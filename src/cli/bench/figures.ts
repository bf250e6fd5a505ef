/** The figures of a bench. Pure. */
export interface Figures {
  queue: string;
  count: number;
  enqueue: { ms: number; perSecond: number; requestMs: Percentiles };
  /** `waitMs` where this program received them itself. */
  delivery: { ms: number; perSecond: number; waitMs?: Percentiles };
}

export interface Percentiles {
  p50: number;
  p95: number;
}

export function percentilesOf(values: number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
  return { p50: at(0.5), p95: at(0.95) };
}

/** @param ms more than none: a clock that did not move would give infinity */
export function perSecond(count: number, ms: number): number {
  return Math.round((count * 1_000) / Math.max(1, ms));
}
