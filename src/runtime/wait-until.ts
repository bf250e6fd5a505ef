/** Work behind an answer: who keeps it alive. Where no platform does, as in Node, it just goes on, and its failure must not end the process. */
import { logError, nameOfError } from '../log.ts';

/** What the platform gives a call: the ExecutionContext of a Worker, or what an adapter makes of its own. */
export interface FetchContext {
  /** Keeps work alive after the answer. */
  waitUntil(promise: Promise<unknown>): void;
  /**
   * The longest that a drain with nothing to do waits for what is due later, ms, where such a wait is billed or somebody waits for
   * its end. Left out: for as long as the drain takes messages.
   */
  readonly sleepsMs?: number | undefined;
  /** `false`: no drain is woken behind the answer. What is ready is left to cron, and to whoever else drains. */
  readonly wakes?: boolean | undefined;
  /** The address of whoever calls, where the platform vouches for it: calls without a token are counted by it. */
  readonly clientAddress?: string | undefined;
}

/** The same work, which never rejects: nobody else hears of its failure, and unheard it would end a process. */
export const logged = (work: Promise<unknown>): Promise<unknown> =>
  work.catch((error: unknown) => logError('work behind an answer failed', { error: nameOfError(error) }));

/** Of callers that give no context: it just goes on. */
export const FLOATING: FetchContext = { waitUntil: (promise) => void logged(promise) };
