/** Pace: when a consumer asks again a queue that had less than wanted, and a server that gave no answer. By the local clock. */
import type { SluiceError } from './error.ts';
import { waitMs } from './transport.ts';

/** How often to look into empty queues: the wait doubles from the least to the most, and ends early for a timer. */
export interface IdleWait {
  least: number;
  most: number;
}

const OUTAGE = { baseMs: 100, maxMs: 10_000 };

export class Pace {
  askAgainAt = 0;
  /** Syncs in a row that got no answer, or a refusal that is to be told the outcomes still. */
  failures = 0;
  repeatAt = 0;
  readonly #idle: IdleWait;
  #idleMs: number;

  constructor(idle: IdleWait) {
    this.#idle = idle;
    this.#idleMs = idle.least;
  }

  /**
   * An answer that brought less than wanted means that nothing is left, unless it says that there is more.
   * @param nextInMs when the next timer is due, where there is one
   */
  noteAnswer(got: number, want: number, hasMore: boolean, nextInMs = Number.POSITIVE_INFINITY): void {
    const { least, most } = this.#idle;
    if (got > 0) this.#idleMs = least;
    const isDry = got < want && !hasMore;
    this.askAgainAt = isDry ? Date.now() + Math.max(least, Math.min(this.#idleMs, nextInMs)) : 0;
    if (got === 0) this.#idleMs = Math.min(most, this.#idleMs * 2);
  }

  noteFailure(error: SluiceError): void {
    this.failures += 1;
    this.repeatAt = Date.now() + waitMs(this.failures, error, OUTAGE);
  }
}
