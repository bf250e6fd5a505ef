/** The edge function for rings: rotate one, add and remove items, look. */
import type { Context } from 'hono';
import type { EdgeFunction, SluiceEnv } from '../app.ts';
import { allow, isPermitted, permit } from '../auth.ts';
import { limitBody, readQuery, readValid } from '../body.ts';
import { Problem, unknown } from '../problem.ts';
import { Items, RingListQuery, RingName, RingPageQuery, Rotate } from './ring-schema.ts';

export const rings: EdgeFunction = (app) => {
  app.get('/v1/rings', allow('operate'), async (c) => {
    const { limit, cursor } = readQuery(c, RingListQuery);
    const page = await c.var.engine.rings.list(limit, cursor);
    return c.json({ ...page, rings: page.rings.filter(({ ring }) => isPermitted(c.var.token, ring)) });
  });

  app.get('/v1/rings/:ring', allow('operate'), async (c) => {
    const ring = named(c);
    const { limit, cursor } = readQuery(c, RingPageQuery);
    const page = await c.var.engine.rings.page(ring, limit, cursor);
    if (page.length === 0) throw unknown('unknown_ring', ring);
    return c.json({ ring, ...page });
  });

  app.put('/v1/rings/:ring/items', allow('operate'), limitBody, async (c) => {
    const ring = named(c);
    const { items } = await readValid(c, Items);
    const added = await c.var.engine.rings.add(ring, items);
    if (added === 'full') throw new Problem('ring_full');
    return c.json({ ring, ...added });
  });

  app.delete('/v1/rings/:ring/items', allow('operate'), limitBody, async (c) => {
    const ring = named(c);
    const { items } = await readValid(c, Items);
    return c.json({ ring, ...(await c.var.engine.rings.remove(ring, items)) });
  });

  app.post('/v1/rings/:ring/rotate', allow('receive'), limitBody, async (c) => {
    const ring = named(c);
    const { count } = await readValid(c, Rotate);
    return c.json({ ring, items: await c.var.engine.rings.rotate(ring, count) });
  });

  app.delete('/v1/rings/:ring', allow('operate'), async (c) => {
    const ring = named(c);
    return c.json({ ring, removed: await c.var.engine.rings.drop(ring), length: 0 });
  });
};

/** The ring of the path, which the token has to be for: patterns of queues are patterns of rings too. */
function named(c: Context<SluiceEnv>): string {
  const name = c.req.param('ring') ?? '';
  permit(c.var.token, name);
  if (!RingName.safeParse(name).success) throw new Problem('unknown_ring', 'No ring can have this name');
  return name;
}
