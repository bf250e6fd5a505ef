/**
 * Group order: in an ordered queue a message is given out when all of its group that came before it have ended.
 *
 * Pure. A group's messages share a lane here, and none is delayed. One that was redriven comes out of turn.
 */
import { parseEntry } from '../../src/message/ids.ts';
import { parseLane } from '../../src/message/lane.ts';
import type { StoredMessage } from './history.ts';

export interface GroupOrder {
  stored(message: StoredMessage): void;
  leased(entry: string): void;
  /** Acked, dead or cancelled. */
  ended(id: string): void;
}

/** @param blame is told the id of each message that went before an earlier one of its group had ended */
export function watchGroupOrder(isOrdered: (queue: string) => boolean, blame: (id: string) => void): GroupOrder {
  const groups = new Map<string, Set<string>>(); // those that have not ended, in the order in which they came
  const groupOf = new Map<string, Set<string>>();
  return {
    stored({ id, lane }) {
      if (!isOrdered(parseLane(lane).queue)) return;
      const group = groups.get(lane) ?? new Set<string>();
      groups.set(lane, group.add(id));
      groupOf.set(id, group);
    },
    leased(entry) {
      const { id } = parseEntry(entry);
      const [first] = groupOf.get(id) ?? [];
      if (first !== undefined && first !== id) blame(id);
    },
    ended(id) {
      groupOf.get(id)?.delete(id);
      groupOf.delete(id);
    },
  };
}
