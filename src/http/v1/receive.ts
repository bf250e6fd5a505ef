/** The edge function for consumers elsewhere: receive messages of pulled queues, and settle them, one round trip each. */
import type { Context } from 'hono';
import { InvalidMessage } from '../../errors.ts';
import type { EdgeFunction, SluiceEnv } from '../app.ts';
import { allow, permit } from '../auth.ts';
import { limitBody, readValid } from '../body.ts';
import { nameLease, queuesOfLease } from '../lease-name.ts';
import { Problem, unknown } from '../problem.ts';
import { ReceiveRequest, SettleRequest } from './receive-schema.ts';

export const receive: EdgeFunction = (app) => {
  app.post('/v1/receive', allow('receive'), limitBody, async (c) => {
    const { queues, max, visibility } = await readValid(c, ReceiveRequest);
    const name = await nameLease(c, pulled(c, queues));
    const received = await c.var.engine.receive({ ...name, queues, max, visibilityMs: visibility });
    if (received.messages.length === 0 && received.nextInMs !== undefined) {
      c.header('Retry-After', String(Math.ceil(received.nextInMs / 1_000)));
    }
    return c.json({ lease: name.lease, ...received });
  });

  app.post('/v1/leases/:lease/settle', allow('receive'), limitBody, async (c) => {
    const lease = c.req.param('lease');
    const queues = queuesOfLease(lease);
    if (queues.length === 0) throw new Problem('not_found', 'No lease can have this name');
    for (const queue of queues) permit(c.var.token, queue);
    const { settle, extend, receive: more } = await readValid(c, SettleRequest);
    if (more) checkWithin(queues, pulled(c, more.queues));
    const settled = await c.var.engine.settle({
      lease,
      settlements: settle,
      extendMs: extend,
      ...(more ? { more } : {}),
    });
    return c.json(settled);
  });
};

/** What else a lease held would be open to whoever may settle under its name. @throws InvalidMessage */
function checkWithin(queues: string[], wanted: string[]): void {
  if (wanted.every((queue) => queues.includes(queue))) return;
  const message = 'must be queues that the lease was received from: begin another for others';
  throw new InvalidMessage([{ field: 'receive.queues', code: 'other_lease', message }]);
}

/** Names of pulled queues that the caller may touch, in the order given. */
function pulled(c: Context<SluiceEnv>, names: string[]): string[] {
  for (const name of names) {
    permit(c.var.token, name);
    const queue = c.var.engine.queues.get(name);
    if (!queue) throw unknown('unknown_queue', name);
    if (queue.handler) throw new Problem('not_pulled', `The Worker's own handler drains ${name}`);
  }
  return names;
}
