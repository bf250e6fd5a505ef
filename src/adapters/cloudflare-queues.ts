/** From Cloudflare Queues: an existing `queue()` handler becomes the handler of a queue here, and existing `send()` code enqueues here. */
import { RetryAfterError } from '../errors.ts';
import { logError, nameOfError } from '../log.ts';
import type { Message as OwnMessage } from '../message/message.ts';
import type { MessageOptions } from '../message/options.ts';
import { type Raw, rawBytes, toRaw } from '../message/raw.ts';
import type { Handler } from '../queue/handler.ts';
import type { QueueFor } from '../queue/queue.ts';
import type { BatchMessage, Producer } from '../sluice.ts';

/** The header of a message whose body is stored as Raw: JSON has no bytes. */
const BYTES = { 'content-type': 'application/octet-stream' };

/** Nothing here counts a backlog for whoever sends or handles, and a figure that is made up would be believed. */
const NO_METRICS = {
  get metrics(): MessageBatchMetrics {
    throw new Error('a message here does not know how long its queue is: GET /v1/queues/<queue> does');
  },
};

/**
 * Makes a handler of a queue() handler of Cloudflare Queues. It gets batches of one message. A message is acked unless the handler
 * throws, what it gave to waitUntil is rejected, or it asks for a retry; the first call for the message decides, whatever comes behind
 * it. A retry without a delay waits by the queue's backoff.
 * @example defineQueue('orders', { attempts: 4, handler: toHandler((batch, env, ctx) => worker.queue(batch, env, ctx)) })
 */
export function toHandler<Body, Env>(
  consume: (batch: MessageBatch<Body>, env: Env, context: ExecutionContext) => unknown,
): Handler<unknown, Env> {
  return async (message, { env }) => {
    const works: Promise<unknown>[] = [];
    let settled: { retry?: QueueRetryOptions } | undefined;
    const ack = () => {
      settled ??= {};
    };
    const retry = (options: QueueRetryOptions = {}) => {
      settled ??= { retry: options };
    };
    works.push((async () => consume(batchOf<Body>(message, { ack, retry }), env, contextOf(works)))());
    try {
      await allOf(works);
    } catch (error) {
      if (!settled) throw error;
      logError('queue handler failed after it settled its message', { error: nameOfError(error) });
    }
    if (settled?.retry) throw retryError(settled.retry);
  };
}

function retryError({ delaySeconds }: QueueRetryOptions): Error {
  const text = 'its handler asked for a retry';
  return delaySeconds === undefined ? new Error(text) : new RetryAfterError(delaySeconds * 1_000, text);
}

function batchOf<Body>(message: OwnMessage, { ack, retry }: Pick<Message, 'ack' | 'retry'>): MessageBatch<Body> {
  const { id, queue, attempt: attempts, enqueuedAt } = message;
  const one = { id, timestamp: new Date(enqueuedAt), body: readBody(message) as Body, attempts, ack, retry };
  return { queue, messages: [one], metadata: NO_METRICS, ackAll: ack, retryAll: retry };
}

function readBody({ body, headers }: OwnMessage): unknown {
  return headers['content-type'] === BYTES['content-type'] ? rawBytes(body as Raw).buffer : body;
}

/** Waits for all of them, also for those that come meanwhile. @throws what one of them was rejected with */
async function allOf(works: Promise<unknown>[]): Promise<void> {
  const ends: PromiseSettledResult<unknown>[] = [];
  while (works.length > 0) ends.push(...(await Promise.allSettled(works.splice(0))));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

function contextOf(works: Promise<unknown>[]): ExecutionContext {
  const context = {
    waitUntil: (work: Promise<unknown>) => void works.push(work),
    passThroughOnException() {},
    props: {},
  };
  return context as unknown as ExecutionContext;
}

/**
 * Makes what stands for a queue's binding in code that sends to Cloudflare Queues.
 * @param producer `sluice.producer(env, ctx)`
 * @returns a binding whose `send` and `sendBatch` resolve when the messages are stored; 1 to 1,000 in a batch, all or none.
 *   They throw InvalidMessage, StorageError; TypeError for the content type `v8`, which is no JSON. It has no figures of a backlog
 * @example const ORDERS = toBinding(sluice.producer(env, ctx), orders);
 *   await ORDERS.send({ id: 7 }, { delaySeconds: 60 });
 */
export function toBinding<Body = unknown>(producer: Producer, queue: QueueFor<unknown>): Queue<Body> {
  const answer = { metadata: NO_METRICS };
  return {
    metrics: async () => NO_METRICS.metrics,
    async send(body, { contentType, delaySeconds } = {}) {
      const message = toMessage(queue, { body, contentType, delaySeconds });
      await producer.enqueue(message.queue, message.body, message.options);
      return answer;
    },
    async sendBatch(messages, { delaySeconds } = {}) {
      await producer.enqueueMany(Array.from(messages, (message) => toMessage(queue, message, delaySeconds)));
      return answer;
    },
  };
}

/** What is sent, with what was left out as undefined. */
interface Sent {
  body: unknown;
  contentType?: QueueContentType | undefined;
  delaySeconds?: number | undefined;
}

/** @param ofBatch the delay, in seconds, of those that have none of their own @throws TypeError where the body cannot be stored */
function toMessage(queue: QueueFor<unknown>, sent: Sent, ofBatch?: number): BatchMessage {
  const { body, contentType = 'json', delaySeconds = ofBatch } = sent;
  const options: MessageOptions = delaySeconds === undefined ? {} : { delay: delaySeconds * 1_000 };
  if (contentType === 'bytes') {
    return { queue, body: toRaw(toBytes(body), BYTES['content-type']), options: { ...options, headers: BYTES } };
  }
  if (contentType === 'json' || (contentType === 'text' && typeof body === 'string')) return { queue, body, options };
  throw new TypeError(`a body cannot be stored as ${contentType}: send what JSON can hold, a text, or bytes`);
}

function toBytes(body: unknown): Uint8Array {
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  throw new TypeError('a body of bytes must be an ArrayBuffer, or a view of one');
}
