/** Changes: what is different between two looks at a deployment. Pure. */
import { countReady, type QueueReport, type StatsCounters } from '../client/admin.ts';

/** What ended in one minute. */
type Ended = Pick<StatsCounters, 'acked' | 'retried' | 'dead'> & { at: number };

export interface Snapshot {
  at: number;
  queues: QueueReport[];
  /** Where the deployment keeps counters. */
  points: Ended[] | undefined;
}

export interface Change {
  /** Of the later look, epoch ms. */
  at: number;
  /** Without one: of all queues, how many messages ended. */
  queue?: string;
  /** By how much each count changed; `paused` is 1 or -1. */
  change: Record<string, number>;
  /** The counts now. */
  now?: Record<string, number>;
}

export function changesOf(before: Snapshot, after: Snapshot): Change[] {
  const known = new Map(before.queues.map((report) => [report.queue, countsOf(report)]));
  const changes: Change[] = [];
  for (const report of after.queues) {
    const now = countsOf(report);
    const change = differences(known.get(report.queue) ?? {}, now);
    if (change) changes.push({ at: after.at, queue: report.queue, change, now });
  }
  const ended = endedBetween(before.points, after.points);
  return ended ? [...changes, { at: after.at, change: ended }] : changes;
}

function countsOf(report: QueueReport): Record<string, number> {
  const { delayed, leased, dead, paused } = report;
  return { ready: countReady(report), delayed, leased, dead, paused: paused ? 1 : 0 };
}

/** Points are minutes that still grow; one that fell out of the range ended nothing. */
function endedBetween(before: Snapshot['points'], after: Snapshot['points']): Record<string, number> | undefined {
  if (!before || !after) return undefined;
  const known = new Map(before.map((point) => [point.at, point]));
  const ended = { acked: 0, retried: 0, dead: 0 };
  for (const point of after) {
    const earlier = known.get(point.at);
    for (const outcome of ['acked', 'retried', 'dead'] as const) {
      ended[outcome] += Math.max(0, point[outcome] - (earlier?.[outcome] ?? 0));
    }
  }
  return differences({}, ended);
}

function differences(before: Record<string, number>, now: Record<string, number>): Record<string, number> | undefined {
  const changed = Object.entries(now)
    .map(([name, count]) => [name, count - (before[name] ?? 0)] as const)
    .filter(([, by]) => by !== 0);
  return changed.length > 0 ? Object.fromEntries(changed) : undefined;
}
