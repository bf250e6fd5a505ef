/** The JSON of messages on their way in: how it is written, and whether it is too large. Pure. */
import type { Issue } from './errors.ts';
import { MAX_MESSAGE_BYTES, type StoredMessage, type Unnamed } from './message.ts';

/** One of them. */
export interface Written {
  json?: string;
  issue?: Issue;
}

/**
 * Written once: the body is most of what a message costs here.
 * @param ownBytes of what was added to what the caller sent
 */
export function writeJson(body: unknown, message: StoredMessage, at: string, ownBytes: number): Written {
  const refuse = (code: string, text: string) => ({ issue: { field: `${at}body`, code, message: text } });
  if (body === undefined) return refuse('required', 'is required');
  const json = toJson(body, message);
  if (json === undefined) return refuse('invalid', 'cannot be written as JSON');
  if (!areOver([json], MAX_MESSAGE_BYTES + ownBytes)) return { json };
  return refuse('too_large', `must take at most ${MAX_MESSAGE_BYTES} bytes, headers included`);
}

/** @returns undefined for what JSON cannot hold: functions, cycles, big integers, nesting beyond the stack */
function toJson(body: unknown, message: StoredMessage): string | undefined {
  try {
    if (message.raw && JSON.stringify(body) === undefined) return undefined;
    const json = JSON.stringify(message);
    return message.raw || json.startsWith('{"body":') ? json : undefined;
  } catch {
    return undefined;
  }
}

/** What a message and those that follow on it take. */
export function jsonOf({ json, follows }: Pick<Unnamed, 'json' | 'follows'>): string[] {
  return follows ? [json, ...follows.map(({ message }) => message.json)] : [json];
}

/** Whether texts take more bytes together. A UTF-16 unit takes at most 3, so that most texts need no encoding to be judged. */
export function areOver(texts: string[], bytes: number): boolean {
  let units = 0;
  for (const { length } of texts) units += length;
  if (units > bytes || units * 3 <= bytes) return units > bytes;
  const encoder = new TextEncoder();
  return texts.reduce((taken, text) => taken + encoder.encode(text).length, 0) > bytes;
}
