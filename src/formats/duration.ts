/**
 * Durations: milliseconds, or text such as "90s", "5m", "1h30m".
 *
 * Pure. Everything below the public surface counts in milliseconds.
 */
const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const FORM = /^(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?$/;

/** The longest delay, ttl or wait anywhere: a year. Beyond it a number is more likely a mistake than a wish. */
export const YEAR_MS = 365 * UNITS.d;

/** Milliseconds, or text of whole or decimal parts in falling order: "1d", "1h30m", "2.5s", "250ms". */
export type Duration = number | string;

/** @returns milliseconds, or undefined where it is no duration between 0 and a year. */
export function parseDuration(duration: Duration): number | undefined {
  const ms = typeof duration === 'number' ? duration : fromText(duration);
  return ms !== undefined && Number.isFinite(ms) && ms >= 0 && ms <= YEAR_MS ? Math.round(ms) : undefined;
}

function fromText(text: string): number | undefined {
  const parts = FORM.exec(text);
  if (text === '' || !parts) return undefined;
  const [, d, h, m, s, ms] = parts;
  return (
    Number(d ?? 0) * UNITS.d +
    Number(h ?? 0) * UNITS.h +
    Number(m ?? 0) * UNITS.m +
    Number(s ?? 0) * UNITS.s +
    Number(ms ?? 0)
  );
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
