/** Durations in what callers send: milliseconds or text, kept as they are or turned into milliseconds. */
import * as z from 'zod/mini';
import { parseDuration } from './duration.ts';
import { rule } from './rule.ts';

/** As it was sent, from `leastMs` to a year. */
export function duration(leastMs: number) {
  const message = `must be milliseconds or text such as "90s", from ${leastMs} ms to a year`;
  return z
    .union([z.number(), z.string()], message)
    .check(rule((value) => (parseDuration(value) ?? -1) >= leastMs, message));
}

/** In milliseconds. @param range the bounds for people */
export function milliseconds(leastMs: number, mostMs: number, range = `${leastMs} to ${mostMs} ms`) {
  const message = `must be milliseconds or text such as "90s", from ${range}`;
  const converted = z.union([z.number(), z.string()], message).check((context) => {
    const ms = parseDuration(context.value) ?? -1;
    if (ms < leastMs || ms > mostMs) context.issues.push({ code: 'custom', message, input: context.value });
    context.value = ms;
  });
  return converted as unknown as z.ZodMiniType<number, number | string>;
}
