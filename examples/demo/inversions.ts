/**
 * Inversions: messages that overtook more urgent ones at the moment of taking.
 *
 * Pure. Judged from what the scripts answered, in Redis' own order, and not from any index of Sluice's. Counted are first
 * deliveries: of a retried or swept message only the store knows when it became ready again.
 */

import type { Enqueued, Synced } from '../../scripts/lua/observe.ts';
import { parseEntry } from '../../src/message/ids.ts';
import { parseLane } from '../../src/message/lane.ts';

export interface Inversions {
  see(event: Enqueued | Synced): void;
  /** Messages taken while a more urgent one was ready and was left behind. */
  count(): number;
  /** Messages in leases now. */
  held(): number;
}

export function watchInversions(): Inversions {
  const priorities = new Map<string, number>();
  const ready = new Set<string>();
  const readyOf = new Array<number>(10).fill(0);
  const held = new Map<string, { entry: string; lease: string }>();
  let inversions = 0;

  const setReady = (id: string, is: boolean) => {
    if (ready.has(id) === is) return;
    if (is) ready.add(id);
    else ready.delete(id);
    const priority = priorities.get(id) ?? 9;
    readyOf[priority] = (readyOf[priority] ?? 0) + (is ? 1 : -1);
  };

  function give(entries: string[], lease: string): void {
    for (const entry of entries) setReady(parseEntry(entry).id, false);
    const mostUrgentLeft = readyOf.findIndex((count) => count > 0);
    for (const entry of entries) {
      const { id } = parseEntry(entry);
      held.set(id, { entry, lease });
      if (mostUrgentLeft >= 0 && (priorities.get(id) ?? 9) > mostUrgentLeft) inversions += 1;
    }
  }

  return {
    see(event) {
      if (event.what === 'enqueued') {
        for (const { id, lane, delayMs } of event.messages) {
          priorities.set(id, parseLane(lane).priority);
          setReady(id, delayMs === 0);
        }
        const entries = event.messages.map(({ id }) => `1.${id}`);
        if (event.handedTo) give(entries, event.handedTo.lease);
        return;
      }
      for (const { entry, status } of event.settlements) {
        const { id } = parseEntry(entry);
        if (held.get(id)?.entry === entry) held.delete(id);
        if (status === 'released') setReady(id, true);
      }
      const fresh = event.taken.filter((entry) => held.get(parseEntry(entry).id)?.lease !== event.lease);
      give(fresh, event.lease);
    },
    count: () => inversions,
    held: () => held.size,
  };
}
