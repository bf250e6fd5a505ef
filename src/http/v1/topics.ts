/** The edge function for topics: who is subscribed to what, and publishing to all of them. */
import type { Context } from 'hono';
import { QUEUE_NAME } from '../../message/message.ts';
import type { Subscribed } from '../../topics/topics.ts';
import type { EdgeFunction, SluiceEnv } from '../app.ts';
import { allow, isPermitted, permit } from '../auth.ts';
import { limitBody, readObject, requestName } from '../body.ts';
import { outliving } from '../outliving.ts';
import { Problem, unknown } from '../problem.ts';

export const topics: EdgeFunction = (app) => {
  app.get('/v1/topics', allow('operate'), async (c) => {
    const known = await c.var.engine.topics.list();
    return c.json({ topics: known.filter(({ topic }) => isPermitted(c.var.token, topic)) });
  });

  app.get('/v1/topics/:topic', allow('operate'), async (c) => {
    const topic = named(c, 'topic');
    return c.json({ topic, subscriptions: (await c.var.engine.topics.get(topic)).map(shown) });
  });

  app.delete('/v1/topics/:topic', allow('operate'), async (c) => {
    return c.json({ removed: await c.var.engine.topics.unsubscribe(named(c, 'topic')) });
  });

  app.put('/v1/topics/:topic/subscriptions/:subscription', allow('operate'), limitBody, async (c) => {
    const topic = named(c, 'topic');
    const wanted = await readObject(c);
    if (typeof wanted.queue === 'string') permit(c.var.token, wanted.queue);
    const subscribed = await c.var.engine.topics.subscribe(topic, named(c, 'subscription'), wanted);
    if (!subscribed) throw new Problem('too_many');
    return c.json(shown(subscribed));
  });

  app.post('/v1/topics/:topic/subscriptions/:subscription/enable', allow('operate'), async (c) => {
    const permitted = (queue: string) => permit(c.var.token, queue);
    const enabled = await c.var.engine.topics.enable(named(c, 'topic'), named(c, 'subscription'), permitted);
    if (!enabled) throw new Problem('unknown_subscription');
    return c.json(shown(enabled));
  });

  app.delete('/v1/topics/:topic/subscriptions/:subscription', allow('operate'), async (c) => {
    const removed = await c.var.engine.topics.unsubscribe(named(c, 'topic'), named(c, 'subscription'));
    return c.json({ removed });
  });

  app.post('/v1/topics/:topic/messages', allow('enqueue'), limitBody, async (c) => {
    const { engine, token } = c.var;
    const permitted = (queue: string) => permit(token, queue);
    const publishing = engine.topics.publish(named(c, 'topic'), await readObject(c), permitted, await requestName(c));
    const { receipts, repeated } = await outliving(c, publishing);
    if (repeated) c.header('Idempotent-Replayed', 'true');
    return c.json({ messages: receipts }, 202);
  });
};

/** A name in the path. A token's patterns of queues hold for topics too: whoever publishes to one reaches its queues. */
function named(c: Context<SluiceEnv>, parameter: 'topic' | 'subscription'): string {
  const name = c.req.param(parameter) ?? '';
  if (parameter === 'topic') permit(c.var.token, name);
  if (!QUEUE_NAME.test(name)) throw unknown('unknown_topic', name);
  return name;
}

/** With the names of its headers only: their values may be secrets of the receiver. */
function shown({ destination, ...rest }: Subscribed): object {
  if (destination === undefined) return rest;
  const { headers, ...fields } = typeof destination === 'string' ? { url: destination } : destination;
  const names = Object.keys(headers ?? {}).map((name) => [name, '***']);
  return { ...rest, destination: { ...fields, ...(headers && { headers: Object.fromEntries(names) }) } };
}
