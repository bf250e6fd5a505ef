/**
 * The functions that a deployment may serve: all of them, or those it names, whole resources or, of those that many Workers need,
 * single routes, which bundlers leave out by a mark at each. What is not named is not in a bundle.
 * Those that are called most come first: the router goes through the list.
 */
import { deadLetters } from './v1/dead-letters.ts';
import { destinations } from './v1/destinations.ts';
import { hooks } from './v1/hooks.ts';
import { leases, receive, settle } from './v1/leases.ts';
import { enqueue, enqueueBatch, messages } from './v1/messages.ts';
import { metrics } from './v1/metrics.ts';
import { queues } from './v1/queues.ts';
import { rings } from './v1/rings.ts';
import { schedules } from './v1/schedules.ts';
import { session } from './v1/session.ts';
import { shards } from './v1/shards.ts';
import { sources } from './v1/sources.ts';
import { stats } from './v1/stats.ts';
import { audit, drain, health, sweep } from './v1/system.ts';
import { topics } from './v1/topics.ts';

export {
  audit,
  deadLetters,
  destinations,
  drain,
  enqueue,
  enqueueBatch,
  health,
  hooks,
  leases,
  messages,
  metrics,
  queues,
  receive,
  rings,
  schedules,
  session,
  settle,
  shards,
  sources,
  stats,
  sweep,
  topics,
};

/** Everything. */
export const api = [
  messages,
  leases,
  hooks,
  topics,
  queues,
  deadLetters,
  destinations,
  audit,
  schedules,
  rings,
  shards,
  drain,
  sweep,
  sources,
  stats,
  metrics,
  health,
  session,
];
