/** Durations in what callers send: milliseconds or text, kept as they are or turned into milliseconds. */
import * as z from 'zod/mini';
import { parseDuration } from './duration.ts';

/** As it was sent, from `leastMs` to a year. */
export function duration(leastMs: number) {
  const message = `must be milliseconds or text such as "90s", from ${leastMs} ms to a year`;
  return z
    .union([z.number(), z.string()], message)
    .check(z.refine((value) => (parseDuration(value) ?? -1) >= leastMs, message));
}

/** In milliseconds. @param range the bounds for people */
export function milliseconds(leastMs: number, mostMs: number, range = `${leastMs} to ${mostMs} ms`) {
  const message = `must be milliseconds or text such as "90s", from ${range}`;
  return z.pipe(
    z.pipe(
      z.union([z.number(), z.string()], message),
      z.transform((value: number | string) => parseDuration(value) ?? -1),
    ),
    z.number().check(z.refine((ms) => ms >= leastMs && ms <= mostMs, message)),
  );
}
