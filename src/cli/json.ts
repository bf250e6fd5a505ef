/**
 * JSON that people give: as it stands, or refused. The refusal does not quote it, since it may be somebody's data; and commander,
 * which quotes what the reader of an option refuses, is not told.
 */
import { inexactPlace, MAX_DEPTH, toJson } from '../formats/json.ts';
import { UsageError } from './failure.ts';

/** @throws UsageError where it is not UTF-8 */
export function decoded(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    throw new UsageError(`${what} is not UTF-8`);
  }
}

/** @throws UsageError where it is not JSON, is nested too deep, or holds a number that would become another one */
export function jsonOf(text: string, what: string): unknown {
  const value = parsed(text, what);
  if (toJson(value).fault) throw new UsageError(`${what} is nested more than ${MAX_DEPTH} levels deep`);
  const place = inexactPlace(text);
  if (place === undefined) return value;
  throw new UsageError(`${what} has a number that would become another one${place && ` at ${place}`}: send it as text`);
}

function parsed(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`${what} is not JSON`);
  }
}
