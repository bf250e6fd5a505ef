// What docs/scheduling.md promises of cron where clocks change, worked out minute by minute. It knows nothing of croner.

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;

/** A minute as it passes, and what a clock on the wall shows: minutes since the epoch, as if the wall were in UTC. */
export interface Minute {
  at: number;
  wall: number;
}

/** Every minute from one instant to another. */
export function minutesOf(tz: string, from: number, to: number): Minute[] {
  const read = clockOf(tz);
  const minutes: Minute[] = [];
  for (let at = from; at <= to; at += MINUTE_MS) minutes.push({ at, wall: read(at) });
  return minutes;
}

/** @returns what the wall's clock shows at an instant */
export function clockOf(tz: string): (at: number) => number {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: tz,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  });
  return (at) => {
    const shown: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(at)) shown[type] = Number(value);
    const { year = 0, month = 0, day = 0, hour = 0, minute = 0 } = shown;
    return Date.UTC(year, month - 1, day, hour, minute) / MINUTE_MS;
  };
}

/**
 * The occurrences among these minutes, but for the first: what comes before it is not known.
 *
 * A fixed time comes as soon as the wall's clock shows it, or is past it for having jumped, and not when it shows it again.
 * What repeats comes whenever the clock shows it.
 */
export function occurrencesAmong(minutes: Minute[], cron: string): number[] {
  const isDue = readCron(cron);
  const occurrences: number[] = [];
  let latest = minutes[0]?.wall ?? 0;
  for (const { at, wall } of minutes.slice(1)) {
    if (isFixed(cron) ? someUpTo(wall, latest, isDue) : isDue(wall)) occurrences.push(at);
    latest = Math.max(latest, wall);
  }
  return occurrences;
}

function someUpTo(wall: number, latest: number, isDue: (wall: number) => boolean): boolean {
  for (let shown = latest + 1; shown <= wall; shown++) if (isDue(shown)) return true;
  return false;
}

/** One minute of one hour. */
const isFixed = (cron: string) => /^\d+ \d+ /.test(cron);

/** @returns whether a minute of the wall's clock is meant */
function readCron(cron: string): (wall: number) => boolean {
  const [minutes = '', hours = '', days = '', months = '', weekdays = ''] = cron.split(' ');
  const isMinute = numbersOf(minutes, 0, 59);
  const isHour = numbersOf(hours, 0, 23);
  const isMonth = numbersOf(months, 1, 12);
  const isDay = dayOf(days, weekdays);
  return (wall) => {
    const inDay = wall % DAY_MINUTES;
    if (!isMinute(inDay % 60) || !isHour(Math.floor(inDay / 60))) return false;
    const date = new Date(wall * MINUTE_MS);
    return isMonth(date.getUTCMonth() + 1) && isDay(date);
  };
}

/** Where both fields name days either will do. */
function dayOf(days: string, weekdays: string): (date: Date) => boolean {
  const isDay = dayOfMonth(days);
  const isWeekday = dayOfWeek(weekdays);
  if (days === '*') return isWeekday;
  if (weekdays === '*') return isDay;
  return (date) => isDay(date) || isWeekday(date);
}

function dayOfMonth(field: string): (date: Date) => boolean {
  if (field === 'L') return isInLastDays(1);
  const isNamed = numbersOf(field, 1, 31);
  return (date) => isNamed(date.getUTCDate());
}

/** `5#2` is the second Friday, `5L` the last one. */
function dayOfWeek(field: string): (date: Date) => boolean {
  const [, weekday, last, nth] = /^(\d)(?:(L)|#(\d))$/.exec(field) ?? [];
  if (weekday === undefined) {
    const isNamed = numbersOf(field, 0, 7);
    return (date) => isNamed(date.getUTCDay()) || (date.getUTCDay() === 0 && isNamed(7));
  }
  const isThen = last ? isInLastDays(7) : (date: Date) => Math.ceil(date.getUTCDate() / 7) === Number(nth);
  return (date) => date.getUTCDay() === Number(weekday) % 7 && isThen(date);
}

const isInLastDays = (count: number) => (date: Date) =>
  date.getUTCDate() > new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate() - count;

/** `*`, `7`, `1-5`, each with a step or without, and lists of them. */
function numbersOf(field: string, least: number, most: number): (number: number) => boolean {
  const named = new Set<number>();
  for (const part of field.split(',')) {
    const [range = '', step = '1'] = part.split('/');
    const [from = 0, to = from] = range === '*' ? [least, most] : range.split('-').map(Number);
    for (let number = from; number <= to; number += Number(step)) named.add(number);
  }
  return (number) => named.has(number);
}
