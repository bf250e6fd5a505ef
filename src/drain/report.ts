/** The interface of a drain: its options and its report. */
import type { MessageInput } from '../broker/validate.ts';
import type { OpenSpan } from '../delivery/span.ts';
import type { StorageError } from '../errors.ts';
import type { Envelope, NewMessage } from '../message/envelope.ts';
import type { Message } from '../message/message.ts';
import type { HandlerContext } from '../queue/handler.ts';
import type { AnyQueue } from '../queue/queue.ts';
import type { FireDue } from '../store/due.ts';
import type { Settlement, Status } from '../store/encode-settlements.ts';
import type { HandOff } from '../store/enqueue.ts';
import type { Store } from '../store/store.ts';
import type { SyncAnswer } from '../store/sync.ts';
import type { Budget } from './budget.ts';

/** Tells a drain that there is new work for it. */
export interface Attention {
  /** Whether it was told since it looked last. */
  asked: boolean;
  /**
   * Has the drain look at one of its shards, or at all; it sets this itself.
   * @returns false where it does not look at once: its handlers are busy, or it ends
   */
  look?: (shards?: readonly string[]) => boolean;
  /** Has the drain see at once that its budget was closed; it sets this itself. */
  end?: () => void;
  /** Whether one of its handlers has nothing to do; it sets this itself. */
  isFree?: () => boolean;
  /** Gives the drain what an enqueue has taken for it; it sets this itself. @returns false where it takes nothing more */
  adopt?: (handOff: HandOff) => boolean;
}

/** The outcomes of messages that a drain has handled and cannot settle. */
export interface Unsettled {
  /** The name of the shard that the lease is on. */
  shard: string;
  lease: string;
  settlements: Settlement[];
}

/** One of the shards that a drain serves. */
export interface DrainShard {
  /** '' where there is one. */
  name: string;
  store: Store;
  /** Fires schedules that are due. Left out: they stay due. */
  fire?: FireDue | undefined;
  /** Makes what is stored of what a handler enqueues whose own message lies here. Left out: all of it belongs here. */
  prepare?: ((input: MessageInput, traceparent?: string) => Promise<NewMessage>) | undefined;
}

export interface DrainOptions {
  shards: readonly [DrainShard, ...DrainShard[]];
  /** The names of those where there is work, as far as it is known: the others are looked at while work waits in these. Left out: all. */
  woken?: readonly string[] | undefined;
  pool: string;
  queues: ReadonlyMap<string, AnyQueue>;
  env: unknown;
  /** The rings for handlers. Left out, there are none. */
  ring?: HandlerContext['ring'] | undefined;
  budget: Budget;
  /** The longest that a delivery may take for which an enqueue wakes a drain, ms: one that lives shorter lets others be woken. Left out: 0. */
  needsMs?: number | undefined;
  /** Handlers at once. */
  concurrency: number;
  /** For the subrequests of all of them: see connections.ts. */
  connections: number;
  /** The most syncs at once on several shards. Left out: as many as there are leases. */
  mostSyncs?: number | undefined;
  /** The most messages one sync takes. */
  batch: number;
  /** The most leases at once. Left out: one. */
  leases?: number | undefined;
  leaseMs: number;
  attention?: Attention | undefined;
  /** The name of its first lease on each shard; left out, a new one. */
  lease?: string;
  /** The lease that an enqueue has filled for it: it begins with these messages in hand. */
  handOff?: HandOff | undefined;
  /** With nothing to do it looks again after so long, until its budget is over. 0: it ends. */
  pollMs?: number;
  /** Local clock, only for waiting: epoch ms. */
  clock?: (() => number) | undefined;
  /** Called where circuit breakers of destinations opened or closed. */
  onTransitions?: ((transitions: SyncAnswer['transitions']) => void) | undefined;
  /** Called where storage answers and takes only a part of a sync. */
  onRefused?: ((refusal: StorageError) => void) | undefined;
  /** Called at its end for each of several shards that did not answer when it was asked last. */
  onAway?: ((error: StorageError) => void) | undefined;
  /** Called where the platform refuses a subrequest, with the queues whose messages were handled since the last sync. */
  onSpent?: ((queues: string[]) => void) | undefined;
  /** Called with the outcomes that it cannot settle, because the platform refuses subrequests. */
  onUnsettled?: ((unsettled: Unsettled) => void) | undefined;
  /**
   * Called for work that this drain leaves, being busy or at its end, and for which no other drain was woken: with the shortest
   * timeout of its queues in ms (0 where that is not known), and in how many ms it is due.
   */
  onLeft?: ((timeoutMs: number, inMs: number) => void) | undefined;
  /** Called in place of `onLeft` while all its handlers are busy: it takes that work itself when one is free. */
  onBusy?: (() => void) | undefined;
  /** Called with each answer that had room for messages: whether it was full, so that more may be ready. */
  onTake?: ((isFull: boolean) => void) | undefined;
  /** Called at its end with how many ms there are until the next timer that it knows of. */
  onDue?: ((inMs: number) => void) | undefined;
  /** Whether the stacks of what handlers throw are kept with their messages. Default: yes. */
  keepsStacks?: boolean | undefined;
  /** Called for each delivery that failed. */
  onFailure?: ((message: Envelope['message'], settlement: Settlement) => void) | undefined;
  /** Begins the span of a delivery, where traces are exported. */
  trace?: ((message: Message) => OpenSpan) | undefined;
  /** Jitter, in [0, 1). */
  random?: (() => number) | undefined;
}

/** Why a drain ended; `subrequests` where the platform refused one. */
export type DrainEnd = 'idle' | 'budget' | 'storage' | 'subrequests';

export interface DrainReport extends Record<Exclude<Status, 'refused'>, number> {
  delivered: number;
  /** Leases swept away while messages of them were held. */
  leasesLost: number;
  requests: number;
  ms: number;
  ended: DrainEnd;
}
