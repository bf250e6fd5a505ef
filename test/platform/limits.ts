// What the platform allows, and which of its habits are imposed.
export interface Limits {
  /** Subrequests of one invocation, with all that it does behind its answer. Left out: as many as it likes. */
  subrequests?: number;
  /** Of one invocation, those that wait for headers at once: the others queue. Left out: as many as it likes. */
  connections?: number;
  /** `frozen`: it stands still while code runs, and goes on with I/O and timers. */
  clock?: 'frozen';
  /** Who gets a new isolate. Left out: nobody, one serves all. */
  isolates?: 'tick' | 'request';
  /** CPU of one invocation, ms: see cpu.ts. Left out: as much as it likes. */
  cpuMs?: number;
}

/** Workers Free, on a day on which no isolate stays warm. Its 10 ms of CPU are left out: what they do to a delivery is a test of its own. */
export const FREE: Limits = { subrequests: 50, connections: 6, clock: 'frozen', isolates: 'request' };
