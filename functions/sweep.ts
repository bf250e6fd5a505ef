/** The edge function that repairs on demand: it fires what is due and gives back what expired leases hold. */
import type { EdgeFunction } from '../src/http/app.ts';
import { allow } from '../src/http/auth.ts';

export const sweep: EdgeFunction = (app) => {
  app.post('/v1/sweep', allow('operate'), async (c) => c.json(await c.var.engine.sweep()));
};
