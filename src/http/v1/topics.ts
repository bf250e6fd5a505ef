/** Topics: who is subscribed to what, and publishing to all of them. */
import type { Context } from 'hono';
import { QUEUE_NAME } from '../../message/message.ts';
import { features } from '../../topics/features.ts';
import { Publication, Subscription } from '../../topics/schema.ts';
import type { ActiveSubscription } from '../../topics/topics.ts';
import { canUseQueue, requireQueue } from '../auth.ts';
import { readIdempotencyKey } from '../body.ts';
import type { SluiceEnv } from '../context.ts';
import { outliving } from '../outliving.ts';
import { Problem, unknown } from '../problem.ts';
import { route } from '../route.ts';
import type { Wire } from './wire.ts';

export const params = { topic: QUEUE_NAME, subscription: QUEUE_NAME };

export const publish = route(
  'POST /v1/topics/:topic/messages',
  { scope: 'enqueue', body: Publication },
  async (c, { object }): Promise<Wire<'Published'>> => {
    const { engine, token } = c.var;
    const permitted = (queue: string) => requireQueue(token, queue);
    const publishing = features.topics
      .open(engine)
      .publish(named(c, 'topic'), await object(), permitted, await readIdempotencyKey(c));
    const { receipts, replayed } = await outliving(c, publishing);
    if (replayed) c.header('Idempotent-Replayed', 'true');
    c.status(202);
    return { messages: receipts };
  },
);

export const listTopics = route('GET /v1/topics', { scope: 'admin' }, async (c): Promise<Wire<'Topics'>> => {
  const known = await features.topics.open(c.get('engine')).list();
  return { topics: known.filter(({ topic }) => canUseQueue(c.get('token'), topic)) };
});

export const getTopic = route('GET /v1/topics/:topic', { scope: 'admin' }, async (c): Promise<Wire<'Topic'>> => {
  const topic = named(c, 'topic');
  return { topic, subscriptions: (await features.topics.open(c.get('engine')).get(topic)).map(shown) };
});

export const removeTopic = route(
  'DELETE /v1/topics/:topic',
  { scope: 'admin' },
  async (c): Promise<Wire<'Unsubscribed'>> => ({
    removed: await features.topics.open(c.get('engine')).unsubscribe(named(c, 'topic')),
  }),
);

export const subscribe = route(
  'PUT /v1/topics/:topic/subscriptions/:subscription',
  { scope: 'admin', body: Subscription },
  async (c, { object }): Promise<Wire<'Subscribed'>> => {
    const topic = named(c, 'topic');
    const wanted = await object();
    if (typeof wanted.queue === 'string') requireQueue(c.get('token'), wanted.queue);
    const subscribed = await features.topics.open(c.get('engine')).subscribe(topic, named(c, 'subscription'), wanted);
    if (!subscribed) throw new Problem('too_many');
    return shown(subscribed);
  },
);

export const enableSubscription = route(
  'POST /v1/topics/:topic/subscriptions/:subscription/enable',
  { scope: 'admin' },
  async (c): Promise<Wire<'Subscribed'>> => {
    const permitted = (queue: string) => requireQueue(c.get('token'), queue);
    const enabled = await features.topics
      .open(c.get('engine'))
      .enable(named(c, 'topic'), named(c, 'subscription'), permitted);
    if (!enabled) throw new Problem('unknown_subscription');
    return shown(enabled);
  },
);

export const unsubscribe = route(
  'DELETE /v1/topics/:topic/subscriptions/:subscription',
  { scope: 'admin' },
  async (c): Promise<Wire<'Unsubscribed'>> => {
    const removed = await features.topics
      .open(c.get('engine'))
      .unsubscribe(named(c, 'topic'), named(c, 'subscription'));
    return { removed };
  },
);

export const topics = Object.assign(
  [publish, listTopics, getTopic, removeTopic, subscribe, enableSubscription, unsubscribe],
  { features },
);

/** A name in the path. A token's patterns of queues hold for topics too: whoever publishes to one reaches its queues. */
function named(c: Context<SluiceEnv>, parameter: 'topic' | 'subscription'): string {
  const name = c.req.param(parameter) ?? '';
  if (parameter === 'topic') requireQueue(c.get('token'), name);
  if (!QUEUE_NAME.test(name)) throw unknown('unknown_topic', name);
  return name;
}

/** With the names of its headers only: their values may be secrets of the receiver. */
function shown({ destination, ...rest }: ActiveSubscription): Wire<'Subscribed'> {
  if (destination === undefined) return rest;
  const { headers, ...fields } = typeof destination === 'string' ? { url: destination } : destination;
  const names = Object.keys(headers ?? {}).map((name) => [name, '***']);
  return { ...rest, destination: { ...fields, ...(headers && { headers: Object.fromEntries(names) }) } };
}
