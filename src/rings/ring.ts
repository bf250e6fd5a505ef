/**
 * Rings: circular lists that many clients rotate, each of whom gets other items. An item is in a ring once.
 *
 * Rules without I/O: what a ring may hold, and a ring in code over whatever stores it.
 */
import { utf8 } from '../formats/bytes.ts';
import { QUEUE_NAME } from '../message/message.ts';
import type { Ring, RingAdded, RingPage } from '../queue/ring.ts';

/** A ring's name: the rule for queues, for the same reasons. */
export const RING_NAME = QUEUE_NAME;

/** At 1 KiB each they are 10 MB, well below what one record may have anywhere. */
export const MAX_RING_ITEMS = 10_000;

/** UTF-8 bytes. */
const MAX_ITEM_BYTES = 1_024;

/** The most items that one call adds, removes, rotates or shows: an answer of 1 MiB at most. */
export const MAX_ITEMS_A_CALL = 1_000;

const DEFAULT_PAGE = 100;

/** Where a page goes on: how many items it skips, or nothing to begin. */
export const RING_CURSOR = /^\d{0,5}$/;

/** What an item may be, as a sentence behind the field's name. */
export const ITEM_RULE = `must be text of 1 to ${MAX_ITEM_BYTES} bytes in one line, without control characters`;

/** Control characters are refused: quoted in JSON each takes six bytes, and logs show items. */
export function isRingItem(text: string): boolean {
  if (text === '' || !text.isWellFormed() || /\p{Cc}/u.test(text)) return false;
  return utf8(text).length <= MAX_ITEM_BYTES;
}

/** The rings of a shard. Every call is one bounded script, or a few of them, and safe to repeat. */
export interface Rings {
  /**
   * The next items, which go to the end. Fewer than `count` where the ring is shorter, none where there is no such ring.
   * A repeat after a lost answer gives the next ones: those of the lost answer come again with their next turn.
   * @throws StorageError
   */
  rotate(ring: string, count: number): Promise<string[]>;
  /** All or none, behind what is there. What is in the ring already stays where it is. @throws StorageError */
  add(ring: string, items: string[]): Promise<RingAdded | 'full'>;
  /** @throws StorageError */
  remove(ring: string, items: string[]): Promise<{ removed: number; length: number }>;
  /** @throws StorageError */
  page(ring: string, limit: number, cursor: string): Promise<RingPage>;
  /** Rings that have items, by name. @throws StorageError */
  list(limit: number, cursor: string): Promise<{ rings: { ring: string; length: number }[]; cursor?: string }>;
  /** The whole ring. @returns how many items it had. @throws StorageError */
  drop(ring: string): Promise<number>;
}

/** @throws RangeError where no ring can have this name */
export function openRing(rings: Rings, name: string): Ring {
  if (!RING_NAME.test(name)) throw new RangeError(`a ring's name must match ${RING_NAME}; got ${JSON.stringify(name)}`);
  return {
    rotate: async (count = 1) => rings.rotate(name, checkedCount(count, 'the count')),
    async add(items) {
      const added = await rings.add(name, checkedItems(items));
      if (added === 'full') throw new RangeError(`ring ${name} would have more than ${MAX_RING_ITEMS} items`);
      return added;
    },
    remove: async (items) => rings.remove(name, checkedItems(items)),
    async items(limit = DEFAULT_PAGE, cursor = '') {
      if (!RING_CURSOR.test(cursor)) throw new RangeError('the cursor must be one that a page gave');
      return rings.page(name, checkedCount(limit, 'the limit'), cursor);
    },
  };
}

function checkedCount(count: number, what: string): number {
  if (Number.isInteger(count) && count >= 1 && count <= MAX_ITEMS_A_CALL) return count;
  throw new RangeError(`${what} must be a whole number from 1 to ${MAX_ITEMS_A_CALL}; got ${count}`);
}

function checkedItems(items: string[]): string[] {
  checkedCount(items.length, 'the number of items');
  const wrong = items.findIndex((item) => !isRingItem(item));
  if (wrong >= 0) throw new RangeError(`items[${wrong}] ${ITEM_RULE}`);
  return items;
}
