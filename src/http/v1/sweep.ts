/** The edge function that repairs on demand: it fires what is due and gives back what expired leases hold. */
import type { EdgeFunction } from '../app.ts';
import { ANY_QUEUE, allow, permit } from '../auth.ts';
import { outliving } from '../outliving.ts';

export const sweep: EdgeFunction = (app) => {
  app.post('/v1/sweep', allow('operate'), async (c) => {
    permit(c.var.token, ANY_QUEUE);
    return c.json(await outliving(c, c.var.engine.sweep()));
  });
};
