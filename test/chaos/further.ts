/** Further drains: those that drains have started for a backlog, by the places that they take, and those that died with their Worker. */
import type { Claimed } from '../../scripts/lua/observe.ts';

export interface FurtherDrains {
  claimed(claim: Claimed): void;
  /** @param worker where; left out where nobody knows, as of Durable Objects */
  begun(place: string, worker?: string): void;
  /** This Worker was ended. */
  killed(worker: string): void;
  figures(): { started: number; died: number };
}

/** @param livesMs after so long one has ended for sure */
export function followFurtherDrains(livesMs: number, clock: () => number = Date.now): FurtherDrains {
  const atWork = new Map<string, { worker: string | undefined; until: number }>();
  let started = 0;
  let died = 0;
  return {
    claimed({ back }) {
      for (const place of back) atWork.delete(place);
    },
    begun(place, worker) {
      started += 1;
      atWork.set(place, { worker, until: clock() + livesMs });
    },
    killed(worker) {
      for (const [place, drain] of atWork) {
        if (drain.worker !== undefined && drain.worker !== worker) continue;
        atWork.delete(place);
        if (drain.until > clock()) died += 1;
      }
    },
    figures: () => ({ started, died }),
  };
}
