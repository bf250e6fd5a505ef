/**
 * The breaker of a shard: where it gave no answer, further calls fail at once for a while, so that what needs other shards does not wait
 * for it; then one call tries whether it is back. There is one for each of several shards in an isolate, and none where there is one:
 * without that nothing works anyway, and whoever calls may as well try.
 */
import { StorageError } from '../errors.ts';

/**
 * The shard is left alone for so long at first, and twice as long after each further call that gets no answer: where some answers are
 * lost it is not away, and must not be taken for it.
 */
const FIRST_MS = 250;
const LONGEST_MS = 10_000;
/** One request that got lost says nothing: so many in a row do. */
const FAILURES = 2;

export interface ShardBreaker {
  /** It gave no answer lately, and none since. */
  isOpen(): boolean;
  /** A request was sent: with an error, or answered. */
  note(error?: unknown): void;
  /** @param insists whether the call is made in any case @throws StorageError at once, where the shard is left alone; what the call throws */
  guard<Answer>(call: () => Promise<Answer>, insists?: () => boolean): Promise<Answer>;
}

export function openBreaker(name: string): ShardBreaker {
  let failures = 0;
  let openUntil = 0;
  let openMs = FIRST_MS;
  return {
    isOpen: () => openUntil > 0,
    note(error) {
      failures = isSilent(error) ? failures + 1 : 0;
      if (failures > 0) return;
      openUntil = 0;
      openMs = FIRST_MS;
    },
    async guard(call, insists) {
      const now = Date.now();
      if (now < openUntil && !insists?.()) {
        const error = new StorageError('unreachable', 'it has not answered lately', openUntil - now);
        error.shard = name;
        throw error;
      }
      if (openUntil > 0) openUntil = Math.max(openUntil, now + openMs); // while this one tries others do not: it may never end
      try {
        return await call();
      } catch (error) {
        if (isSilent(error) && failures >= FAILURES) {
          openUntil = Date.now() + openMs;
          openMs = Math.min(LONGEST_MS, 2 * openMs);
        }
        throw error;
      }
    },
  };
}

const isSilent = (error: unknown): boolean =>
  error instanceof StorageError && (error.code === 'unreachable' || error.code === 'slow');
