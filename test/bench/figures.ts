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
  /** Going in, in batches of up to 1,000. */
  bulk?: Spread;
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

/** What one consumer does at one distance from its Redis. */
export interface FarPoint {
  /** The round trip that was asked for, ms. */
  ms: number;
  /** Messages per second. */
  drain?: Spread;
  enqueue: Partial<Record<Form, Spread>>;
  /** From the call that enqueues to the handler, ms. */
  wake?: { p50: number; p99: number };
}

/** Who is measured from afar: how many drains, and with how many leases each. */
export interface FarRow {
  name: string;
  of: 'library' | 'worker' | 'BullMQ' | 'textbook';
  drains: number;
  /** Of each drain; 0 where it has none. */
  leases: number;
  /** Nothing is set but what the bench sets for all. */
  isStandard?: boolean;
  settings: string;
}

export interface FarFigures extends FarRow {
  points: FarPoint[];
  messages: number;
  lost: number;
  doubled: number;
  failed: string[];
}

/** What the proxy really makes of a round trip, ms: of a PING over TCP. */
export interface Line {
  ms: number;
  p50: number;
  p95: number;
  /** What a lone request over HTTP takes, with pauses between as those of the wakes have, p50, ms: whoever has slept takes longer to answer. */
  lone?: number;
}

/** A backlog of slow deliveries, worked off by so many drains. */
export interface StandingFigures {
  way: 'asked' | 'drainers' | 'url';
  /** How they are begun. */
  told: string;
  drains: number;
  messages: number;
  /** Until the last is acknowledged. */
  seconds: number;
  lost: number;
  doubled: number;
}

/** One call of the API at each size. */
export interface CallTimes {
  call: string;
  ms: { size: number; ms: number }[];
}

/** Messages of one kind. */
export interface KindFigures {
  line: GrowthLine;
  /** The largest of all sizes, the largest first. */
  records: { key: string; bytes: number }[];
  calls: CallTimes[];
}

/** A sync of a deployment with so many queues that have limits. */
export interface LimitedFigures {
  queues: number;
  /** Of its request's command. */
  bytes: number;
  /** Of its script. */
  micros: number;
}

export interface LeaseFigures {
  leases: number;
  countsMs: number;
  leased: number;
  complete: boolean;
  browseMs: number;
  /** Of a whole deep audit. */
  auditMs: number;
  pages: number;
  findings: number;
  /** What it could not judge. */
  incomplete: string[];
}

/** Timers that are due at once, where a round trip takes so many ms. */
export interface DueFigures {
  ms: number;
  count: number;
  moved: number;
  seconds: number;
  sweeps: number;
}

export interface CeilingFigures {
  to: number;
  kinds: KindFigures[];
  limited: LimitedFigures[];
  leases: LeaseFigures[];
  due: DueFigures[];
}

/** Messages per second of one drain over so many shards, each with as many leases. */
export interface ShardRate {
  ms: number;
  shards: number;
  leases: number;
  rate: Spread;
}

/** Urgent messages that come to a backlog on so many shards, in each round. */
export interface ShardPriority {
  shards: number;
  handlerMs: number;
  before: number[];
  behindFirst: number[];
  lastMs: Spread;
  rate: Spread;
}

/** With all there, and with one away, ms. */
export interface AwayFigures {
  p50: [number, number];
  p99: [number, number];
  firstRefusalMs: number;
  laterRefusalMs: number;
}

export interface ShardsFigures {
  ms: number;
  rates: ShardRate[];
  priority: ShardPriority[];
  away: AwayFigures;
}

export interface Results {
  shards?: { machine: Machine } & ShardsFigures;
  peers?: { machine: Machine; rounds: number; bulkRounds: number; figures: PeerFigures[] };
  growth?: { machine: Machine; rounds: number; lines: GrowthLine[] };
  standing?: { machine: Machine; figures: StandingFigures[] };
  ceilings?: { machine: Machine } & CeilingFigures;
  rtt?: { machine: Machine; rounds: number; lines: Line[]; figures: FarFigures[] };
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
