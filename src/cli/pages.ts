/** Lists: as many items as are wanted, of as many pages as it takes. */
import { readPages } from '../client/admin.ts';

/**
 * @param ask the call for one page; `wanted` is how many items are
 * @param itemsOf takes the items of a page out of its answer
 * @throws SluiceError
 */
export async function collect<Page extends { cursor?: string | undefined }, Item>(
  ask: (cursor: string | undefined, wanted: number) => Promise<Page>,
  itemsOf: (page: Page) => Item[],
  most = Number.POSITIVE_INFINITY,
): Promise<Item[]> {
  const items: Item[] = [];
  for await (const page of readPages((cursor) => ask(cursor, most - items.length))) {
    items.push(...itemsOf(page));
    if (items.length >= most) break;
  }
  return items;
}
