/**
 * What can go wrong between a client and the service, on demand.
 *
 * "before" and "after" are about Redis: a client cannot tell them apart, and
 * must be right either way.
 */
import type { Refusal } from './refusals.ts';

export type Fault =
  | { kind: 'drop-reply' } // executes, then the socket ends without an answer
  | { kind: 'reset' } // the socket ends, nothing was executed
  | { kind: 'truncate' } // executes, half of the body arrives
  | { kind: 'delay-before' | 'delay-after'; ms: number }
  | ({ kind: 'status-before' | 'status-after' } & Status)
  | { kind: 'flush-scripts' } // the script cache is volatile at the service
  | ({ kind: 'refuse-inside' } & Refusal); // of the scripts of this request

/** What stands in front answers with a page, or with JSON, where its text is what a client may take for a word of Redis. */
export interface Status {
  status: 429 | 500 | 502 | 503 | 504;
  /** The text of a JSON answer. Default: a page. */
  error?: string;
  retryAfterSeconds?: number;
}

export type FaultKind = Fault['kind'];

export interface FaultRequest {
  path: string;
  commands: string[][];
}

/** Asked once for each request that would be executed. */
export type Faults = (request: FaultRequest) => Fault | undefined;

const KINDS: readonly FaultKind[] = [
  'drop-reply',
  'reset',
  'truncate',
  'delay-before',
  'delay-after',
  'status-before',
  'status-after',
  'flush-scripts',
  'refuse-inside',
];

export interface SeededFaults {
  /** The share of requests, 0 to 1, that meet each kind; at most one each, so together at most 1. */
  rates: Partial<Record<FaultKind, number>>;
  seed: number;
  delayMs?: number;
}

/** The same faults for the same seed and the same order of requests; `counts` tells how many of each so far. */
export function seededFaults({ seed, rates, delayMs = 100 }: SeededFaults): {
  faults: Faults;
  counts: Record<FaultKind, number>;
} {
  const random = mulberry32(seed);
  const counts = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<FaultKind, number>;
  const faults = () => {
    const kind = pick(rates, random());
    const second = random(); // drawn always, so that one request never shifts the faults of the next
    if (!kind) return undefined;
    counts[kind] += 1;
    return faultOf(kind, second, delayMs);
  };
  return { faults, counts };
}

function pick(rates: SeededFaults['rates'], draw: number): FaultKind | undefined {
  let below = 0;
  for (const kind of KINDS) {
    below += rates[kind] ?? 0;
    if (draw < below) return kind;
  }
  return undefined;
}

function faultOf(kind: FaultKind, draw: number, delayMs: number): Fault {
  switch (kind) {
    case 'delay-before':
    case 'delay-after':
      return { kind, ms: Math.ceil(draw * delayMs) };
    case 'status-before':
    case 'status-after':
      return { kind, ...(STATUSES[Math.floor(draw * STATUSES.length)] as Status) };
    case 'refuse-inside':
      return { kind, ...refusalOf(draw) };
    default:
      return { kind };
  }
}

/** The texts of 429 and of the first 500 were seen at the service and at a proxy that speaks its protocol. */
export const STATUSES: readonly Status[] = [
  { status: 429 },
  { status: 429, error: 'Too Many Requests' },
  { status: 429, error: 'ERR max requests per second exceeded' },
  { status: 429, error: 'ERR max requests per second exceeded', retryAfterSeconds: 1 },
  { status: 500, error: 'SRH: Unable to connect to Redis' },
  { status: 502 },
  { status: 503 },
  { status: 503, error: 'ERR service unavailable', retryAfterSeconds: 1 },
  { status: 504, error: 'ERR upstream timeout' },
];

/** Writes of a script among which the first to be refused is drawn: most scripts make no more. */
const WRITES = 8;

/** One write alone, as where one record is full, or all from there on, as where the database is. The texts are not those of limits. */
function refusalOf(draw: number): Refusal {
  const place = Math.floor(draw * 2 * WRITES);
  const from = 1 + (place >> 1);
  return place % 2 === 0
    ? { from, error: 'ERR max single record size exceeded, once' }
    : { from, times: Number.POSITIVE_INFINITY, error: 'ERR DB capacity quota exceeded' };
}

/** Small, fast, and repeatable; good enough to spread faults, and for nothing else. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
