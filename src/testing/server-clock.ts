/** The clock of a test's storage. A real server has microseconds, by which what comes in one ms keeps its order; this one counts its calls. */
import type { TestClock } from './clock.ts';

export interface ServerClock {
  /** Epoch ms, and a fraction that grows from call to call. */
  now(): number;
  /** Does this at the end of the present ms, so that all that is due in it is due. */
  atEnd<Result>(work: () => Promise<Result>): Promise<Result>;
}

/** A call may make ten things due, one 4096th of a ms after the other. */
const STEP = 0.0025;
/** Of the outcomes and messages of one call: see STEP. */
export const MOST_IN_A_CALL = 10;
const END = 0.9999;

export function openServerClock(clock: TestClock): ServerClock {
  let calls = 0;
  let last = 0;
  let ends = 0;
  return {
    now() {
      const ms = clock.now();
      calls = ms === last ? calls + 1 : 0;
      last = ms;
      return ms + (ends > 0 ? END : Math.min(calls * STEP, END - STEP));
    },
    async atEnd(work) {
      ends += 1;
      try {
        return await work();
      } finally {
        ends -= 1;
      }
    },
  };
}
