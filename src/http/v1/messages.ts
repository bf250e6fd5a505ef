/** Messages: enqueue one or a batch, list those of a queue, look at one, cancel it. */
import type { Context } from 'hono';
import * as z from 'zod/mini';
import { queuesNamed, type Receipt } from '../../broker/producer.ts';
import type { MessageInput } from '../../broker/validate.ts';
import { openAdminOn } from '../../engine/admin.ts';
import { InvalidMessage, type Issue } from '../../errors.ts';
import { rule } from '../../formats/rule.ts';
import { QUEUE_NAME } from '../../message/message.ts';
import { ANY_QUEUE, requireQueue } from '../auth.ts';
import { isObject, readIdempotencyKey } from '../body.ts';
import type { SluiceEnv } from '../context.ts';
import { namedQueue } from '../named-queue.ts';
import { outliving } from '../outliving.ts';
import { overShards, pageLimit } from '../page-query.ts';
import { unknown } from '../problem.ts';
import { route } from '../route.ts';
import type { Wire } from './wire.ts';

const MESSAGE_ID = /^[\w-]{1,64}$/;

export const params = { queue: QUEUE_NAME, id: MESSAGE_ID };

/** As list-messages.lua makes them. The longest lane has 1,219 characters. */
const CURSORS = {
  ready: overShards(/^([1-3]:\d{1,20} (-|\d:\S{1,1217}) \d{1,9})?$/),
  delayed: overShards(/^(\d{1,9}( \d{1,3}:\d{1,9}){0,64})?$/),
  leased: overShards(/^(\d{1,9} \d{1,9})?$/),
  dead: overShards(/^\d{0,9}$/),
};

const MessagesPage = z
  .strictObject({
    state: z._default(z.enum(['ready', 'delayed', 'leased', 'dead']), 'ready'),
    limit: pageLimit(100, 20),
    cursor: z._default(z.string(), ''),
  })
  .check(
    rule(({ state, cursor }) => CURSORS[state].test(cursor), 'must be one that a page of the same state answered', [
      'cursor',
    ]),
  );

export const enqueue = /* @__PURE__ */ route(
  'POST /v1/queues/:queue/messages',
  { scope: 'enqueue', body: true },
  async (c, { object }): Promise<Wire<'Receipt' | 'Duplicate'>> => {
    const name = c.req.param('queue');
    requireQueue(c.get('token'), name);
    const queue = c.get('engine').queues.get(name);
    if (!queue) throw unknown('unknown_queue', name);
    const { body, ...options } = await object();
    const [receipt] = (await accept(c, [{ queue, body, options, path: '' }])) as [Receipt];
    c.status(receipt.duplicate ? 200 : 202);
    return receipt;
  },
);

export const enqueueBatch = /* @__PURE__ */ route(
  'POST /v1/messages',
  { scope: 'enqueue', body: true },
  async (c, { object }): Promise<Wire<'Receipts'>> => {
    const { messages, ...rest } = await object();
    const inputs = readBatch(c, messages, Object.keys(rest));
    const receipts = await accept(c, inputs);
    c.status(202);
    return { messages: receipts };
  },
);

export const listMessages = /* @__PURE__ */ route(
  'GET /v1/queues/:queue/messages',
  { scope: 'admin', query: MessagesPage },
  async (c, { query }): Promise<Wire<'MessagePage'>> => {
    const { state, limit, cursor } = query();
    return openAdminOn(c.get('engine')).messages(await namedQueue(c), state, limit, cursor);
  },
);

export const getMessage = /* @__PURE__ */ route(
  'GET /v1/messages/:id',
  { scope: 'admin' },
  async (c): Promise<Wire<'MessageReport'>> => {
    const message = await openAdminOn(c.get('engine')).message(knownId(c));
    if (message.state === 'gone') throw unknown('unknown_message', message.id);
    requireQueue(c.get('token'), message.queue ?? ANY_QUEUE);
    const { url: destination, method } = c.get('engine').queues.get(message.queue ?? '')?.destination ?? {};
    return { destination, method, ...message };
  },
);

export const cancelMessage = /* @__PURE__ */ route(
  'DELETE /v1/messages/:id',
  { scope: 'admin' },
  async (c): Promise<Wire<'Cancelled'>> => {
    const admin = openAdminOn(c.get('engine'));
    const id = knownId(c);
    const message = await admin.message(id);
    if (message.state === 'gone') throw unknown('unknown_message', id);
    requireQueue(c.get('token'), message.queue ?? ANY_QUEUE);
    const was = await admin.cancel(id);
    if (was === 'gone') throw unknown('unknown_message', id);
    return { id, was };
  },
);

export const messages = [enqueue, enqueueBatch, listMessages, getMessage, cancelMessage];

async function accept(c: Context<SluiceEnv>, inputs: MessageInput[]): Promise<Receipt[]> {
  const { engine, token } = c.var;
  for (const queue of inputs.flatMap(({ options }) => queuesNamed(options))) requireQueue(token, queue);
  const storing = engine.enqueue(inputs, await readIdempotencyKey(c), {
    traceparent: c.req.header('traceparent'),
  });
  const { receipts, replayed } = await outliving(c, storing);
  if (replayed) c.header('Idempotent-Replayed', 'true');
  return receipts;
}

function readBatch(c: Context<SluiceEnv>, messages: unknown, otherFields: string[]): MessageInput[] {
  const issues: Issue[] = otherFields.map((field) => ({
    field,
    code: 'unknown_field',
    message: 'is not a field here',
  }));
  if (!Array.isArray(messages)) {
    const code = messages === undefined ? 'required' : 'invalid';
    issues.push({ field: 'messages', code, message: 'must be a list of messages' });
  }
  if (issues.length > 0) throw new InvalidMessage(issues);
  return (messages as unknown[]).map((message, index) => {
    const { queue: name, body, ...options } = isObject(message) ? message : {};
    const queue = typeof name === 'string' ? c.get('engine').queues.get(name) : undefined;
    if (queue) requireQueue(c.get('token'), queue.name);
    return { queue, body, options, path: `messages[${index}].` };
  });
}

function knownId(c: Context<SluiceEnv>): string {
  const id = c.req.param('id') ?? '';
  if (!MESSAGE_ID.test(id)) throw unknown('unknown_message', id);
  return id;
}
