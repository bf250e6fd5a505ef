/** What a message is: as its consumer gets it, and on its way in. */
import type { Raw } from './raw.ts';

export type Priority = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

/** A queue's name: safe in a key, a URL and a log. */
export const QUEUE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** The most a message's body and headers may take as JSON, in UTF-8 bytes. */
export const MAX_MESSAGE_BYTES = 256 * 1024;

/** The longest group name, in characters. */
export const MAX_GROUP_LENGTH = 128;

/** A message as a consumer gets it. */
export interface Message<Body = unknown> {
  id: string;
  queue: string;
  /** 0 to 9, 0 first. */
  priority: Priority;
  group?: string;
  /**
   * 1 at the first delivery, and one more after each that failed or whose lease lapsed: no two consumers work on the same (id,
   * attempt). A release gives the same again, because whoever released it has done nothing; a redrive, and what takes the place of
   * a message that was tried, begin at 1.
   */
  attempt: number;
  /** Deliveries after which it becomes a dead letter. */
  maxAttempts: number;
  body: Body;
  headers: Record<string, string>;
  /** The exact body of a webhook, of which `body` is the parsed form. Left out for other messages. */
  raw?: Raw;
  /** Epoch ms, by the server's clock. */
  enqueuedAt: number;
}

/** A message on its way in, checked and complete. */
export interface NewMessage {
  id: string;
  lane: string;
  pool: string;
  maxAttempts: number;
  delayMs: number;
  /** Epoch ms; whichever is later, this or the delay, holds. */
  notBefore?: number | undefined;
  /** 0: it never expires. */
  ttlMs: number;
  /** How long its result is kept; 0: not at all. */
  retentionMs?: number;
  dedup?: StoredDedup | undefined;
  /** What follows when it is done or dead. */
  follows?: { on: 'done' | 'dead'; message: Unnamed }[] | undefined;
  /** The part of the envelope behind the header line. */
  json: string;
}

/** A message on its way in that has no id yet: its place in a request gives it. */
export type Unnamed = Omit<NewMessage, 'id'>;

/** How one message is known as the duplicate of another. */
export interface StoredDedup {
  /** Of the key: keys are users' text, which no name in Redis holds. */
  digest: string;
  windowMs: number;
  /** What becomes of a new message with the key of one that waits; 'debounce' waits for a quiet window, too. */
  mode: 'drop' | 'replace' | 'debounce';
  /** The key goes when the message is acked or dead, not only when its window is over. */
  release: boolean;
}
