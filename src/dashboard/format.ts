/** Numbers, durations and instants as people read them. Pure. */

export function count(value: number): string {
  return value.toLocaleString('en-US');
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

/** Two units at most: `3 d 4 h`, `1 min 30 s`, `2.4 s`, `12 ms`. */
export function duration(ms: number | null | undefined): string {
  if (ms === undefined || ms === null || !Number.isFinite(ms)) return '–';
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10_000) return `${Number((ms / 1_000).toFixed(1))} s`;
  const at = UNITS.findIndex(([, size]) => ms >= size);
  const [unit, size] = UNITS[at] ?? UNITS[3];
  const [nextUnit, nextSize] = UNITS[at + 1] ?? ['', 0];
  const rest = nextSize ? Math.floor((ms % size) / nextSize) : 0;
  return `${Math.floor(ms / size)} ${unit}${rest ? ` ${rest} ${nextUnit}` : ''}`;
}

/** How long ago, or how long from now. */
export function relative(at: number | undefined, now: number): string {
  if (at === undefined) return '–';
  const ms = at - now;
  if (Math.abs(ms) < 1_000) return 'now';
  return ms < 0 ? `${duration(-ms)} ago` : `in ${duration(ms)}`;
}

const INSTANT: Intl.DateTimeFormatOptions = {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  timeZoneName: 'short',
};

/** Date and time, and of which zone: the reader's, or one that is named. */
export function instant(at: number | undefined, timeZone?: string): string {
  if (at === undefined) return '–';
  const date = new Date(at);
  try {
    return date.toLocaleString('en-GB', timeZone === undefined ? INSTANT : { ...INSTANT, timeZone });
  } catch {
    return date.toLocaleString('en-GB', { ...INSTANT, timeZone: 'UTC' }); // a zone that this browser does not know
  }
}

export function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** JSON, on lines of its own. */
export function pretty(body: unknown): string {
  return body === undefined ? '' : JSON.stringify(body, null, 2);
}

/** The beginning of a body, on one line. */
export function preview(body: unknown): string {
  const text = JSON.stringify(body) ?? '';
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
