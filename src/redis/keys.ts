/**
 * Every key of a shard, and nothing else makes one. All share one hash tag, so that a script stays in one slot of a Redis
 * Cluster. The scripts derive from the root what their callers cannot know.
 */
export interface Keys {
  /** What each key begins with. */
  root: string;
  timers: Key<'timers'>;
  awake: Key<'awake'>;
  sleeper: Key<'sleeper'>;
  /** A drain was too busy to look lately. */
  busy: Key<'busy'>;
  /** The places that drains of a backlog have taken. */
  drains: Key<'drains'>;
  /** Which shards there are, where there are several. */
  map: Key<'map'>;
  /** What operators set for a queue. */
  config: Key<'config'>;
  /** Destinations that failed last. */
  breakers: Key<'breakers'>;
  /** The names of rings that have items. */
  rings: Key<'rings'>;
  /** Topics that have subscriptions, and how many. */
  topics: Key<'topics'>;
  /** The subscriptions of one topic. */
  topic(name: string): Key<'topic'>;
  /** What became of the webhooks of each source. */
  sources: Key<'sources'>;
  schedules: Key<'schedules'>;
  /** What a deployment defines, where that is long. */
  policies(digest: string): Key<'policies'>;
  /** A browser's session that has ended before its time. */
  session(id: string): Key<'session'>;
  /** What became of messages, until it is rolled up. */
  stats: Key<'stats'>;
  /** What became of messages since ever, and what sweeps note. */
  totals: Key<'stats:totals'>;
  /** An enqueue request that was applied. */
  request(token: string): Key<'req'>;
  /** The lanes with work of one pool. */
  ready(pool: string): Key<'ready'>;
  /** The lanes of a queue that wait for a limit, or while it is paused. */
  blocked(queue: string): Key<'blocked'>;
  /** The envelope of a message. */
  message(id: string): Key<'m'>;
  /** What went wrong with a message. */
  failures(id: string): Key<'failures'>;
  lane(lane: string): Key<'lane'>;
  lease(lease: string): Key<'lease'>;
  dead(queue: string): Key<'dead'>;
  /** The first message with a dedup key. */
  dedup(queue: string, digest: string): Key<'dedup'>;
  /** What follows on a message. */
  callbacks(id: string): Key<'then'>;
  /** What is kept of an acked message. */
  result(id: string): Key<'result'>;
  ring(name: string): Key<'ring'>;
}

/** A key, of which the compiler knows the kind: what stands before the first colon of its name, or all of it. */
export type Key<Kind extends string> = string & { [kind]: Kind };
declare const kind: unique symbol;

/** Keys while they are made. */
type Names<All> = {
  [Name in keyof All]: All[Name] extends (...given: infer Given) => string ? (...given: Given) => string : string;
};

/** @throws RangeError where the prefix has anything but letters, digits, dot, dash and underscore. */
export function makeKeys(prefix: string): Keys {
  if (!/^[A-Za-z0-9_.-]{1,64}$/.test(prefix)) throw new RangeError(`bad key prefix ${JSON.stringify(prefix)}`);
  const root = `{${prefix}}:`;
  const names: Names<Keys> = {
    root,
    timers: `${root}timers`,
    awake: `${root}awake`,
    sleeper: `${root}sleeper`,
    busy: `${root}busy`,
    drains: `${root}drains`,
    map: `${root}map`,
    config: `${root}config`,
    breakers: `${root}breakers`,
    rings: `${root}rings`,
    topics: `${root}topics`,
    topic: (name) => `${root}topic:${name}`,
    sources: `${root}sources`,
    schedules: `${root}schedules`,
    policies: (digest) => `${root}policies:${digest}`,
    session: (id) => `${root}session:${id}`,
    stats: `${root}stats`,
    totals: `${root}stats:totals`,
    request: (token) => `${root}req:${token}`,
    ready: (pool) => `${root}ready:${pool}`,
    blocked: (queue) => `${root}blocked:${queue}`,
    message: (id) => `${root}m:${id}`,
    failures: (id) => `${root}failures:${id}`,
    lane: (lane) => `${root}lane:${lane}`,
    lease: (lease) => `${root}lease:${lease}`,
    dead: (queue) => `${root}dead:${queue}`,
    dedup: (queue, digest) => `${root}dedup:${queue}:${digest}`,
    callbacks: (id) => `${root}callbacks:${id}`,
    result: (id) => `${root}result:${id}`,
    ring: (name) => `${root}ring:${name}`,
  };
  return names as Keys;
}
