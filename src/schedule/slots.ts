/**
 * Slots: the instants at which a schedule is due, and which of them are fired by somebody who looks late.
 *
 * Pure: instants come in, instants go out. Cron is croner's business, never ours.
 */
import { Cron } from 'croner';

/** When: by a cron expression of five fields in a time zone, or at whole multiples of an interval since the epoch. */
export type Timing = { cron: string; tz: string } | { everyMs: number };

/** What becomes of missed slots: nothing, one message for all of them, or one for each of the newest so many. */
export type CatchUp = 'none' | 'one' | { all: number };

/** The first slot after an instant. */
export type Next = (afterMs: number) => number;

/** A slot later than this was missed. The cron tick comes each minute, and one of them may fail. */
export const GRACE_MS = 120_000;

/** Cron has a minute at least between slots. */
const MINUTE_MS = 60_000;
/** Each step back in search of missed slots is so many times as long as the one before. */
const STEP_BACK = 8;

/** @throws RangeError where the expression or the zone is none, or no slot ever comes */
export function slotsOf(timing: Timing): Next {
  if ('everyMs' in timing) return (after) => (Math.floor(after / timing.everyMs) + 1) * timing.everyMs;
  // '?' would stand for the time at which it is read.
  if (timing.cron.includes('?')) throw new RangeError('"?" has no meaning here');
  const cron = new Cron(timing.cron, { timezone: timing.tz, mode: '5-part', paused: true });
  return (after) => {
    const next = cron.nextRun(new Date(after));
    if (!next) throw new RangeError('no slot ever comes');
    return next.getTime();
  };
}

/**
 * What is to be fired of a schedule whose next slot is `due`, and its next slot then.
 *
 * `due` is a slot whatever the timing says: it may be of the timing before.
 * @param most slots at once; with more of them the next one is due already
 */
export function slotsDue(
  next: Next,
  { due, now, catchUp, most }: { due: number; now: number; catchUp: CatchUp; most: number },
): { slots: number[]; next: number } {
  if (due > now) return { slots: [], next: due };
  const onTimeFrom = now - GRACE_MS;
  const slots = [
    ...missedSlots(next, due, onTimeFrom, catchUp),
    ...between(next, due, Math.max(due, onTimeFrom), now + 1),
  ];
  return { slots: slots.slice(0, most), next: slots[most] ?? next(now) };
}

/** The newest of the slots from `due` on that come before `end`, as many as the policy says. */
function missedSlots(next: Next, due: number, end: number, catchUp: CatchUp): number[] {
  const count = catchUp === 'none' ? 0 : catchUp === 'one' ? 1 : catchUp.all;
  if (count === 0 || due >= end) return [];
  // Back from the end in growing steps: after a week's downtime nobody wants to count each minute of it.
  for (let window = count * MINUTE_MS; ; window *= STEP_BACK) {
    const start = Math.max(due, end - window);
    const slots = between(next, due, start, end);
    if (slots.length >= count || start === due) return slots.slice(-count);
  }
}

/** All slots from `start`, which is `due` or later, to before `end`. */
function between(next: Next, due: number, start: number, end: number): number[] {
  const slots: number[] = [];
  for (let slot = start === due ? due : next(start - 1); slot < end; slot = next(slot)) slots.push(slot);
  return slots;
}
