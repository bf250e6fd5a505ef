/** Headers in what callers send: texts by their names. */
import * as z from 'zod/mini';
import { isPlainObject } from './json.ts';

/** Characters. */
const LONGEST_NAME = 128;
const LONGEST_VALUE = 4_096;
const RULE = `must be text of at most ${LONGEST_VALUE} characters, with a name of 1 to ${LONGEST_NAME}`;

type Texts = Record<string, string>;

/** Which parts of zod a record needs, besides those that all else here needs, would be half a KiB of a Worker. */
export const Headers = z.unknown().check(({ value, issues }) => {
  const refuse = (path: string[], message: string) => void issues.push({ code: 'custom', path, message, input: value });
  if (!isPlainObject(value)) return refuse([], 'must be an object of texts');
  for (const [name, text] of Object.entries(value)) {
    if (name === '__proto__') refuse([], `must have no header "${name}"`);
    else if (!isHeader(name, text)) refuse([name], RULE);
  }
}) as unknown as z.ZodMiniType<Texts, Texts>;

function isHeader(name: string, value: unknown): boolean {
  return name !== '' && name.length <= LONGEST_NAME && typeof value === 'string' && value.length <= LONGEST_VALUE;
}
