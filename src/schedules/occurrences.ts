/**
 * Slots: the instants at which a schedule is due, and which of them are fired by somebody who looks late.
 *
 * Pure: instants come in, instants go out. What an expression means is croner's business, never ours.
 */
import { Cron, CronDate, CronPattern } from 'croner';

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
const DAY_MS = 86_400_000;
/** Each step back in search of missed slots is so many times as long as the one before. */
const STEP_BACK = 8;

/** @throws RangeError where the expression or the zone is none, or no slot ever comes */
export function slotsOf(timing: Timing): Next {
  if ('everyMs' in timing) return (after) => (Math.floor(after / timing.everyMs) + 1) * timing.everyMs;
  // '?' would stand for the time at which it is read.
  if (timing.cron.includes('?')) throw new RangeError('"?" has no meaning here');
  const { isFixedTime } = new CronPattern(timing.cron, timing.tz, { mode: '5-part' });
  return isFixedTime ? fixedSlots(timing.cron, timing.tz) : runsOf(timing.cron, timing.tz);
}

function runsOf(expression: string, timezone: string): Next {
  const cron = new Cron(expression, { timezone, mode: '5-part', paused: true });
  return (after) => {
    const next = cron.nextRun(new Date(after));
    if (!next) throw new RangeError('no slot ever comes');
    return next.getTime();
  };
}

/**
 * One minute of one hour. Croner drops it where it is missing and the gap ends on the next day, as in Nuuk, so it only says
 * what a wall's clock shows then: times as if the wall were in UTC, where none is missing.
 */
function fixedSlots(expression: string, tz: string): Next {
  const nextShown = runsOf(expression, 'UTC');
  const offsetAt = (instant: number) => shownAt(instant, tz) - instant;
  return (after) => {
    for (let shown = shownAt(after, tz); ; ) {
      shown = nextShown(shown);
      const slot = firstShown(shown, offsetAt);
      if (slot > after) return slot; // or the clock was put back, and had shown it before
    }
  };
}

function shownAt(instant: number, tz: string): number {
  const { year, month, day, hour, minute, second } = new CronDate(new Date(instant), tz);
  return Date.UTC(year, month, day, hour, minute, second);
}

/** When a clock first shows a time, or is past it for having jumped. */
function firstShown(shown: number, offsetAt: (instant: number) => number): number {
  const before = offsetAt(shown - DAY_MS);
  const after = offsetAt(shown + DAY_MS);
  const byOld = shown - before;
  const byNew = shown - after;
  if (before === after) return byOld;
  const change = firstInstant(shown - DAY_MS, shown + DAY_MS, (instant) => offsetAt(instant) === after);
  return byOld < change ? byOld : Math.max(byNew, change);
}

/** By halving, to the second. @param holds from some instant on until `to` */
function firstInstant(from: number, to: number, holds: (instant: number) => boolean): number {
  let [before, first] = [from, to];
  while (first - before > 1_000) {
    const middle = before + Math.floor((first - before) / 2_000) * 1_000;
    if (holds(middle)) first = middle;
    else before = middle;
  }
  return first;
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
