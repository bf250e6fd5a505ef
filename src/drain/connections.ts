/**
 * Connections: of those that an invocation may have waiting for an answer, how many its handlers and its syncs use. The platform
 * queues what is above them, and a handler's time would run while its request has not left.
 *
 * Pure. A handler counts as many as it may make subrequests: whether it makes them one after the other is not known. Storage has
 * one of its own: a sync takes one of the handlers' only where another is in flight.
 */
import type { Delivery } from '../delivery/deliver.ts';

export interface Connections {
  /** The place of the next that may start; -1 where all have to wait. @param isHeldBack which of them may not */
  next<Waiting extends Delivery>(waiting: readonly Waiting[], isHeldBack?: (delivery: Waiting) => boolean): number;
  start(delivery: Delivery): void;
  end(delivery: Delivery): void;
  /** Whether one more sync finds one. */
  hasRoom(): boolean;
  startSync(): void;
  endSync(): void;
}

/** @param mostSyncs how many there may be at once, whatever handlers leave: those of several shards would go beyond what the platform lets wait */
export function openConnections(most: number, mostSyncs = Number.POSITIVE_INFINITY): Connections {
  let used = 0;
  let syncs = 0;
  /** One that wants more than there are has them all. */
  const countWanted = ({ queue }: Delivery) => Math.min(queue.subrequests, most);
  return {
    next(waiting, isHeldBack) {
      let isFirst = true;
      const free = most - used - Math.max(0, syncs - 1);
      // Who waits for connections is not overtaken by another who needs them, or a large one would wait for ever.
      return waiting.findIndex((delivery) => {
        if (isHeldBack?.(delivery)) return false;
        const wanted = countWanted(delivery);
        const mayStart = wanted === 0 || (isFirst && wanted <= free);
        isFirst &&= wanted === 0;
        return mayStart;
      });
    },
    start(delivery) {
      used += countWanted(delivery);
    },
    end(delivery) {
      used -= countWanted(delivery);
    },
    hasRoom: () => syncs === 0 || (syncs < mostSyncs && used + syncs <= most),
    startSync() {
      syncs += 1;
    },
    endSync() {
      syncs -= 1;
    },
  };
}
