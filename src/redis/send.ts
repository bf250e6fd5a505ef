/** One command to Redis: a single HTTP request, sent once, and every failure a StorageError without commands or bodies in it. */

/** Sends one command, once. @throws StorageError */
export type Send = (command: string[]) => Promise<unknown>;

export interface Connection {
  url: string;
  token: string;
  /** After which a request counts as unanswered; asked for each. */
  timeoutMs: () => number;
}
