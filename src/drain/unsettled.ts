/** Kept outcomes: those that drains of this isolate could not settle, because the platform refused subrequests. */
import { StorageError } from '../errors.ts';
import type { Settlement } from '../store/encode-settlements.ts';
import { nextBatch } from './batch.ts';
import type { DrainShard, Unsettled } from './report.ts';

export interface KeptOutcomes {
  keep(unsettled: Unsettled): void;
  /** Settles those of a shard before anything else, for their leases run out. What storage refuses waits for the next call. @throws StorageError */
  settle(shard: DrainShard): Promise<void>;
}

export function openKeptOutcomes(): KeptOutcomes {
  const byShard = new Map<string, Unsettled[]>();
  const waitingOn = (shard: string) => {
    const waiting = byShard.get(shard) ?? [];
    byShard.set(shard, waiting);
    return waiting;
  };
  return {
    keep: (unsettled) => void waitingOn(unsettled.shard).push(unsettled),
    async settle(shard) {
      const waiting = waitingOn(shard.name);
      for (let kept = waiting.shift(); kept; kept = waiting.shift()) {
        const settlements = nextBatch(kept.settlements);
        let refused: Settlement[];
        try {
          refused = await settleAll(shard, { ...kept, settlements });
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
async function settleAll({ store, fire }: DrainShard, { lease, settlements }: Unsettled): Promise<Settlement[]> {
  const settling = { lease, leaseMs: 0, held: -1, want: 0, pools: [], settlements };
  const { statuses, schedules, now } = await store.sync(settling);
  if (schedules) await fire?.(schedules, now);
  return settlements.filter((_, index) => statuses[index] === 'refused');
}
