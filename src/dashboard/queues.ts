/** The queues of a deployment, as pages of the API or all of them. */
import { countReady, type QueueReport, readPages, STATES, type State } from '../client/admin.ts';
import { api } from './api.ts';
import { duration, sum } from './format.ts';

export function depthOf(queue: QueueReport): Record<State, number> {
  return { ready: countReady(queue), delayed: queue.delayed, leased: queue.leased, dead: queue.dead };
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

export async function allQueues(signal?: AbortSignal): Promise<QueueReport[]> {
  const queues: QueueReport[] = [];
  const pages = readPages((cursor) => api.queues.list({ limit: 1_000, cursor }, { signal }));
  for await (const page of pages) queues.push(...page.queues);
  return queues;
}

/** With so many queues figures of all of them are asked for less often: each has its price in Redis commands. */
export const everyMsFor = (queues: number): number => (queues > 200 ? 15_000 : 2_000);
