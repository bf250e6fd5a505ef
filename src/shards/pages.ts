/** Pages over several shards: one shard after the other, with a cursor that says in which of them it stands. */
import type { Shard } from '../redis/shard.ts';
import type { Fleet } from './fleet.ts';

/** The name of a shard, and its own cursor. Nothing else that pages begins so. */
const CURSOR = /^~([a-z0-9-]{1,32})\.(.*)$/s;

export interface Page<Item> {
  items: Item[];
  cursor: string;
}

/** Reads a page of one shard. */
type ReadShard<Item> = (shard: Shard, limit: number, cursor: string) => Promise<Page<Item>>;

/**
 * Fills a page. A shard that does not answer is noted as away, and the page goes on behind it.
 * @param from `begin` begins; what the page before answered goes on
 * @param begin the cursor with which a shard begins, and ends
 * @returns the cursor `begin` where all is told
 * @throws StorageError where none of the shards that it comes to answers
 */
export async function readPage<Item>(
  fleet: Fleet,
  limit: number,
  from: string,
  begin: string,
  read: ReadShard<Item>,
): Promise<Page<Item>> {
  const shards = fleet.all;
  const { place, inner } = findPlace(fleet, from, begin);
  const items: Item[] = [];
  let failure: unknown;
  let hasAnswered = false;
  let cursor = inner;
  for (const [at, shard] of shards.entries()) {
    if (at < place) continue;
    try {
      const page = await read(shard, limit - items.length, cursor);
      hasAnswered = true;
      items.push(...page.items);
      if (page.cursor !== begin) return { items, cursor: makeCursor(shard, page.cursor) };
    } catch (error) {
      fleet.noteAway(shard, error);
      failure ??= error;
    }
    cursor = begin;
    const next = shards[at + 1];
    if (next && items.length >= limit) return { items, cursor: makeCursor(next, begin) };
  }
  if (!hasAnswered) throw failure;
  return { items, cursor: begin };
}

/** Where a cursor stands: the first shard where it names none, or one that is not there any more. */
export function findPlace({ all }: Fleet, cursor: string, begin: string): { place: number; inner: string } {
  const { name, inner } = parseCursor(cursor, begin);
  const place = all.findIndex(({ identity }) => identity.name === name);
  return place < 0 ? { place: 0, inner: begin } : { place, inner };
}

/** @returns the name of the shard, where a cursor has one, and the cursor within it */
function parseCursor(cursor: string, begin: string): { name: string | undefined; inner: string } {
  const [, name, inner = begin] = CURSOR.exec(cursor) ?? [];
  return { name, inner };
}

/** As routes take it: page-query.ts. */
export const makeCursor = ({ identity }: Shard, cursor: string) => `~${identity.name}.${cursor}`;
