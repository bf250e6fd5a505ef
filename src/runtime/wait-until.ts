/** Work behind an answer where no platform keeps it alive, as in Node: it just goes on, and its failure must not end the process. */
import { logError, nameOfError } from '../log.ts';

/** Keeps work alive after the answer: a Worker's ExecutionContext. */
export interface FetchContext {
  waitUntil(promise: Promise<unknown>): void;
}

export const FLOATING: FetchContext = {
  waitUntil(promise) {
    promise.catch((error: unknown) => logError('work behind an answer failed', { error: nameOfError(error) }));
  },
};
