/** The queues of a deployment, as pages of the API or all of them. */
import { get } from './api.ts';
import { duration, sum } from './format.ts';
import { type QueueReport, type QueueReports, STATES, type State } from './types.ts';

export const readyOf = ({ ready }: QueueReport): number => sum(Object.values(ready));

export function depthOf(queue: QueueReport): Record<State, number> {
  return { ready: readyOf(queue), delayed: queue.delayed, leased: queue.leased, dead: queue.dead };
}

/** What stands before a count that is not all. */
export const leastOf = ({ complete }: QueueReport): string => (complete ? '' : '≥ ');

/** How old the oldest ready message is, or is at least. */
export function oldestOf({ oldestReadyAt, oldestComplete }: QueueReport): string {
  if (oldestReadyAt === undefined) return '–';
  return `${oldestComplete ? '' : '≥ '}${duration(Date.now() - oldestReadyAt)}`;
}

export function totalDepth(queues: QueueReport[]): Record<State, number> {
  const depths = queues.map(depthOf);
  return Object.fromEntries(STATES.map((state) => [state, sum(depths.map((depth) => depth[state]))])) as Record<
    State,
    number
  >;
}

export function queuesPage(
  query: { limit: number; cursor?: string; search?: string; recent?: 'true' },
  signal?: AbortSignal,
): Promise<QueueReports> {
  return get(`/v1/queues?${new URLSearchParams({ ...query, limit: String(query.limit) })}`, signal);
}

export async function allQueues(signal?: AbortSignal): Promise<QueueReport[]> {
  const queues: QueueReport[] = [];
  let cursor: string | undefined = '';
  while (cursor !== undefined) {
    const page: QueueReports = await queuesPage({ limit: 1_000, cursor }, signal);
    queues.push(...page.queues);
    cursor = page.cursor;
  }
  return queues;
}

/** With so many queues figures of all of them are asked for less often: each has its price in Redis commands. */
export const everyMsFor = (queues: number): number => (queues > 200 ? 15_000 : 2_000);
