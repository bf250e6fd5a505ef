/** Pages: lists of the API that go on while there is a cursor, as one list. */
import type { Api } from './api.ts';

interface Paged {
  /** The member of each answer that holds the items. */
  field: string;
  query?: Record<string, string>;
  /** The most items wanted, and of one page where the API takes a limit. */
  most?: number;
  page?: number;
}

/** @throws SluiceError */
export async function collect<Item>(
  api: Api,
  path: string,
  { field, query = {}, most = Number.POSITIVE_INFINITY, page }: Paged,
): Promise<Item[]> {
  const items: Item[] = [];
  let cursor: string | undefined;
  do {
    const limit = page === undefined ? {} : { limit: String(Math.min(page, most - items.length)) };
    const search = String(new URLSearchParams({ ...query, ...limit, ...(cursor === undefined ? {} : { cursor }) }));
    const answer = await api.get<Record<string, unknown>>(search === '' ? path : `${path}?${search}`);
    items.push(...(answer[field] as Item[]));
    cursor = (answer.cursor as string | undefined) || undefined;
  } while (cursor !== undefined && items.length < most);
  return items;
}
