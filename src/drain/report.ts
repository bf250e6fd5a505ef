/** A drain as its callers see it: what it is given, and what it reports. */
import type { OpenSpan } from '../delivery/span.ts';
import type { StorageError } from '../errors.ts';
import type { Envelope } from '../message/envelope.ts';
import type { Message } from '../message/message.ts';
import type { HandlerContext } from '../queue/handler.ts';
import type { AnyQueue } from '../queue/queue.ts';
import type { FireDue } from '../store/due.ts';
import type { Settlement, Status } from '../store/encode-settlements.ts';
import type { Store } from '../store/store.ts';
import type { SyncAnswer } from '../store/sync.ts';
import type { Budget } from './budget.ts';

/** How a drain is told that there is something new for it. */
export interface Attention {
  /** Since it looked last. */
  asked: boolean;
  /** Has it look; set by the drain. That answers false where it does not at once: all its handlers are busy, or it is at its end. */
  look?: () => boolean;
}

/** What a drain has handled and cannot settle. */
export interface Unsettled {
  lease: string;
  settlements: Settlement[];
}

export interface DrainOptions {
  store: Store;
  pool: string;
  queues: ReadonlyMap<string, AnyQueue>;
  env: unknown;
  /** For handlers. Left out: there are no rings. */
  ring?: HandlerContext['ring'] | undefined;
  budget: Budget;
  /** Handlers at once. */
  concurrency: number;
  /** For the subrequests of all of them: see connections.ts. */
  connections: number;
  /** The most messages one sync takes. */
  batch: number;
  leaseMs: number;
  attention?: Attention | undefined;
  /** The name of its lease; left out, a new one. */
  lease?: string;
  /** With nothing to do it looks again after so long, until its budget is over. 0: it ends. */
  pollMs?: number;
  /** Local clock, only for waiting: epoch ms. */
  clock?: (() => number) | undefined;
  /** Fires schedules that are due. Left out: they stay due. */
  fire?: FireDue | undefined;
  /** Told of destinations that are left alone now, or tried again. */
  onTransitions?: ((transitions: SyncAnswer['transitions']) => void) | undefined;
  /** Told where storage answers and takes a part of what it is given only. */
  onRefused?: ((refusal: StorageError) => void) | undefined;
  /** Told where the platform refuses a subrequest, with the queues whose messages it has handled since it settled last. */
  onSpent?: ((queues: string[]) => void) | undefined;
  /** Told of what the platform lets it not settle. */
  onUnsettled?: ((unsettled: Unsettled) => void) | undefined;
  /**
   * Told of work that this drain leaves, being busy or at its end, by the shortest timeout of its queues in ms (0 where that is not
   * known), and in how many ms it is due. Nobody was woken for it.
   */
  onLeft?: ((timeoutMs: number, inMs: number) => void) | undefined;
  /** Told instead of work that it leaves being busy, and takes itself when a handler is free. */
  onBusy?: (() => void) | undefined;
  /** Told at its end in how many ms the next timer is due that it knows of. */
  onDue?: ((inMs: number) => void) | undefined;
  /** Whether the stacks of what handlers throw are kept with their messages. Default: yes. */
  keepsStacks?: boolean | undefined;
  /** Told of each delivery that did not end well. */
  onFailure?: ((message: Envelope['message'], settlement: Settlement) => void) | undefined;
  /** Begins the span of a delivery, where traces are exported. */
  trace?: ((message: Message) => OpenSpan) | undefined;
  /** Jitter, in [0, 1). */
  random?: (() => number) | undefined;
}

/** `subrequests`: the platform refused one. */
export type DrainEnd = 'idle' | 'budget' | 'storage' | 'subrequests';

export interface DrainReport extends Record<Exclude<Status, 'refused'>, number> {
  delivered: number;
  /** Leases swept away while messages of them were held. */
  leasesLost: number;
  requests: number;
  ms: number;
  ended: DrainEnd;
}
