/** The edge function for operators: look at queues and messages, cancel, pause, purge, redrive, audit. */
import type { Context } from 'hono';
import type { NamedQueue, Overrides } from '../../broker/admin.ts';
import { QUEUE_NAME } from '../../message/message.ts';
import type { AnyQueue } from '../../queue/queue.ts';
import type { EdgeFunction, SluiceEnv } from '../app.ts';
import { ANY_QUEUE, allow, isPermitted, permit } from '../auth.ts';
import { limitBody, readQuery, readValid } from '../body.ts';
import { outliving } from '../outliving.ts';
import { unknown } from '../problem.ts';
import { Audit, Destinations, Id, Override, Page, Purge, Redrive } from './operate-schema.ts';

export const operate: EdgeFunction = (app) => {
  app.get('/v1/queues/:queue', allow('operate'), async (c) =>
    c.json(await c.var.engine.operator.queue(await named(c))),
  );

  app.get('/v1/queues/:queue/messages', allow('operate'), async (c) => {
    const { state, limit, cursor } = readQuery(c, Page);
    return c.json(await c.var.engine.operator.messages(await named(c), state, limit, cursor));
  });

  app.get('/v1/messages/:id', allow('operate'), async (c) => {
    const message = await c.var.engine.operator.message(knownId(c));
    if (message.state === 'gone') throw unknown('unknown_message', message.id);
    permit(c.var.token, message.queue ?? ANY_QUEUE);
    const { url: destination, method } = c.var.engine.queues.get(message.queue ?? '')?.destination ?? {};
    return c.json({ destination, method, ...message });
  });

  app.delete('/v1/messages/:id', allow('operate'), async (c) => {
    const { operator } = c.var.engine;
    const { state, queue } = await operator.message(knownId(c));
    if (state === 'gone') throw unknown('unknown_message', knownId(c));
    permit(c.var.token, queue ?? ANY_QUEUE);
    const was = await operator.cancel(knownId(c));
    if (was === 'gone') throw unknown('unknown_message', knownId(c));
    return c.json({ id: knownId(c), was });
  });

  app.patch('/v1/queues/:queue', allow('operate'), limitBody, async (c) => {
    permit(c.var.token, c.req.param('queue'));
    return override(c, await readValid(c, Override));
  });

  app.post('/v1/queues/:queue/pause', allow('operate'), (c) => override(c, { paused: true }));

  app.post('/v1/queues/:queue/resume', allow('operate'), (c) => override(c, { paused: false }));

  app.post('/v1/queues/:queue/purge', allow('operate'), limitBody, async (c) => {
    const queue = await named(c);
    const { states, cursor } = await readValid(c, Purge);
    return c.json(await outliving(c, c.var.engine.operator.purge(queue, states, cursor)));
  });

  app.post('/v1/queues/:queue/dead/redrive', allow('operate'), limitBody, async (c) => {
    const queue = await named(c);
    return c.json({ messages: await outliving(c, c.var.engine.operator.redrive(queue, await readValid(c, Redrive))) });
  });

  app.delete('/v1/queues/:queue/dead', allow('operate'), async (c) => {
    return c.json(await outliving(c, c.var.engine.operator.purge(await named(c), ['dead'])));
  });

  app.get('/v1/destinations', allow('operate'), async (c) => {
    const { token, engine } = c.var;
    const { destinations, cursor } = await engine.operator.destinations(readQuery(c, Destinations).cursor);
    const permitted = destinations.filter(({ queue }) => isPermitted(token, queue));
    return c.json({ destinations: permitted, ...(cursor === undefined ? {} : { cursor }) });
  });

  app.get('/v1/audit', allow('operate'), async (c) => {
    permit(c.var.token, ANY_QUEUE);
    const { repair, deep, cursor } = readQuery(c, Audit);
    const auditing = c.var.engine.audit({ repair: repair === 'true', deep: deep === 'true', cursor });
    return c.json(await outliving(c, auditing));
  });
};

async function override(c: Context<SluiceEnv>, overrides: Overrides): Promise<Response> {
  const queue = await named(c);
  await outliving(c, c.var.engine.operator.override(queue, overrides)); // it may take two steps
  return c.json({ queue: queue.name, ...overrides });
}

/** The queue of the path. One that left the code can be operated all the same. */
async function named(c: Context<SluiceEnv>): Promise<AnyQueue | NamedQueue> {
  const name = c.req.param('queue') ?? '';
  permit(c.var.token, name);
  const queue = QUEUE_NAME.test(name) ? await c.var.engine.inspector.named(name) : undefined;
  if (!queue) throw unknown('unknown_queue', name);
  return queue;
}

function knownId(c: Context<SluiceEnv>): string {
  const id = Id.safeParse(c.req.param('id'));
  if (!id.success) throw unknown('unknown_message', c.req.param('id'));
  return id.data;
}
