/** What a message is to whoever handles it. */
import type { CarriedOptions } from './options.ts';
import type { Raw } from './raw.ts';

export type Priority = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

/** A queue's name: safe in a key, a URL and a log. */
export const QUEUE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** The most a message's body and headers may take as JSON, in UTF-8 bytes. */
export const MAX_MESSAGE_BYTES = 256 * 1024;

/** A message as a consumer gets it. */
export interface Message<Body = unknown> extends CarriedOptions {
  id: string;
  queue: string;
  /** 0 to 9, 0 first. */
  priority: Priority;
  /**
   * 1 at the first delivery, and one more after each that failed or whose lease expired: no two consumers work on the same (id,
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
