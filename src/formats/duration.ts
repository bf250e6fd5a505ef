/**
 * Durations: milliseconds, or text such as "90s", "5m", "1h30m".
 *
 * Pure. Everything below the public surface counts in milliseconds.
 */
const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The form of texts, as the API's document states it too. */
export const DURATION_TEXT =
  '^(?=.)(\\d+(\\.\\d+)?d)?(\\d+(\\.\\d+)?h)?(\\d+(\\.\\d+)?m(?!s))?(\\d+(\\.\\d+)?s)?(\\d+ms)?$';
const FORM = new RegExp(DURATION_TEXT);

/** The longest delay, ttl or wait anywhere: a year. Beyond it a number is more likely a mistake than a wish. */
export const YEAR_MS = 365 * UNITS.d;

/** Milliseconds, or text of whole or decimal parts in falling order: "1d", "1h30m", "2.5s", "250ms". */
export type Duration = number | string;

/** @returns milliseconds, or undefined where it is no duration between 0 and a year. */
export function parseDuration(duration: Duration): number | undefined {
  const ms = typeof duration === 'number' ? duration : fromText(duration);
  return isDelay(ms) ? Math.round(ms) : undefined;
}

/** Whether it is ms to wait: anybody's code may have computed them. */
export function isDelay(ms: unknown): ms is number {
  return typeof ms === 'number' && ms >= 0 && ms <= YEAR_MS;
}

function fromText(text: string): number | undefined {
  const [matched, d, , h, , m, , s, , ms] = FORM.exec(text) ?? [];
  if (matched === undefined) return undefined;
  const count = (part = '0') => Number.parseFloat(part);
  return count(d) * UNITS.d + count(h) * UNITS.h + count(m) * UNITS.m + count(s) * UNITS.s + count(ms);
}

/**
 * For settings in code.
 * @throws RangeError that names the setting.
 */
export function toMs(duration: Duration, setting: string): number {
  const ms = parseDuration(duration);
  if (ms === undefined) {
    throw new RangeError(
      `${setting} must be milliseconds or text such as "90s" or "1h30m", up to a year; got ${JSON.stringify(duration)}`,
    );
  }
  return ms;
}
