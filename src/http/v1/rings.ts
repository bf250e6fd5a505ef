/** Rings: rotate one, add and remove items, look. */
import type { Context } from 'hono';
import * as z from 'zod/mini';
import { rule } from '../../formats/rule.ts';
import { features } from '../../rings/features.ts';
import { openRingsOn } from '../../rings/fleet-store.ts';
import { ITEM_RULE, isRingItem, MAX_ITEMS_A_CALL, RING_CURSOR, RING_NAME } from '../../rings/ring.ts';
import { canUseQueue, requireQueue } from '../auth.ts';
import type { SluiceEnv } from '../context.ts';
import { cursorSchema, nameCursor, pageLimit } from '../page-query.ts';
import { Problem, unknown } from '../problem.ts';
import { route } from '../route.ts';
import type { Wire } from './wire.ts';

export const params = { ring: RING_NAME };

const Item = z.string().check(rule(isRingItem, ITEM_RULE));
const Items = z.strictObject({ items: z.array(Item).check(z.minLength(1), z.maxLength(MAX_ITEMS_A_CALL)) });

const Rotate = z.strictObject({
  count: z._default(z.int().check(z.minimum(1), z.maximum(MAX_ITEMS_A_CALL)), 1),
});

const ItemsPage = z.strictObject({
  limit: pageLimit(MAX_ITEMS_A_CALL, 100),
  cursor: cursorSchema(RING_CURSOR),
});

/** The cursor is a ring's name. */
const RingsPage = z.strictObject({
  limit: pageLimit(100, 100),
  cursor: nameCursor,
});

export const listRings = route(
  'GET /v1/rings',
  { scope: 'admin', query: RingsPage },
  async (c, { query }): Promise<Wire<'RingList'>> => {
    const { limit, cursor } = query();
    const page = await openRingsOn(c.get('engine').fleet).list(limit, cursor);
    return { ...page, rings: page.rings.filter(({ ring }) => canUseQueue(c.get('token'), ring)) };
  },
);

export const getRing = route(
  'GET /v1/rings/:ring',
  { scope: 'admin', query: ItemsPage },
  async (c, { query }): Promise<Wire<'RingItems'>> => {
    const ring = named(c);
    const { limit, cursor } = query();
    const page = await openRingsOn(c.get('engine').fleet).page(ring, limit, cursor);
    if (page.length === 0) throw unknown('unknown_ring', ring);
    return { ring, ...page };
  },
);

export const addToRing = route(
  'PUT /v1/rings/:ring/items',
  { scope: 'admin', body: Items },
  async (c, { body }): Promise<Wire<'RingAdded'>> => {
    const ring = named(c);
    const { items } = await body();
    const added = await openRingsOn(c.get('engine').fleet).add(ring, items);
    if (added === 'full') throw new Problem('ring_full');
    return { ring, ...added };
  },
);

export const removeFromRing = route(
  'DELETE /v1/rings/:ring/items',
  { scope: 'admin', body: Items },
  async (c, { body }): Promise<Wire<'RingRemoved'>> => {
    const ring = named(c);
    const { items } = await body();
    return { ring, ...(await openRingsOn(c.get('engine').fleet).remove(ring, items)) };
  },
);

export const rotateRing = route(
  'POST /v1/rings/:ring/rotate',
  { scope: 'receive', body: Rotate },
  async (c, { body }): Promise<Wire<'Rotated'>> => {
    const ring = named(c);
    const { count } = await body();
    return { ring, items: await openRingsOn(c.get('engine').fleet).rotate(ring, count) };
  },
);

export const dropRing = route('DELETE /v1/rings/:ring', { scope: 'admin' }, async (c): Promise<Wire<'RingRemoved'>> => {
  const ring = named(c);
  return { ring, removed: await openRingsOn(c.get('engine').fleet).drop(ring), length: 0 };
});

export const rings = Object.assign([listRings, getRing, addToRing, removeFromRing, rotateRing, dropRing], { features });

/** The ring of the path, which the token has to be for: patterns of queues are patterns of rings too. */
function named(c: Context<SluiceEnv>): string {
  const name = c.req.param('ring') ?? '';
  requireQueue(c.get('token'), name);
  if (!RING_NAME.test(name)) throw new Problem('unknown_ring', 'No ring can have this name');
  return name;
}
