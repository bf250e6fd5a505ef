/** The edge function for operators: look at queues and messages, cancel, pause, purge, redrive, audit. */
import type { Context } from 'hono';
import * as z from 'zod/mini';
import type { EdgeFunction, SluiceEnv } from '../src/http/app.ts';
import { allow, isPermitted, permit } from '../src/http/auth.ts';
import { limitBody, readQuery, readValid } from '../src/http/body.ts';
import { Problem } from '../src/http/problem.ts';
import type { AnyQueue } from '../src/queue.ts';
import { wakeDrain } from '../src/sluice.ts';

const Page = z.strictObject({
  state: z._default(z.enum(['ready', 'delayed', 'leased', 'dead']), 'ready'),
  limit: z._default(z.coerce.number().check(z.int(), z.minimum(1), z.maximum(100)), 20),
  cursor: z._default(z.string().check(z.maxLength(300)), ''),
});
const Id = z.string().check(z.regex(/^[\w-]{1,64}$/));
const Redrive = z.union([
  z.strictObject({ ids: z.array(Id).check(z.minLength(1), z.maxLength(1_000)) }),
  z.strictObject({ limit: z.int().check(z.minimum(1), z.maximum(1_000)) }),
]);
const Purge = z.strictObject({
  states: z._default(z.array(z.enum(['ready', 'delayed', 'dead'])).check(z.minLength(1)), ['ready', 'delayed']),
});
const flag = z._default(z.enum(['true', 'false']), 'false');
const Audit = z.strictObject({ repair: flag, deep: flag });

export const operate: EdgeFunction = (app) => {
  app.get('/v1/queues', allow('operate'), async (c) => {
    const { engine, token } = c.var;
    const queues = [...engine.queues.values()].filter(({ name }) => isPermitted(token, name));
    return c.json({ queues: await Promise.all(queues.map((queue) => engine.operator.queue(queue))) });
  });

  app.get('/v1/queues/:queue', allow('operate'), async (c) => c.json(await c.var.engine.operator.queue(named(c))));

  app.get('/v1/queues/:queue/messages', allow('operate'), async (c) => {
    const { state, limit, cursor } = readQuery(c, Page);
    return c.json(await c.var.engine.operator.messages(named(c), state, limit, cursor));
  });

  app.get('/v1/messages/:id', allow('operate'), async (c) => {
    const message = await c.var.engine.operator.message(knownId(c));
    if (message.state === 'gone') throw new Problem('unknown_message');
    if (message.queue) permit(c.var.token, message.queue);
    return c.json(message);
  });

  app.delete('/v1/messages/:id', allow('operate'), async (c) => {
    const { operator } = c.var.engine;
    const { queue } = await operator.message(knownId(c));
    if (queue) permit(c.var.token, queue);
    const was = await operator.cancel(knownId(c));
    if (was === 'gone') throw new Problem('unknown_message');
    return c.json({ id: knownId(c), was });
  });

  app.post('/v1/queues/:queue/pause', allow('operate'), async (c) => {
    await c.var.engine.operator.pause(named(c));
    return c.json({ queue: named(c).name, paused: true });
  });

  app.post('/v1/queues/:queue/resume', allow('operate'), async (c) => {
    await c.var.engine.operator.resume(named(c));
    wakeDrain(c.var.engine, c.executionCtx);
    return c.json({ queue: named(c).name, paused: false });
  });

  app.post('/v1/queues/:queue/purge', allow('operate'), limitBody, async (c) => {
    const { states } = await readValid(c, Purge);
    return c.json(await c.var.engine.operator.purge(named(c), states));
  });

  app.post('/v1/queues/:queue/dead/redrive', allow('operate'), limitBody, async (c) => {
    const messages = await c.var.engine.operator.redrive(named(c), await readValid(c, Redrive));
    wakeDrain(c.var.engine, c.executionCtx);
    return c.json({ messages });
  });

  app.delete('/v1/queues/:queue/dead', allow('operate'), async (c) => {
    return c.json(await c.var.engine.operator.purge(named(c), ['dead']));
  });

  app.get('/v1/audit', allow('operate'), async (c) => {
    const { repair, deep } = readQuery(c, Audit);
    return c.json({ findings: await c.var.engine.audit(repair === 'true', deep === 'true') });
  });
};

function named(c: Context<SluiceEnv>): AnyQueue {
  const name = c.req.param('queue') ?? '';
  permit(c.var.token, name);
  const queue = c.var.engine.queues.get(name);
  if (!queue) throw new Problem('unknown_queue');
  return queue;
}

function knownId(c: Context<SluiceEnv>): string {
  const id = Id.safeParse(c.req.param('id'));
  if (!id.success) throw new Problem('unknown_message');
  return id.data;
}
