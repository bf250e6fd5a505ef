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

/** Work that goes on by itself, and that can be waited for. */
export interface Floating extends FetchContext {
  /** Resolves when nothing goes on any more, what began meanwhile included. It never rejects: failures are logged. */
  settled(): Promise<void>;
}

/** The same work, which never rejects: nobody else hears of its failure, and unheard it would end a process. */
export const logged = (work: Promise<unknown>): Promise<unknown> =>
  work.catch((error: unknown) => logError('work behind an answer failed', { error: nameOfError(error) }));

export function openFloating(): Floating {
  const pending = new Set<Promise<void>>();
  return {
    waitUntil(promise) {
      const settled = logged(promise).then(() => void pending.delete(settled));
      pending.add(settled);
    },
    async settled() {
      while (pending.size > 0) await Promise.all(pending);
    },
  };
}

/** Of callers that give no context. */
export const FLOATING: FetchContext = openFloating();
