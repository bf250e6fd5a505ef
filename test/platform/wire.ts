// How the outside and the isolates speak to each other.

/** Runs cron's handler. */
export const TICK = '/platform/tick';
/** Makes the isolate, and runs nothing in it. */
export const LOAD = '/platform/load';
/** Header: names an isolate that is kept for the requests that name it. */
export const ISOLATE = 'x-platform-isolate';
/** Header: by which the outside knows an invocation. */
export const ID = 'x-platform-invocation';

/** The line in the log that tells the outside of an invocation that is over. */
export interface Told {
  platform: 'invocation';
  id: string | null;
  /** `tick`, or method and path. */
  what: string;
  /** What it asked for, refused ones included. */
  subrequests: number;
  /** Those that the platform did not allow. */
  refused: number;
  /** Those that had to wait for a connection. */
  queued: number;
}
