/** What may be asked of rings: the schemas of the rings function's paths, queries and bodies. */
import * as z from 'zod/mini';
import { ITEM_RULE, isRingItem, MAX_ITEMS_A_CALL, RING_CURSOR, RING_NAME } from '../../rings/ring.ts';

export const RingName = z.string().check(z.regex(RING_NAME));

const Item = z.string().check(z.refine(isRingItem, { message: ITEM_RULE }));

export const Items = z.strictObject({ items: z.array(Item).check(z.minLength(1), z.maxLength(MAX_ITEMS_A_CALL)) });

export const Rotate = z.strictObject({
  count: z._default(z.int().check(z.minimum(1), z.maximum(MAX_ITEMS_A_CALL)), 1),
});

const limit = (most: number) => z._default(z.coerce.number().check(z.int(), z.minimum(1), z.maximum(most)), 100);

export const RingPageQuery = z.strictObject({
  limit: limit(MAX_ITEMS_A_CALL),
  cursor: z._default(z.string().check(z.regex(RING_CURSOR)), ''),
});

/** The cursor is a ring's name. */
export const RingListQuery = z.strictObject({
  limit: limit(100),
  cursor: z._default(z.union([z.literal(''), RingName]), ''),
});
