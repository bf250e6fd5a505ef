/** Messages on their way in, as admit.lua reads them. Pure. */
import type { PreparedMessage } from '../message/envelope.ts';

/**
 * Consecutive messages with the same settings share one header: most batches are a single segment.
 * @param ids that of the only message; the base of all, and '-'; or '-', where the script puts the id of the only one
 */
export function encodeSegments(messages: PreparedMessage[], ids: string): string[] {
  const args: string[] = [];
  let segment: PreparedMessage | undefined;
  let countAt = 0;
  let count = 0;
  for (const message of messages) {
    if (!segment || !areAlike(segment, message)) {
      countAt = args.push(...encodeSettings(message), '0', ids) - 2;
      segment = message;
      count = 0;
    }
    args[countAt] = String(++count);
    args.push(message.json);
    if (message.callbacks) args.push(...encodeCallbacks(message.callbacks));
  }
  return args;
}

/** Those of one request: a base makes the id of its only message, or of each with its place. */
export const encodeRequest = (messages: PreparedMessage[], base: string) =>
  encodeSegments(messages, messages.length === 1 ? base : `${base}-`);

/** What messages of one segment share, in the order in which the script reads it. */
function encodeSettings(message: PreparedMessage): string[] {
  const { lane, pool, maxAttempts, delayMs, notBefore = 0, ttlMs } = message;
  return [lane, pool, ...[maxAttempts, delayMs, notBefore, ttlMs].map(String), encodeExtras(message)];
}

/** Without writing or listing them: a batch asks this of each message. */
const areAlike = (a: PreparedMessage, b: PreparedMessage) =>
  a.lane === b.lane &&
  a.pool === b.pool &&
  a.maxAttempts === b.maxAttempts &&
  a.delayMs === b.delayMs &&
  a.notBefore === b.notBefore &&
  a.ttlMs === b.ttlMs &&
  encodeExtras(a) === encodeExtras(b);

function encodeExtras({ resultTtlMs = 0, dedup, callbacks }: PreparedMessage): string {
  if (!dedup && !callbacks && resultTtlMs === 0) return '-';
  const { windowMs, mode, digest, release } = dedup ?? { windowMs: 0, mode: '-', digest: '-', release: false };
  return `${resultTtlMs} ${windowMs} ${mode} ${digest}${release ? '!' : ''}${callbacks ? ' callbacks' : ''}`;
}

/** Behind the JSON of a message: how many arguments, and its callbacks. */
function encodeCallbacks(callbacks: NonNullable<PreparedMessage['callbacks']>): string[] {
  const segments = callbacks.flatMap(({ on, message }) => [on, ...encodeSegments([message], '-')]);
  return [String(segments.length), ...segments];
}
