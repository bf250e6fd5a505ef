/** The clock of a test's storage. A real server has microseconds, by which what comes in one ms keeps its order; this one counts its calls. */
import type { TestClock } from './clock.ts';

export interface ServerClock {
  /** Epoch ms, and a fraction that grows from call to call. */
  now(): number;
  /** The next call comes at the end of the present ms, so that it meets all that is due in it. */
  jump(): void;
}

/** The finest that a number of this size can tell apart: what one call makes due follows one another by it. */
const TICK = 1 / 4096;
/** Of the messages and outcomes of one call, so that a call's are before those of the next. */
export const MOST_IN_A_CALL = 10;
/** From call to call. */
const STEP = MOST_IN_A_CALL * TICK;
const END = 1 - 2 * TICK;

export function openServerClock(clock: TestClock): ServerClock {
  let calls = 0;
  let last = 0;
  let jumps = false;
  return {
    now() {
      const ms = clock.now();
      calls = ms === last ? calls + 1 : 0;
      last = ms;
      const fraction = jumps ? END : Math.min(calls * STEP, END - STEP);
      jumps = false;
      return ms + fraction;
    },
    jump() {
      jumps = true;
    },
  };
}
