/** Headers in what callers send: names and values, each by its own rule. */
import * as z from 'zod/mini';

type Headers = Record<string, string>;

/** A record would leave out a header of this name, and nobody would be told. */
const PROTOTYPE = '__proto__';
const isWhole = (headers: unknown) =>
  typeof headers !== 'object' || headers === null || !Object.hasOwn(headers, PROTOTYPE);
const Whole = z.unknown().check(z.refine(isWhole, `must have no header "${PROTOTYPE}"`));

export function headersBy(name: z.ZodMiniString<string>, value: z.ZodMiniString<string>) {
  return z.pipe(Whole as unknown as z.ZodMiniType<Headers, Headers>, z.record(name, value));
}
