/** The report of a run over several shards: its figures as a table, and as the object for machines. */
import type { Finding } from '../../../src/store/audit.ts';
import { FAULTS, type FaultName, type Verdict } from '../checker.ts';
import type { Leftover } from '../recount.ts';
import { STEPS, type Step } from './reshard.ts';

export interface ShardCounts {
  name: string;
  /** How often it was away. */
  away: number;
  stored: number;
  leased: number;
}

export interface ShardedRun {
  seed: number;
  seconds: number;
  redis: string;
  verdict: Verdict;
  shards: ShardCounts[];
  /** Stored on one shard for another, and those that are still there. */
  parcels: number;
  /** Of them, by the request that sent them; drains forward the others. */
  forwarded: number;
  parcelsLeft: number;
  /** What was done where one of the shards comes and goes. */
  resharded?: Step[];
  faultsInjected: Record<string, number>;
  auditFindings: Finding[];
  sweepFindings: Finding[];
  leftovers: (Leftover & { shard: string })[];
}

export type ShardedFigures = ReturnType<typeof figuresOf>;

export function figuresOf({ verdict, faultsInjected, seconds, ...run }: ShardedRun) {
  const { faults, redelivered, isSound, ...counts } = verdict;
  const counted = Object.fromEntries(Object.entries(faults).map(([name, ids]) => [name, ids.length]));
  const [auditFindings, sweepFindings] = [run.auditFindings.length, run.sweepFindings.length];
  const leftovers = run.leftovers.length;
  return {
    ...counts,
    ...(counted as Record<FaultName, number>),
    ...run,
    /** There twice, or given out again without a cause. */
    doubled: faults.enqueuedTwice.length + faults.unexplainedDuplicates.length + faults.doubleAcks.length,
    ...{ redelivered, auditFindings, sweepFindings, leftovers },
    seconds: Math.round(seconds),
    messagesPerSecond: Math.round(verdict.delivered / seconds),
    faultsInjected: Object.values(faultsInjected).reduce((sum, count) => sum + count, 0),
    faultKinds: faultsInjected,
    passed:
      isSound &&
      hasTried(verdict, run.parcels) &&
      STEPS.every((step) => run.resharded?.includes(step) ?? true) &&
      auditFindings + sweepFindings + leftovers + run.parcelsLeft === 0,
  };
}

/** A run in which nothing came in, or nothing went from shard to shard, says nothing. */
const hasTried = ({ acknowledged, delivered }: Verdict, parcels: number) =>
  Math.min(acknowledged, delivered, parcels) > 0;

export function tableOf(figures: ShardedFigures): string {
  const { redelivered, faultKinds, spread, shards } = figures;
  const rows: [string, string | number][] = [
    ['enqueued', figures.enqueued],
    ['acknowledged', figures.acknowledged],
    ['delivered', figures.delivered],
    ['recovered', figures.recovered],
    ['dead letters', figures.dead],
    ['cancelled', figures.cancelled],
    ...shards.flatMap(({ name, stored, leased, away }): [string, number][] => [
      [`${name}: stored`, stored],
      [`${name}: given out`, leased],
      [`${name}: away`, away],
    ]),
    ...(figures.resharded ? [['resharded', figures.resharded.join(' ')] as [string, string]] : []),
    ['parcels', figures.parcels],
    ['parcels forwarded at once', figures.forwarded],
    ['parcels left', figures.parcelsLeft],
    ['requests that became visible shard by shard', spread.requests],
    ['from first to last message: p50, ms', spread.p50Ms],
    ['from first to last message: p99, ms', spread.p99Ms],
    ['from first to last message: longest, ms', spread.longestMs],
    ...Object.entries(redelivered).map(([cause, count]): [string, number] => [`redelivered: ${cause}`, count]),
    ...Object.entries(faultKinds).map(([kind, count]): [string, number] => [`fault: ${kind}`, count]),
    ['kills of the Worker', figures.kills],
    ['messages per second', figures.messagesPerSecond],
    ...Object.keys(FAULTS).map((name): [string, number] => [name, figures[name as FaultName]]),
    ['audit findings', figures.auditFindings],
    ['findings of sweeps', figures.sweepFindings],
    ['leftovers', figures.leftovers],
  ];
  const widths = ([0, 1] as const).map((column) => Math.max(...rows.map((row) => String(row[column]).length)));
  const [names = 0, values = 0] = widths;
  return rows.map(([name, value]) => `${name.padEnd(names)}  ${String(value).padStart(values)}`).join('\n');
}
