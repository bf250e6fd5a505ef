/** What the document says of rings. */
import * as z from 'zod/mini';
import { describe } from '../openapi/describe.ts';
import { OF_BODIES, type Operations } from '../openapi/operation.ts';
import { count } from '../openapi/primitives.ts';
import type { ProblemCode } from '../problem.ts';

export const params = { ring: 'A ring. It is there as long as it has items.' };

const RingLength = z.object({ ring: z.string(), length: count });
const RingList = z.object({ rings: z.array(RingLength), cursor: z.optional(z.string()) });
const RingItems = z.object({
  ring: z.string(),
  length: count,
  items: z.array(z.string()),
  cursor: z.optional(z.string()),
});
const RingAdded = z.object({ ring: z.string(), added: count, length: count });
const RingRemoved = z.object({ ring: z.string(), removed: count, length: count });
const Rotated = z.object({ ring: z.string(), items: z.array(z.string()) });

describe(RingList, {
  cursor: 'There is more: ask again with it. A page may be short and still not be the last.',
});
describe(RingItems, {
  length: 'Items in the whole ring.',
  items: 'The next to come first.',
  cursor: 'There is more: ask again with it. What moves between two pages may come twice or not at all.',
});
describe(RingAdded, { added: 'How many were not in the ring before.' });
describe(RingRemoved, { removed: 'How many were in the ring.' });

export const answers = { RingLength, RingList, RingItems, RingAdded, RingRemoved, Rotated };

const OF_RING: ProblemCode[] = [...OF_BODIES, 'unknown_ring'];
const SITES = { items: ['a.example', 'b.example'] };
const ITEMS = {
  name: 'Items',
  fields: { items: 'Each is a line of text, 1 to 1,024 bytes in UTF-8.' },
  example: SITES,
};

export const operations = {
  listRings: {
    tag: 'rings',
    summary: 'The rings the token is for, page by page',
    query: { limit: 'The most rings of a page.', cursor: 'Where the last page ended.' },
    answers: [{ status: 200, description: 'Rings by name.', schema: RingList }],
    problems: ['invalid_message'],
  },
  getRing: {
    tag: 'rings',
    summary: 'A ring and its items, page by page',
    query: { limit: 'The most items of a page.', cursor: 'Where the last page ended.' },
    answers: [{ status: 200, description: 'Nothing has moved.', schema: RingItems }],
    problems: ['unknown_ring', 'invalid_message'],
  },
  addToRing: {
    tag: 'rings',
    summary: 'Add up to 1,000 items, all or none',
    description: 'They come behind what is there. An item is in a ring once: one that is there stays where it is.',
    body: ITEMS,
    answers: [{ status: 200, description: 'They are in the ring.', schema: RingAdded }],
    problems: [...OF_RING, 'ring_full'],
  },
  removeFromRing: {
    tag: 'rings',
    summary: 'Remove up to 1,000 items',
    body: ITEMS,
    answers: [{ status: 200, description: 'They are not in the ring.', schema: RingRemoved }],
    problems: OF_RING,
  },
  rotateRing: {
    tag: 'rings',
    summary: 'Take the next items, which go to the end',
    description:
      'Clients that rotate at once get different items. A repeat after a lost answer gives the next ones: those of the lost answer come again with their next turn.',
    body: {
      name: 'Rotate',
      fields: { count: 'How many. A shorter ring gives each of its items once.' },
      example: { count: 10 },
    },
    answers: [
      {
        status: 200,
        description: 'The items in their turn; none where the ring has none.',
        schema: Rotated,
        example: { ring: 'sites', ...SITES },
      },
    ],
    problems: OF_RING,
  },
  dropRing: {
    tag: 'rings',
    summary: 'Remove a ring with all its items',
    answers: [{ status: 200, description: 'It is gone.', schema: RingRemoved }],
    problems: ['unknown_ring'],
  },
} satisfies Operations;
