/** The edge function that drains on demand: for a pinger outside the platform, and for operators. */
import type { EdgeFunction } from '../src/http/app.ts';
import { allow } from '../src/http/auth.ts';

export const drain: EdgeFunction = (app) => {
  app.post('/v1/drain', allow('operate'), async (c) => c.json(await c.var.engine.tick()));
};
