/** Ids of messages, and the entries that lists and timers carry: an id with its attempt. Pure. */

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

const TIME_LENGTH = 8;
const LABEL_LENGTH = 2;

/** How many labels there are. */
export const LABELS = DIGITS.length ** LABEL_LENGTH;

/**
 * A new token: 8 characters of time, so that ids sort roughly by age, and 12 of chance (71 bits). Ids are not taken from
 * a counter in Redis: after a restore it would hand out old ones again, and a late ack would hit the wrong message.
 * @param label of the shard where what has the token is, in place of the first two characters of chance; '' where there is one shard
 */
export function newToken(nowMs: number = Date.now(), label = ''): string {
  let time = '';
  for (let rest = nowMs, i = 0; i < TIME_LENGTH; i++, rest = Math.floor(rest / 62)) time = DIGITS[rest % 62] + time;
  let chance = '';
  for (const byte of crypto.getRandomValues(new Uint16Array(12 - label.length))) chance += DIGITS[byte % 62];
  return time + label + chance;
}

/** When an id was made, epoch ms; of a callback's, when that of the message it follows on was. */
export function timeOf(id: string): number {
  let time = 0;
  for (const digit of id.slice(0, TIME_LENGTH)) time = time * DIGITS.length + DIGITS.indexOf(digit);
  return time;
}

/** @param index from 0 to below `LABELS` */
export function makeLabel(index: number): string {
  return `${DIGITS[Math.floor(index / DIGITS.length)]}${DIGITS[index % DIGITS.length]}`;
}

/**
 * The label of the shard that an id was made for, also of one of several of a request and of a callback's. It is a hint: two characters
 * of chance in an id that is older than its deployment's second shard.
 */
export function labelOf(id: string): string {
  return id.slice(TIME_LENGTH, TIME_LENGTH + LABEL_LENGTH);
}

/** The base of the ids that another shard has of the same request. */
export function relabel(base: string, label: string): string {
  return base.slice(0, TIME_LENGTH) + label + base.slice(TIME_LENGTH + LABEL_LENGTH);
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
