/**
 * The one way to Redis: a single HTTP request per command, sent once, and every failure turned into a StorageError without
 * commands or bodies in it. `#connect` is connect-node.ts in Node and connect-fetch.ts everywhere else: docs/decisions/0007.
 */
export { connect } from '#connect';

/** Sends one command, once. @throws StorageError */
export type Send = (command: string[]) => Promise<unknown>;

export interface Connection {
  url: string;
  token: string;
  /** After which a request counts as unanswered; asked for each. */
  timeoutMs: () => number;
}
