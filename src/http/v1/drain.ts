/** The edge function that drains on demand: for a pinger outside the platform, and for operators. */
import type { EdgeFunction } from '../app.ts';
import { ANY_QUEUE, allow, permit } from '../auth.ts';
import { readQuery } from '../body.ts';
import { outliving } from '../outliving.ts';
import { Drain } from './operate-schema.ts';

export const drain: EdgeFunction = (app) => {
  // Some pingers can only GET.
  app.on(['GET', 'POST'], '/v1/drain', allow('operate'), async (c) => {
    permit(c.var.token, ANY_QUEUE);
    const { wait } = readQuery(c, Drain);
    const ticking = c.var.engine.tick('asked');
    if (wait === 'true') return c.json(await outliving(c, ticking));
    c.var.engine.keepAlive(ticking); // its failure is one of the Worker
    return c.json({}, 202);
  });
};
