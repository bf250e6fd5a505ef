// Which invocations are over: it may be asked before and after one is.
import type { Told } from './wire.ts';

export interface Ends {
  tell(told: Told): void;
  /** Resolves when this one is over. One that was killed never is. */
  over(id: string): Promise<Told>;
}

export function openEnds(): Ends {
  const ends = new Map<string, PromiseWithResolvers<Told>>();
  const endOf = (id: string) => {
    const end = ends.get(id) ?? Promise.withResolvers<Told>();
    ends.set(id, end);
    return end;
  };
  return {
    tell(told) {
      if (told.id !== null) endOf(told.id).resolve(told);
    },
    over: (id) => endOf(id).promise.finally(() => ends.delete(id)),
  };
}
