/**
 * Backlog: how many drains it is worth.
 *
 * Pure. What a queue or its groups may have at work counts for no more than that, however much waits: further drains would find
 * nothing.
 */
import { parseLane } from '../message/lane.ts';
import { type LimitsInForce, parseLimits } from '../queue/limits.ts';
import type { AnyQueue } from '../queue/queue.ts';
import type { ReadyWork } from '../store/drains.ts';

/** What a drain does in this time it ends soon: nobody helps it. */
export const SOON_MS = 5_000;

/** One drain. */
export interface DrainPower {
  /** Messages that it ends soon. */
  ends: number;
  /** Handlers at once. */
  concurrency: number;
  /** Whether it lives long enough for a delivery of this queue. */
  takes(queue: AnyQueue): boolean;
}

/** @returns 0 where nothing is ready that such a drain may take */
export function countDrains(
  { lanes, first }: ReadyWork,
  queues: ReadonlyMap<string, AnyQueue>,
  power: DrainPower,
): number {
  const byQueue = new Map<AnyQueue, number>();
  let free = 0; // of queues that have no limit as a whole
  for (const { lane, length, setByOperators } of first) {
    const queue = queues.get(parseLane(lane).queue);
    if (!queue?.handler || !power.takes(queue) || setByOperators.startsWith('paused')) continue;
    const { group, ...own } = { ...parseLimits(queue.policy), ...parseLimits(setByOperators) };
    const ofLane = Math.min(length / power.ends, mostOf(group, power));
    const most = mostOf(own, power);
    if (most === Number.POSITIVE_INFINITY) free += ofLane;
    else byQueue.set(queue, Math.min(most, ofLane + (byQueue.get(queue) ?? 0)));
  }
  const unseen = ((lanes - first.length) * free) / Math.max(1, first.length); // they are taken to be like these
  return Math.ceil(free + unseen + [...byQueue.values()].reduce((sum, worth) => sum + worth, 0));
}

/** The drains that these limits let work. */
function mostOf({ concurrency, rate }: Omit<LimitsInForce, 'group'> = {}, power: DrainPower): number {
  const atOnce = (concurrency ?? Number.POSITIVE_INFINITY) / power.concurrency;
  const inTime = rate ? (rate.limit * SOON_MS) / rate.perMs / power.ends : Number.POSITIVE_INFINITY;
  return Math.min(atOnce, inTime);
}
