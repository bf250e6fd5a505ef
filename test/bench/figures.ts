/** What a run of the benchmarks found, as it is kept in docs/benchmarks/results.json. Types and small sums, no I/O. */
import type { Cost } from './measures/commands.ts';
import type { Form } from './measures/enqueue.ts';

/** Of several rounds. */
export interface Spread {
  median: number;
  low: number;
  high: number;
}

export interface PeerFigures {
  name: string;
  settings: string;
  /** Messages per second. */
  enqueue: Partial<Record<Form, Spread>>;
  drain?: Spread;
  both?: Spread;
  /** ms */
  wake?: { p50: number; p99: number };
  cost: Partial<Record<'lone' | '10/s' | '100/s' | 'saturated' | 'idle minute', Cost>>;
  bytes?: number;
  /** Over all runs. */
  messages: number;
  lost: number;
  doubled: number;
  /** Why a figure is missing. */
  failed: string[];
}

export interface GrowthPoint {
  size: number;
  /** Messages per second of a drain. */
  rate: Spread;
  /** Redis' own time for each message of a drain, µs. */
  serverMicros: number;
  /** Of one enqueue, ms. */
  p50: number;
  p99: number;
}

export interface GrowthLine {
  dimension: string;
  points: GrowthPoint[];
}

/** The machine, in words that tell nothing else about it. */
export interface Machine {
  cores: number;
  cpu: string;
  memoryGb: number;
  node: string;
  redis: string;
  loadBefore: number;
  loadAfter: number;
}

export interface Results {
  peers?: { machine: Machine; rounds: number; bulkRounds: number; figures: PeerFigures[] };
  growth?: { machine: Machine; rounds: number; lines: GrowthLine[] };
  backlog?: { machine: Machine; report: string; within: boolean };
}

export function spreadOf(values: number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: quantile(sorted, 0.5), low: sorted[0] ?? 0, high: sorted.at(-1) ?? 0 };
}

/** @param sorted from the least */
export function quantile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
