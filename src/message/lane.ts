/**
 * Lanes: each a line of messages of one queue, one priority and one group, and the pools whose lanes are emptied together.
 *
 * Pure. The scripts read the same names: lane.lua is the other half of this file.
 */
import type { Priority } from './message.ts';

/** Push queues share this pool; a pull queue is a pool of its own. No queue can have this name. */
export const PUSH_POOL = '*';

/** @param group any well-formed text; it is encoded, so that no two groups share a lane and none harms a key. */
export function formatLane(priority: Priority, queue: string, group?: string): string {
  return `${priority}:${queue}${group === undefined ? '' : `/${encodeURIComponent(group)}`}`;
}

export function parseLane(lane: string): { priority: Priority; queue: string; group?: string } {
  const slash = lane.indexOf('/');
  const priority = Number(lane[0]) as Priority;
  if (slash < 0) return { priority, queue: lane.slice(2) };
  return { priority, queue: lane.slice(2, slash), group: decodeURIComponent(lane.slice(slash + 1)) };
}

/** @param name of a queue, or of one of its groups: '<queue>', '<queue>/<group>', '<queue>/' for messages without a group */
export function parseGroupName(name: string): { queue: string; group?: string } {
  const { priority: _, ...named } = parseLane(`0:${name.replace(/\/$/, '')}`);
  return named;
}
