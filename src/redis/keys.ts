/**
 * Every key of a shard, and nothing else makes one. All share one hash tag, so that a script stays in one slot of a Redis
 * Cluster. The scripts derive from the root what their callers cannot know.
 */
export interface Keys {
  /** What each key begins with. */
  root: string;
  timers: string;
  failures: string;
  awake: string;
  sleeper: string;
  /** A drain was too busy to look lately. */
  busy: string;
  /** What operators set for a queue. */
  config: string;
  /** Destinations that failed last. */
  breakers: string;
  /** The names of rings that have items. */
  rings: string;
  /** Topics that have subscriptions, and how many. */
  topics: string;
  /** The subscriptions of one topic. */
  topic(name: string): string;
  /** What became of the webhooks of each source. */
  sources: string;
  schedules: string;
  /** A browser's session that has ended before its time. */
  session(id: string): string;
  /** What became of messages, until it is rolled up. */
  stats: string;
  /** What became of messages since ever, and what sweeps note. */
  totals: string;
  /** An enqueue request that was applied. */
  request(token: string): string;
  /** The lanes with work of one pool. */
  ready(pool: string): string;
  /** The envelope of a message. */
  message(id: string): string;
  lane(lane: string): string;
  lease(lease: string): string;
  dead(queue: string): string;
  /** The first message with a dedup key. */
  dedup(queue: string, digest: string): string;
  /** What follows on a message. */
  callbacks(id: string): string;
  /** What is kept of an acked message. */
  result(id: string): string;
  ring(name: string): string;
}

/** @throws RangeError where the prefix has anything but letters, digits, dot, dash and underscore. */
export function keysOf(prefix: string): Keys {
  if (!/^[A-Za-z0-9_.-]{1,64}$/.test(prefix)) throw new RangeError(`bad key prefix ${JSON.stringify(prefix)}`);
  const root = `{${prefix}}:`;
  return {
    root,
    timers: `${root}timers`,
    failures: `${root}failures`,
    awake: `${root}awake`,
    sleeper: `${root}sleeper`,
    busy: `${root}busy`,
    config: `${root}config`,
    breakers: `${root}breakers`,
    rings: `${root}rings`,
    topics: `${root}topics`,
    topic: (name) => `${root}topic:${name}`,
    sources: `${root}sources`,
    schedules: `${root}schedules`,
    session: (id) => `${root}session:${id}`,
    stats: `${root}stats`,
    totals: `${root}stats:totals`,
    request: (token) => `${root}req:${token}`,
    ready: (pool) => `${root}ready:${pool}`,
    message: (id) => `${root}m:${id}`,
    lane: (lane) => `${root}lane:${lane}`,
    lease: (lease) => `${root}lease:${lease}`,
    dead: (queue) => `${root}dead:${queue}`,
    dedup: (queue, digest) => `${root}dedup:${queue}:${digest}`,
    callbacks: (id) => `${root}callbacks:${id}`,
    result: (id) => `${root}result:${id}`,
    ring: (name) => `${root}ring:${name}`,
  };
}
