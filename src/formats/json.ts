/**
 * JSON that arrives as it was sent: what can be read but not written again, because it is nested too deep, and numbers that
 * the runtime's own cannot hold. Pure.
 */

/** What is nested deeper can be read everywhere, and not always be written again. */
export const MAX_DEPTH = 1_000;

/** The text of a value, or why it has none. */
export type JsonText = { text: string; fault?: never } | { text?: never; fault: 'invalid' | 'too_deep' };

/** An object as JSON makes them: of no class. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/**
 * JSON.stringify for values that anybody gave. Some runtimes throw where a value is nested too deep, and others write it.
 * @param around levels that the value has around it, and that do not count
 * @returns `invalid` for what JSON cannot hold: functions, cycles, big integers
 */
export function toJson(value: unknown, around = 0): JsonText {
  try {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) return { fault: 'invalid' };
    return isTooDeep(text, MAX_DEPTH + around) ? { fault: 'too_deep' } : { text };
  } catch (error) {
    return { fault: error instanceof RangeError ? 'too_deep' : 'invalid' };
  }
}

/**
 * @param around levels that do not count
 * @throws SyntaxError for what is no JSON, or could not be written again
 */
export function readJson(text: string, around = 0): unknown {
  const value = JSON.parse(text) as unknown;
  if (isTooDeep(text, MAX_DEPTH + around)) throw new SyntaxError('nested too deep');
  return value;
}

/** @param json valid, so that each bracket outside of its strings opens or closes */
function isTooDeep(json: string, most: number): boolean {
  if (json.length <= 2 * most) return false; // what is opened is closed, too
  if (json.split(/[[{]/, most + 2).length <= most + 1) return false; // too few brackets, wherever they stand
  let depth = 0;
  for (const token of outsideStrings(json, BRACKET)) {
    depth += token === '[' || token === '{' ? 1 : -1;
    if (depth > most) return true;
  }
  return false;
}

// Each with what a string begins and ends with: an expression for whole strings would need a stack as long as they are.
const BRACKET = /\\.|"|[[\]{}]/g;
const LONG_NUMBER = /\\.|"|-?(?:\d[\d.]{15,}(?:[eE][-+]?\d+)?|\d[\d.]*[eE][-+]?\d+)/g;

function* outsideStrings(json: string, tokens: RegExp): Generator<string> {
  let inString = false;
  for (const [token] of json.matchAll(tokens)) {
    if (token === '"') inString = !inString;
    else if (!inString) yield token;
  }
}

/** Of 15 digits and fewer every number can be held; so whoever sends no others waits for one search only. */
const MAY_BE_INEXACT = /[:,[]\s*-?(?:\d[\d.]{15}|\d[\d.]*[eE][-+]?\d)/;
/** Of toPrecision. */
const MOST_PRECISION = 100;

/**
 * A number that would arrive as another one, such as 9007199254740993 or 1e400.
 * @param json valid
 * @returns the place of the first, names and indices with dots between them; undefined where there is none
 */
export function inexactPlace(json: string): string | undefined {
  if (!MAY_BE_INEXACT.test(json)) return undefined;
  for (const token of outsideStrings(json, LONG_NUMBER)) {
    if (!isExact(token)) return findPlace(json);
  }
  return undefined;
}

/** A number has to keep its digits; one with a fraction may also be meant as the double that is nearest. */
function isExact(source: string): boolean {
  const number = Number(source);
  if (!Number.isFinite(number)) return false;
  if (String(number) === source) return true; // as most do, having been written by a runtime
  const digits = normaliseDigits(source);
  if (normaliseDigits(String(number)) === digits) return true;
  const isWhole = /^-?\d+$/.test(source);
  return !isWhole && digits.length <= MOST_PRECISION && normaliseDigits(number.toPrecision(digits.length)) === digits;
}

/** Those that count: without the zeros around them. */
const normaliseDigits = (number: string) =>
  number
    .replace(/[eE].*/, '')
    .replace(/[-.]/g, '')
    .replace(/^0+|0+$/g, '');

/** The values of an object come before it: the place grows from the number to the root, which comes last. */
function findPlace(json: string): string {
  if (isTooDeep(json, 2 * MAX_DEPTH)) return ''; // the runtime goes into the depth by calls
  const places = new Map<unknown, string>();
  let place: string | undefined;
  JSON.parse(json, function (this: unknown, key: string, value: unknown, { source = '' }: { source?: string } = {}) {
    place = typeof value === 'number' && !isExact(source) ? '' : places.get(value);
    if (place !== undefined) places.set(this, place === '' ? key : `${key}.${place}`);
    return value;
  } as (key: string, value: unknown) => unknown);
  return place ?? '';
}
