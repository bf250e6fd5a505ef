/** Floating: work behind an answer that goes on by itself, and that can be waited for, as an adapter has to. */
import { type FetchContext, logged } from './wait-until.ts';

export interface Floating extends FetchContext {
  /** Resolves when nothing goes on any more, what began meanwhile included. It never rejects: failures are logged. */
  settled(): Promise<void>;
}

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
