/** The interface of a ring for handlers and other code of the Worker; src/rings/ implements it. */

/** A page of a ring. */
export interface RingPage {
  /** Items in the whole ring. */
  length: number;
  /** The items in their order, the next one first. */
  items: string[];
  /** There is more: ask again with it. Items that move meanwhile may come twice or not at all. */
  cursor?: string;
}

export interface RingAdded {
  /** How many were not in the ring before. */
  added: number;
  length: number;
}

/** One ring, for code in the Worker. */
export interface Ring {
  /**
   * The next items, 1 to 1,000 (default 1), which go to the end: clients that rotate at once get different ones.
   * @throws RangeError, StorageError
   */
  rotate(count?: number): Promise<string[]>;
  /** 1 to 1,000 items, all or none; those that are there stay. @throws RangeError, also where the ring is full; StorageError */
  add(items: string[]): Promise<RingAdded>;
  /** 1 to 1,000 items. @returns how many were there, and what is left. @throws RangeError, StorageError */
  remove(items: string[]): Promise<{ removed: number; length: number }>;
  /** A page of 1 to 1,000 (default 100), without moving anything. @throws RangeError, StorageError */
  items(limit?: number, cursor?: string): Promise<RingPage>;
}

/** Takes the place of rings in a deployment that was given none. */
export function refuseRing(name: string): never {
  throw new Error(`there is no ring ${name}: this deployment has no rings. Give createSluice the function "rings"`);
}
