/** The edge function that says whether the Worker reaches its storage. Open to everybody, so it spends a free command only. */
import type { EdgeFunction } from '../src/http/app.ts';

export const health: EdgeFunction = (app) => {
  app.get('/health', async (c) => {
    await c.var.engine.ping();
    return c.json({ status: 'ok' });
  });
};
