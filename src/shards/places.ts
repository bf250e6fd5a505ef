/**
 * Places: the names by which queues, messages, schedules, topics, rings and sources find their shard. Pure.
 *
 * A queue's name ends where the first character comes that none can have: what follows tells its parts.
 */
import { parseLimits } from '../queue/limits.ts';
import type { Place } from './placement.ts';

/** As much of a queue as its place depends on. */
export interface PartitionedQueue {
  name: string;
  pool?: string | undefined;
  partition?: 'group' | 'any' | undefined;
  /** Its limits and its order, in the words of the scripts. */
  policy?: string | undefined;
}

/**
 * Where a message has its home. A queue that is not partitioned is whole: its order, its limits and its dedup keys are those of one shard.
 * @param dedupDigest of its dedup key, by which all that share the key come to one shard though the queue is anywhere
 * @param token of its request, whose messages stay together
 */
export function placeOf(
  { name, partition }: PartitionedQueue,
  { group, dedupDigest }: { group?: string | undefined; dedupDigest?: string | undefined },
  token: string,
): Place {
  if (partition === 'any') return `q:${name}${dedupDigest === undefined ? `#${token}` : `!${dedupDigest}`}`;
  return partition === 'group' && group !== undefined ? `q:${name}/${encodeGroup(group)}` : `q:${name}`;
}

/** Whether something of it counts on what else is at its home: an order, or how many there are at work. */
export function isBound({ partition, policy = '' }: PartitionedQueue): boolean {
  return partition !== 'any' && Object.keys(parseLimits(policy)).length > 0;
}

export const placeOfSchedule = (id: string): Place => `s:${id}`;
export const placeOfTopic = (topic: string): Place => `t:${topic}`;
export const placeOfRing = (ring: string): Place => `r:${ring}`;
export const placeOfSource = (source: string): Place => `w:${source}`;

/** As in a lane, and without the star: a pin that ends in one speaks of all that begins so. */
const encodeGroup = (group: string) => encodeURIComponent(group).replaceAll('*', '%2A');
