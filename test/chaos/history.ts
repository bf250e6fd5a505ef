/**
 * The history of a torture run: what producers, consumers and the store did, in one order.
 *
 * It only records. What it means is for checker.ts to judge, so that a history written by hand is judged like a real one.
 */
import type { Outcome, Status } from '../../src/store/encode-settlements.ts';

/** An enqueue request, as its producer saw it. The keys tell bodies apart: each stands in one message of the run. */
type Requested =
  | { what: 'begun'; request: number; keys: string[] }
  /** On its way to the shard where it belongs: stored there in the end. */
  | { what: 'promised'; keys: string[] }
  /** Not stored: a message with their dedup key stands for them. */
  | { what: 'met'; keys: string[] }
  | { what: 'ok'; request: number; ids: string[] }
  | { what: 'failed'; request: number } // refused: nothing may be stored
  | { what: 'unknown'; request: number }; // no usable answer: stored or not, whole or not at all

/** What a consumer was given. */
interface Delivered {
  what: 'delivered';
  id: string;
  attempt: number;
  key: string;
  lease?: string;
  /** Epoch ms. */
  at: number;
}

export interface StoredMessage {
  id: string;
  key: string;
  lane: string;
  delayMs: number;
}

export interface SettledEntry {
  entry: string;
  outcome: Outcome;
  status: Status;
  delayMs: number;
  /** Not the handler asked for it: its drain had to end. */
  cutOff: boolean;
}

/** What the store did, in Redis' own order. Instants are Redis', epoch ms. */
type Observed =
  | { what: 'stored'; messages: StoredMessage[]; at: number; shard?: string }
  | { what: 'settled'; lease: string; settlements: SettledEntry[]; at: number }
  /** Entries that a lease gave back; it was last extended at `extendedAt`, for `leaseMs`. */
  | { what: 'lapse'; lease: string; entries: string[]; at: number; extendedAt: number; leaseMs: number }
  /** A lease was extended, and these entries came into it. */
  | { what: 'leased'; lease: string; entries: string[]; at: number; leaseMs: number; shard?: string };

/** What became of a message other than by a settlement. */
interface Ended {
  what: 'outcome';
  id: string;
  outcome: 'dead' | 'cancelled' | 'purged' | 'redriven';
}

/** An operator's word on a queue. */
interface Restricted {
  what: 'paused' | 'resumed';
  queue: string;
  /** Where it holds; left out where there is one shard. */
  shard?: string;
}

/** The process that runs the functions was ended by SIGKILL. */
interface Killed {
  what: 'killed';
}

export type Happening = Requested | Delivered | Observed | Ended | Restricted | Killed;

/** `seq` grows by one with each event. */
export type Event = Happening & { seq: number };

export interface History {
  readonly events: readonly Event[];
  record(happening: Happening): void;
  /** Records that an enqueue begins. @returns its name in the history */
  begin(keys: string[]): number;
}

export function startHistory(): History {
  const events: Event[] = [];
  let requests = 0;
  const record = (happening: Happening) => void events.push({ seq: events.length, ...happening });
  return {
    events,
    record,
    begin(keys) {
      requests += 1;
      record({ what: 'begun', request: requests, keys });
      return requests;
    },
  };
}
