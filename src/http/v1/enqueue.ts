/** The edge function that takes messages in: one, or a batch, and wakes a drain behind the answer. */
import type { Context } from 'hono';
import { queuesNamed, type Receipt } from '../../broker/producer.ts';
import type { Draft } from '../../broker/validate.ts';
import { InvalidMessage, type Issue } from '../../errors.ts';
import type { EdgeFunction, SluiceEnv } from '../app.ts';
import { allow, permit } from '../auth.ts';
import { isObject, limitBody, readObject, requestName } from '../body.ts';
import { outliving } from '../outliving.ts';
import { unknown } from '../problem.ts';

export const enqueue: EdgeFunction = (app) => {
  app.post('/v1/queues/:queue/messages', allow('enqueue'), limitBody, async (c) => {
    permit(c.var.token, c.req.param('queue'));
    const queue = c.var.engine.queues.get(c.req.param('queue'));
    if (!queue) throw unknown('unknown_queue', c.req.param('queue'));
    const { body, ...options } = await readObject(c);
    const [receipt] = await accept(c, [{ queue, body, options, at: '' }]);
    return c.json(receipt, receipt?.duplicate ? 200 : 202);
  });

  app.post('/v1/messages', allow('enqueue'), limitBody, async (c) => {
    const { messages, ...rest } = await readObject(c);
    const drafts = readBatch(c, messages, Object.keys(rest));
    return c.json({ messages: await accept(c, drafts) }, 202);
  });
};

async function accept(c: Context<SluiceEnv>, drafts: Draft[]): Promise<Receipt[]> {
  const { engine, token } = c.var;
  for (const queue of drafts.flatMap(({ options }) => queuesNamed(options))) permit(token, queue);
  const storing = engine.enqueue(drafts, await requestName(c), {
    traceparent: c.req.header('traceparent'),
  });
  const { receipts, repeated } = await outliving(c, storing);
  if (repeated) c.header('Idempotent-Replayed', 'true');
  return receipts;
}

function readBatch(c: Context<SluiceEnv>, messages: unknown, otherFields: string[]): Draft[] {
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
    const queue = typeof name === 'string' ? c.var.engine.queues.get(name) : undefined;
    if (queue) permit(c.var.token, queue.name);
    return { queue, body, options, at: `messages[${index}].` };
  });
}
