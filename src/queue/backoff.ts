/**
 * Backoff: how long a message waits before its next attempt.
 *
 * Pure. It knows no clock and draws no random number: the caller passes one in [0, 1), so a test can name it.
 */
import { type Duration, toMs } from '../formats/duration.ts';

export interface Backoff {
  /** @returns ms to wait after the given attempt (1 for the first) has failed. */
  waitMs(attempt: number, random: number): number;
}

/**
 * Doubling waits with jitter, which keeps messages that failed together from coming back together. Jitter only ever adds:
 * attempt n waits between base × 2^(n-1) and twice that, never above max.
 * @throws RangeError where one of them is no duration
 * @example backoff: exponential({ base: '2s', max: '10m' })
 */
export function exponential({ base, max }: { base: Duration; max: Duration }): Backoff {
  const baseMs = toMs(base, 'backoff.base');
  const maxMs = toMs(max, 'backoff.max');
  return {
    waitMs(attempt, random) {
      const least = baseMs * 2 ** (attempt - 1);
      return Math.floor(Math.min(maxMs, least + random * least));
    },
  };
}

/**
 * These waits, one after another, the last one for all that follow. Each gets up to a fifth of jitter on top.
 * @throws RangeError where one of them is no duration
 * @example backoff: steps('5s', '5m', '30m')
 */
export function steps(...waits: [Duration, ...Duration[]]): Backoff {
  const steps = waits.map((wait) => toMs(wait, 'backoff'));
  return {
    waitMs(attempt, random) {
      const waitMs = steps[Math.min(attempt, steps.length) - 1] ?? 0;
      return Math.floor(waitMs + (random * waitMs) / 5);
    },
  };
}

/**
 * The same wait after each attempt, with up to a tenth of jitter on top.
 * @throws RangeError where it is no duration
 * @example backoff: constant('30s')
 */
export function constant(wait: Duration): Backoff {
  const waitMs = toMs(wait, 'backoff');
  return { waitMs: (_attempt, random) => Math.floor(waitMs + (random * waitMs) / 10) };
}
