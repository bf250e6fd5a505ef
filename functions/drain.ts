/** The edge function that drains on demand: for a pinger outside the platform, and for operators. */
import type { EdgeFunction } from '../src/http/app.ts';
import { ANY_QUEUE, allow, permit } from '../src/http/auth.ts';

export const drain: EdgeFunction = (app) => {
  app.post('/v1/drain', allow('operate'), async (c) => {
    permit(c.var.token, ANY_QUEUE);
    return c.json(await c.var.engine.tick());
  });
};
