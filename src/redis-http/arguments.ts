/**
 * From a request's body or path to commands.
 *
 * Pure. A body the service would not take throws BadBody with the service's
 * own text, which then becomes a 400.
 */
import type { Argument } from './reply.ts';

export class BadBody extends Error {}

/** `POST /`: one command. */
export function commandInBody(body: string): Argument[] {
  return commandFrom(arrayIn(body));
}

/** `/pipeline` and `/multi-exec`: a list of commands. */
export function commandsInBody(body: string): Argument[][] {
  return arrayIn(body).map((command) => {
    if (!Array.isArray(command)) throw new BadBody('expected JSON array');
    return commandFrom(command);
  });
}

/**
 * The path form, `/SET/key/value?EX=100`: the body, if any, is the last
 * argument and stays binary; the query follows it as `NAME VALUE`. A pair
 * without a value is one word, so that `?NX` works.
 */
export function commandInPath(path: string, query: URLSearchParams, body: Buffer): Argument[] {
  const command: Argument[] = path.slice(1).split('/').map(decode);
  if (body.length > 0) command.push(body);
  for (const [name, value] of query) {
    if (name === '_token') continue;
    command.push(name);
    if (value !== '') command.push(value);
  }
  return command;
}

/** How much of the service's limit a command uses. Lengths in UTF-16 units: at most the bytes, and free to ask. */
export function sizeOf(command: readonly Argument[]): number {
  let size = 0;
  for (const argument of command) size += argument.length;
  return size;
}

function arrayIn(body: string): unknown[] {
  if (body.trim() === '') throw new BadBody('EOF');
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    throw new BadBody('expected JSON array');
  }
  if (!Array.isArray(parsed)) throw new BadBody('expected JSON array');
  return parsed;
}

function commandFrom(elements: unknown[]): Argument[] {
  if (elements.length === 0) throw new BadBody('ERR empty command');
  // Nearly always all strings already: then the parsed array itself is the command, without a copy.
  if (elements.every((element) => typeof element === 'string')) return elements;
  return elements.map(argumentFrom);
}

function argumentFrom(element: unknown): Argument {
  if (element === null) throw new BadBody('ERR null args are not supported');
  if (typeof element !== 'object') return String(element);
  throw new BadBody(`ERR unsupported arg type: "${Array.isArray(element) ? '[' : '{'}": json.Delim`);
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new BadBody(`ERR invalid URL escape in path`);
  }
}
