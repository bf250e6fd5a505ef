/** Kept outcomes: those that drains of this isolate could not settle, because the platform refused subrequests. */
import { StorageError } from '../errors.ts';
import type { FireDue } from '../store/due.ts';
import type { Settlement } from '../store/encode-settlements.ts';
import type { Store } from '../store/store.ts';
import { nextBatch } from './batch.ts';
import type { Unsettled } from './report.ts';

export interface KeptOutcomes {
  keep(unsettled: Unsettled): void;
  /** Settles them before anything else, for their leases run out. What storage refuses waits for the next call. @throws StorageError */
  settle(store: Store, fire?: FireDue | undefined): Promise<void>;
}

export function openKeptOutcomes(): KeptOutcomes {
  const waiting: Unsettled[] = [];
  return {
    keep: (unsettled) => void waiting.push(unsettled),
    async settle(store, fire) {
      for (let kept = waiting.shift(); kept; kept = waiting.shift()) {
        const settlements = nextBatch(kept.settlements);
        let refused: Settlement[];
        try {
          refused = await settleAll(store, { ...kept, settlements }, fire);
        } catch (error) {
          if (error instanceof StorageError && !error.isFinal) waiting.unshift(kept);
          throw error;
        }
        const rest = [...refused, ...kept.settlements.slice(settlements.length)];
        if (rest.length > 0) waiting.unshift({ ...kept, settlements: rest });
        if (refused.length > 0) return;
      }
    },
  };
}

/** @returns those that storage refused */
async function settleAll(
  store: Store,
  { lease, settlements }: Unsettled,
  fire: FireDue | undefined,
): Promise<Settlement[]> {
  const settling = { lease, leaseMs: 0, held: -1, want: 0, pools: [], settlements };
  const { statuses, schedules, now } = await store.sync(settling);
  if (schedules) await fire?.(schedules, now);
  return settlements.filter((_, index) => statuses[index] === 'refused');
}
