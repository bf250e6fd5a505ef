/** One command to Redis: a single HTTP request, sent once, and every failure a StorageError without commands or bodies in it. */

/** Sends one command, once. @throws StorageError */
export type Send = (command: string[]) => Promise<unknown>;

/** Opens the way to a database; it sends nothing yet. */
export type Connect = (connection: Connection) => Send;

export interface Connection {
  url: string;
  token: string;
  /** After which a request counts as unanswered; asked for each. */
  timeoutMs: () => number;
}
