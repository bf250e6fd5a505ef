/**
 * Occurrences: the instants at which a schedule is due, and which of them are fired by somebody who looks late.
 *
 * Pure: instants come in, instants go out. What an expression means is croner's business, never ours.
 */
import { CronDate, CronPattern } from 'croner';

/** When: by a cron expression of five fields in a time zone, or at whole multiples of an interval since the epoch. */
export type Timing = { cron: string; tz: string } | { everyMs: number };

/** What becomes of missed occurrences: nothing, one message for all of them, or one for each of the newest so many. */
export type CatchUp = 'none' | 'one' | { all: number };

/** The first occurrence after an instant. */
export type NextOccurrence = (afterMs: number) => number;

/** An occurrence later than this was missed. The cron tick comes each minute, and one of them may fail. */
export const GRACE_MS = 120_000;

const SECOND_MS = 1_000;
/** Cron has a minute at least between occurrences. */
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Each step back in search of missed occurrences is so many times as long as the one before. */
const STEP_BACK = 8;

/** @throws RangeError where the expression or the zone is none, or no occurrence ever comes */
export function compileTiming(timing: Timing): NextOccurrence {
  if ('everyMs' in timing) return (after) => (Math.floor(after / timing.everyMs) + 1) * timing.everyMs;
  // '?' would stand for the time at which it is read.
  if (timing.cron.includes('?')) throw new RangeError('"?" has no meaning here');
  const pattern = new CronPattern(timing.cron, timing.tz, FIVE_FIELDS);
  const offsetAt = (instant: number) => shownAt(instant, timing.tz) - Math.floor(instant / SECOND_MS) * SECOND_MS;
  return pattern.isFixedTime ? compileFixedTime(pattern, offsetAt) : repeatedOccurrences(pattern, offsetAt);
}

const FIVE_FIELDS = { mode: '5-part' } as const;
const UTC = 0;

/**
 * Croner is asked for what a wall's clock shows, in times as if the wall were in UTC, where none is missing and none comes twice.
 * Where clocks change is decided here: its `Cron` drops a fixed time that is missing where the gap ends on the next day, as in
 * Nuuk, and is a third of the package.
 */
function nextShown(pattern: CronPattern, shown: number): number {
  const next = new CronDate(new Date(shown), UTC).increment(pattern, FIVE_FIELDS, false);
  if (!next) throw new RangeError('no occurrence ever comes');
  return next.getTime();
}

/** The clock of a zone: what it shows at an instant, less that instant. */
type Offset = (instant: number) => number;

/** One minute of one hour: it comes once on each day that has it. */
function compileFixedTime(pattern: CronPattern, offsetAt: Offset): NextOccurrence {
  return (after) => {
    for (let shown = after + offsetAt(after); ; ) {
      shown = nextShown(pattern, shown);
      const occurrence = firstShown(shown, offsetAt);
      if (occurrence > after) return occurrence; // or the clock was put back, and had shown it before
    }
  };
}

/** Any other: it comes whenever the clock shows it. */
function repeatedOccurrences(pattern: CronPattern, offsetAt: Offset): NextOccurrence {
  return (after) => {
    for (let from = (Math.floor(after / SECOND_MS) + 1) * SECOND_MS; ; ) {
      const offset = offsetAt(from);
      const end = from + DAY_MS;
      const changes = offsetAt(end) !== offset;
      const change = changes ? firstInstant(from, end, (instant) => offsetAt(instant) !== offset) : end;
      const occurrence = nextShown(pattern, from - 1 + offset) - offset;
      if (occurrence < change) return occurrence;
      from = changes ? change : Math.max(end, occurrence - DAY_MS); // in between the clock shows none
    }
  };
}

function shownAt(instant: number, tz: string): number {
  const { year, month, day, hour, minute, second } = new CronDate(new Date(instant), tz);
  return Date.UTC(year, month, day, hour, minute, second);
}

/** When a clock first shows a time, or is past it for having jumped. */
function firstShown(shown: number, offsetAt: Offset): number {
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
  while (first - before > SECOND_MS) {
    const middle = before + Math.floor((first - before) / (2 * SECOND_MS)) * SECOND_MS;
    if (holds(middle)) first = middle;
    else before = middle;
  }
  return first;
}

/**
 * What is to be fired of a schedule whose next occurrence is `due`, and its next occurrence then.
 *
 * `due` is an occurrence whatever the timing says: it may be of the timing before.
 * @param most occurrences at once; with more of them the next one is due already
 */
export function selectDue(
  next: NextOccurrence,
  { due, now, catchUp, most }: { due: number; now: number; catchUp: CatchUp; most: number },
): { occurrences: number[]; next: number } {
  if (due > now) return { occurrences: [], next: due };
  const onTimeFrom = now - GRACE_MS;
  const occurrences = [
    ...selectMissed(next, due, onTimeFrom, catchUp),
    ...between(next, due, Math.max(due, onTimeFrom), now + 1),
  ];
  return { occurrences: occurrences.slice(0, most), next: occurrences[most] ?? next(now) };
}

/** The newest of the occurrences from `due` on that come before `end`, as many as the policy says. */
function selectMissed(next: NextOccurrence, due: number, end: number, catchUp: CatchUp): number[] {
  const count = catchUp === 'none' ? 0 : catchUp === 'one' ? 1 : catchUp.all;
  if (count === 0 || due >= end) return [];
  // Back from the end in growing steps: after a week's downtime nobody wants to count each minute of it.
  for (let window = count * MINUTE_MS; ; window *= STEP_BACK) {
    const start = Math.max(due, end - window);
    const occurrences = between(next, due, start, end);
    if (occurrences.length >= count || start === due) return occurrences.slice(-count);
  }
}

/** All occurrences from `start`, which is `due` or later, to before `end`. */
function between(next: NextOccurrence, due: number, start: number, end: number): number[] {
  const occurrences: number[] = [];
  for (let occurrence = start === due ? due : next(start - 1); occurrence < end; occurrence = next(occurrence))
    occurrences.push(occurrence);
  return occurrences;
}
