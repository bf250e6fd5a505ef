/** A plot of what became of messages, step by step: how many, or how long they took. */
import type { StatsCounters, StatsReport } from '../../client/admin.ts';
import { duration } from '../format.ts';
import { COUNTS, DURATIONS, type Measure } from '../measures.ts';
import { finishedOf } from '../steps.ts';
import { Plot } from './plot.tsx';

interface Drawn {
  measure: Measure;
  lines: { label: string; tone: string; pick(counters: StatsCounters, stepMs: number): number | null }[];
}

type Outcome = 'acked' | 'retried' | 'dead' | 'leaseExpired';
const OUTCOME_TONES: Record<Outcome, string> = { acked: 'calm', retried: 'warm', dead: 'hot', leaseExpired: 'leased' };

/** How many a minute ended so. */
export const ratesOf = (...outcomes: Outcome[]): Drawn => ({
  measure: COUNTS,
  lines: outcomes.map((outcome) => ({
    label: outcome === 'leaseExpired' ? 'lease expired' : outcome,
    tone: OUTCOME_TONES[outcome],
    pick: (counters, stepMs) => (counters[outcome] * 60_000) / stepMs,
  })),
});

/** ms; null where nothing was measured. */
export type Percentiles = StatsCounters['waitMs'];
type Rank = keyof Percentiles;
const RANK_TONES: Record<Rank, string> = { p50: 'calm', p95: 'warm', p99: 'hot' };

export const timesOf = (what: 'waitMs' | 'runMs', ...ranks: Rank[]): Drawn => ({
  measure: DURATIONS,
  lines: ranks.map((rank) => ({ label: rank, tone: RANK_TONES[rank], pick: (counters) => counters[what][rank] })),
});

interface StatsPlotProps {
  title: string;
  stats: StatsReport;
  of: Drawn;
  /** Why there can be no data. */
  never?: string | undefined;
  height?: number;
}

export function StatsPlot({ title, stats, of: { measure, lines }, never, height = 190 }: StatsPlotProps) {
  const points = finishedOf(stats);
  const drawn = lines.map(({ pick, ...line }) => ({
    ...line,
    values: points.map((point) => pick(point, stats.stepMs)),
  }));
  return (
    <Plot title={title} times={points.map(({ at }) => at)} lines={drawn} measure={measure} height={height}>
      <strong>{never ? 'Not measured' : 'No data yet'}</strong>
      <p>{never ?? `A step of ${duration(stats.stepMs)} is drawn when it is over.`}</p>
    </Plot>
  );
}
