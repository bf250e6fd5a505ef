/**
 * Callbacks: what follows on a message that is done, and on one that is dead. Each is there where its message has ended so, once.
 *
 * Pure. Storage makes them by itself, so that nobody enqueues them and no call shows them before they are given out: their keys say on
 * which message they follow.
 */
import { type Ending, numberWithCallbacks, parseCallback } from './shards/keys.ts';

export interface Callbacks {
  /** A message of this key exists. */
  met(id: string, key: string): void;
  ended(id: string, how: Ending): void;
  /** Whether a message of this key may be there without an enqueue: its message has ended, or may have, as it says. undefined: it is no callback's */
  isDue(key: string): boolean | undefined;
  /** @returns ids of messages that are done, and what follows on that is not there */
  missing(): string[];
}

export function followCallbacks(): Callbacks {
  const numberOf = new Map<string, string>();
  const ends = new Map<string, Set<Ending>>();
  const there = new Set<string>();
  const parents = new Map<string, string>();
  return {
    met(id, key) {
      const number = numberWithCallbacks(key);
      if (number !== undefined) {
        numberOf.set(id, number);
        parents.set(number, id);
      }
      const callback = parseCallback(key);
      if (callback) there.add(`${callback.number} ${callback.ending}`);
    },
    ended(id, how) {
      ends.set(id, (ends.get(id) ?? new Set()).add(how));
    },
    isDue(key) {
      const callback = parseCallback(key);
      if (!callback) return undefined;
      const parent = parents.get(callback.number);
      // Deaths of which no consumer is told show in nothing else; one that is done shows in its settlement.
      return parent !== undefined && (callback.ending === 'dead') !== (ends.get(parent)?.has('done') ?? false);
    },
    missing() {
      return [...numberOf].flatMap(([id, number]) =>
        [...(ends.get(id) ?? [])].some((how) => !there.has(`${number} ${how}`)) ? [id] : [],
      );
    },
  };
}
