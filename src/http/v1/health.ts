/** The edge function that says whether storage answers, may be written, and keeps what it is given. Open to everybody. */
import type { EdgeFunction } from '../app.ts';

export const health: EdgeFunction = (app) => {
  app.get('/health', async (c) => c.json(await c.var.engine.health()));
};
