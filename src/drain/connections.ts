/**
 * Connections: of those that an invocation may have waiting for an answer, how many its handlers use. The platform queues
 * what is above them, and a handler's time would run while its request has not left.
 *
 * Pure. A handler counts as many as it may make subrequests: whether it makes them one after the other is not known.
 */
import type { Delivery } from '../delivery/deliver.ts';

export interface Connections {
  /** The place of the next that may start; -1 where all have to wait. */
  next(waiting: readonly Delivery[]): number;
  start(delivery: Delivery): void;
  end(delivery: Delivery): void;
}

export function openConnections(most: number): Connections {
  let used = 0;
  /** One that wants more than there are has them all. */
  const countWanted = ({ queue }: Delivery) => Math.min(queue.subrequests, most);
  return {
    next(waiting) {
      let isFirst = true;
      // Who waits for connections is not overtaken by another who needs them, or a large one would wait for ever.
      return waiting.findIndex((delivery) => {
        const wanted = countWanted(delivery);
        const mayStart = wanted === 0 || (isFirst && used + wanted <= most);
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
  };
}
