/**
 * Lane order: inside a lane, first in, first out.
 *
 * Pure. Judged by the order in which messages were taken out of their lanes, not by that of their arrival, which
 * consumers side by side decide among themselves. Counted are first deliveries: redelivered messages go to the head, and
 * when a delayed one came to its lane only the store knows.
 */
import { parseEntry } from '../../src/message/ids.ts';
import type { StoredMessage } from './history.ts';

export interface LaneOrder {
  stored(message: StoredMessage): void;
  leased(entry: string): void;
}

/** @param blame is told the id of each message that a later one overtook */
export function watchLaneOrder(blame: (id: string) => void): LaneOrder {
  const lengths = new Map<string, number>();
  const furthest = new Map<string, number>();
  const waiting = new Map<string, { lane: string; place: number }>();
  return {
    stored({ id, lane, delayMs }) {
      if (delayMs > 0) return;
      const place = (lengths.get(lane) ?? 0) + 1;
      lengths.set(lane, place);
      waiting.set(id, { lane, place });
    },
    leased(entry) {
      const { id } = parseEntry(entry);
      const waited = waiting.get(id);
      if (!waited) return;
      waiting.delete(id);
      if (entry.startsWith('1r.')) return; // it expired unseen, and was redriven to the tail
      if (waited.place < (furthest.get(waited.lane) ?? 0)) blame(id);
      else furthest.set(waited.lane, waited.place);
    },
  };
}
