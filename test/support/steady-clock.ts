// A clock that stands still while the process does: what there is time for is then no question of the machine.

/** Of a longer time without a look at it no more counts. */
const STEP_MS = 50;
/** It is looked at so often, whoever else does. */
const LOOK_MS = 10;

/** Also where a test has others in the place of timers. */
const elapsedMs = performance.now.bind(performance);
let shownMs = Date.now();
let lookedAt = elapsedMs();

/** Epoch ms, behind the time of day by what the process has stood still. */
export function steadyNow(): number {
  const now = elapsedMs();
  shownMs += Math.min(now - lookedAt, STEP_MS);
  lookedAt = now;
  return Math.floor(shownMs);
}

setInterval(steadyNow, LOOK_MS).unref();
