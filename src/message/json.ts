/** The JSON of messages on their way in: how it is written, and whether it is too large or too deep. Pure. */

import type { Issue } from '../errors.ts';
import { utf8 } from '../formats/bytes.ts';
import { MAX_DEPTH, toJson } from '../formats/json.ts';
import type { PreparedMessage, StoredMessage } from './envelope.ts';
import { MAX_MESSAGE_BYTES } from './message.ts';

/** One of them. */
export interface EncodedBody {
  json?: string;
  issue?: Issue;
}

/**
 * Written once: the body is most of what a message costs here.
 * @param ownBytes of what was added to what the caller sent
 */
export function writeJson(body: unknown, message: StoredMessage, path: string, ownBytes: number): EncodedBody {
  if (body === undefined) return refuse(path, 'required', 'is required');
  const { text: json, fault } = toJson(message, 1);
  if (fault === 'too_deep') return refuse(path, fault, `must be nested at most ${MAX_DEPTH} levels deep`);
  const isWhole = message.raw !== undefined || json?.startsWith('{"body":'); // what JSON has no word for is left out
  if (json === undefined || !isWhole) return refuse(path, 'invalid', 'cannot be written as JSON');
  if (!isOver(json, MAX_MESSAGE_BYTES + ownBytes)) return { json };
  return refuse(path, 'too_large', `must take at most ${MAX_MESSAGE_BYTES} bytes, headers included`);
}

const refuse = (path: string, code: string, message: string) => ({ issue: { field: `${path}body`, code, message } });

type MessageText = Pick<PreparedMessage, 'json' | 'callbacks'>;

/** What messages and those that follow on them take. */
export function joinJson(messages: MessageText[]): string {
  return messages
    .flatMap(({ json, callbacks = [] }) => [json, ...callbacks.map(({ message }) => message.json)])
    .join('');
}

/** Whether messages, with those that follow on them, take more bytes together. */
export function areOver(messages: MessageText[], bytes: number): boolean {
  let units = 0;
  for (const { json, callbacks } of messages) {
    units += json.length;
    if (callbacks) for (const { message } of callbacks) units += message.json.length;
  }
  return units * MOST_BYTES > bytes && isOver(joinJson(messages), bytes);
}

/** Of a UTF-16 unit in UTF-8, so that most texts need no encoding to be judged. */
const MOST_BYTES = 3;

const isOver = (text: string, bytes: number) => text.length * MOST_BYTES > bytes && utf8(text).length > bytes;
