/** Messages on their way in, as admit.lua reads them. Pure. */
import type { Unnamed } from '../message/envelope.ts';

/**
 * Consecutive messages with the same settings share one header: most batches are a single run.
 * @param ids that of the only message; the base of all, and '-'; or '-', where the script puts the id of the only one
 */
export function runsOf(messages: Unnamed[], ids: string): string[] {
  const args: string[] = [];
  let run: Unnamed | undefined;
  let countAt = 0;
  let count = 0;
  for (const message of messages) {
    if (!run || !areAlike(run, message)) {
      countAt = args.push(...settingsOf(message), '0', ids) - 2;
      run = message;
      count = 0;
    }
    args[countAt] = String(++count);
    args.push(message.json);
    if (message.follows) args.push(...followsOf(message.follows));
  }
  return args;
}

/** Those of one request: a base makes the id of its only message, or of each with its place. */
export const requestRuns = (messages: Unnamed[], base: string) =>
  runsOf(messages, messages.length === 1 ? base : `${base}-`);

/** What messages of one run share, in the order in which the script reads it. */
function settingsOf(message: Unnamed): string[] {
  const { lane, pool, maxAttempts, delayMs, notBefore = 0, ttlMs } = message;
  return [lane, pool, ...[maxAttempts, delayMs, notBefore, ttlMs].map(String), extrasOf(message)];
}

/** Without writing or listing them: a batch asks this of each message. */
const areAlike = (a: Unnamed, b: Unnamed) =>
  a.lane === b.lane &&
  a.pool === b.pool &&
  a.maxAttempts === b.maxAttempts &&
  a.delayMs === b.delayMs &&
  a.notBefore === b.notBefore &&
  a.ttlMs === b.ttlMs &&
  extrasOf(a) === extrasOf(b);

function extrasOf({ retentionMs = 0, dedup, follows }: Unnamed): string {
  if (!dedup && !follows && retentionMs === 0) return '-';
  const { windowMs, mode, digest, release } = dedup ?? { windowMs: 0, mode: '-', digest: '-', release: false };
  return `${retentionMs} ${windowMs} ${mode} ${digest}${release ? '!' : ''}${follows ? ' then' : ''}`;
}

/** Behind the JSON of a message: how many arguments, and its followers. */
function followsOf(follows: NonNullable<Unnamed['follows']>): string[] {
  const runs = follows.flatMap(({ on, message }) => [on, ...runsOf([message], '-')]);
  return [String(runs.length), ...runs];
}
