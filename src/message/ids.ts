/** Ids of messages, and the entries that lists and timers carry: an id with its attempt. Pure. */

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * A new token: 8 characters of time, so that ids sort roughly by age, and 12 of chance (71 bits). Ids are not taken from
 * a counter in Redis: after a restore it would hand out old ones again, and a late ack would hit the wrong message.
 */
export function newToken(nowMs: number = Date.now()): string {
  let time = '';
  for (let rest = nowMs, i = 0; i < 8; i++, rest = Math.floor(rest / 62)) time = DIGITS[rest % 62] + time;
  let chance = '';
  for (const byte of crypto.getRandomValues(new Uint16Array(12))) chance += DIGITS[byte % 62];
  return time + chance;
}

/** The ids of a request's messages: its base, and their places in it. */
export function makeIds(base: string, count: number): string[] {
  return count === 1 ? [base] : Array.from({ length: count }, (_, index) => `${base}-${index}`);
}

/** @param entry `<attempt>.<id>`, or `1r.<id>` after a redrive */
export function parseEntry(entry: string): { attempt: number; id: string } {
  const dot = entry.indexOf('.');
  return { attempt: Number.parseInt(entry, 10), id: entry.slice(dot + 1) };
}
