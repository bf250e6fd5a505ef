/** What the HTTP API says and is told about leases: docs/api.md in types. */
import type { Duration } from '../formats/duration.ts';
import type { Message } from '../message/message.ts';

/** A message as a consumer elsewhere gets it. After a release the next consumer gets the same attempt, after a redrive the first. */
export type ReceivedMessage<Body = unknown> = Omit<Message<Body>, 'maxAttempts'>;

/** What became of one message. */
export interface Settlement {
  id: string;
  /** With it the settlement is for that delivery only. */
  attempt?: number;
  outcome: 'ack' | 'retry' | 'dead' | 'release';
  /** Before a retry or a released message comes again. Default: 2 s doubling by attempt for a retry, none for a release. */
  delay?: Duration;
  /** Why, up to 500 characters. */
  error?: string;
}

/**
 * `stale`: the lease had expired and the message lives on elsewhere, or a repeat found it settled. `gone`: it was done
 * before, cancelled or purged, or a repeat found its ack done.
 */
export type Status = 'acked' | 'retried' | 'dead' | 'released' | 'stale' | 'gone';

export interface ReceiveAnswer<Body> {
  lease: string;
  /** Epoch ms, by the server's clock. */
  expiresAt: number;
  messages: ReceivedMessage<Body>[];
  /** Nothing is ready: the next timer is due in so many ms. */
  nextInMs?: number;
  /** There is more for this call than it brought: an answer holds about 4 MB. */
  more?: true;
}

export interface SettleRequest {
  settle: Settlement[];
  extend?: Duration | undefined;
  receive?: { queues: string[]; max?: number | undefined; holding: number } | undefined;
}

export interface SettleAnswer<Body> extends Partial<Omit<ReceiveAnswer<Body>, 'lease'>> {
  settled: { id: string; status: Status }[];
  lost?: true;
  /** Messages of this lease that were cancelled meanwhile. */
  cancelled?: string[];
}
