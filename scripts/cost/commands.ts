/**
 * How many Redis commands a message costs, as hosted Redis bills them: an EVAL is one, and so is each call inside it. Pure.
 *
 * The counts are measured ones: `test/cost.test.ts` counts each operation, `test/estimate.test.ts` whole arrival patterns, and
 * both fail where these figures are not what the emulator bills.
 */

/** Operations whose cost is exact. */
export const COUNTS = {
  /** A cron tick with nothing to do. */
  idleTick: 5,
  /** A message into a lane with others, or a batch of up to 100 of them. */
  enqueue: 6,
  /** More where its lane was empty: the lane enters the index. */
  emptyLane: 1,
  /** A message into an idle system, in the hands of the drain that this wakes. */
  handOff: 9,
  /** A sync that takes one message, with what was held settled in the same call or nothing held. */
  take: 11,
  /** A sync that settles what is held and finds nothing more. */
  settle: 8,
  /** More in a cron tick that finds counters to roll up. */
  rollup: 10,
} as const;

/** More in an enqueue request and in each sync where there are several shards: whether the map is a newer one, and what waits elsewhere. */
const SEVERAL = 1;

/** What no formula needs, and docs/cost.md tells. */
export const ASIDE = {
  /** Of a thousand messages in ten batches: to enqueue all, and to drain all by full syncs. */
  thousand: { enqueue: 61, drain: 157 },
  /** A sync that takes 100: of one lane, of 100 lanes that hold more, of lanes that hold one each. */
  takeHundred: { oneLane: 11, manyLanes: 25, loneMessages: 112 },
  emptyReceive: 5,
  /** More for a message with a dedup key. */
  dedup: 2,
} as const;

/** More in a sync that takes and settles: the figures of what it settled, and the lease, which begins anew where that was all in it. */
const FIGURES = 1;
const ANEW = 1;
/** A sync that settles all that it holds, and takes. */
export const BOTH = COUNTS.take + FIGURES + ANEW;
/** Each hundred messages of a batch are a command more, each two hundred another: arguments are passed in chunks. */
const MSET_CHUNK = 100;
const PUSH_CHUNK = 200;

/** As many messages as a drain starts at once, where nothing is set: a larger request is not handed to it, and waits for its first sync. */
const HANDED_OFF = 5;
/** As many as a sync takes at first. Where as many requests come in a round trip, one drain with full syncs takes them all. */
const FULL = 10;

/** A drain of more than a few messages begins small and follows the pace of its handlers: measured from 20 to 2,000. */
const SMALL = 10;
const DRAIN_START = 31;
const DRAIN_EACH = 0.165;

export interface Pattern {
  /** Messages a second while they come. */
  perSecond: number;
  /** Messages of one enqueue request. */
  batch: number;
  /** One HTTP request to Redis and back, ms. */
  roundTripMs: number;
  /** Databases that share the messages evenly, each request on one of them. Left out: one. */
  shards?: number;
}

export interface PerMessage {
  commands: number;
  /** HTTP requests to Redis. */
  roundTrips: number;
}

/** What one message costs from enqueue to acknowledgement where requests come at random instants (a Poisson process), in plain push queues. */
export function perMessage(pattern: Pattern): PerMessage {
  const { perSecond, batch, roundTripMs, shards = 1 } = pattern;
  const requests = ((perSecond / shards / batch) * roundTripMs) / 1_000;
  const more = shards > 1 ? SEVERAL : 0;
  return batch <= HANDED_OFF ? handedOff(requests, batch, more) : taken(requests, batch, more);
}

/**
 * An enqueue on an idle system begins a drain, which settles a round trip later, and takes what came until then; and so on, each settling what
 * the one before took, until one finds nothing. With `a` requests on average in a round trip such a busy time has 1 + a·eᵃ requests,
 * and eᵃ - 1 syncs that take something.
 * @param requests that come in a round trip
 * @param more in each enqueue and in each sync
 */
function handedOff(requests: number, batch: number, more: number): PerMessage {
  const a = Math.min(FULL, requests); // beyond, drains take full batches anyway
  const taking = Math.exp(a) - 1;
  const later = a * Math.exp(a);
  const first = COUNTS.handOff + COUNTS.settle + 2 * more;
  const commands = first + taking * (BOTH + more + COUNTS.emptyLane) + later * (enqueueOf(batch) + more);
  const messages = (1 + later) * batch;
  return { commands: commands / messages, roundTrips: (2 + taking + later) / messages };
}

/**
 * An enqueue on an idle system wakes a drain, whose first sync takes what came until then. Each further sync settles, and takes what
 * came during the last round trip; the first that finds nothing ends the drain. With `a` requests on average in a round trip, such a
 * busy time has 1 + a + a·eᵃ requests and eᵃ syncs that take something.
 */
function taken(requests: number, batch: number, more: number): PerMessage {
  const a = Math.min(20, requests); // beyond, drains take full batches anyway
  const taking = Math.exp(a);
  const messages = (1 + a + a * taking) * batch;
  const drain = (drainOf(batch, more) + (taking - 1) * (BOTH + more)) / messages;
  const enqueue = ((enqueueOf(batch) + more) * (messages / batch) + COUNTS.emptyLane * taking) / messages;
  return {
    commands: enqueue + Math.max(DRAIN_EACH + more / MSET_CHUNK, drain),
    roundTrips: 1 / batch + Math.max(1 / MSET_CHUNK, (taking + 1) / messages),
  };
}

/** Where messages come so fast that drains take full syncs. */
export const leastPerMessage = (batch: number) => enqueueOf(batch) / batch + DRAIN_EACH;

export const enqueueOf = (batch: number) =>
  COUNTS.enqueue - 2 + Math.ceil(batch / MSET_CHUNK) + Math.ceil(batch / PUSH_CHUNK);

function drainOf(batch: number, more: number): number {
  if (batch <= SMALL) return COUNTS.take + COUNTS.settle + 2 * more;
  return DRAIN_START + DRAIN_EACH * batch + more * (2 + batch / MSET_CHUNK);
}
