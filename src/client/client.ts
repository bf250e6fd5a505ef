/** createClient: enqueue, receive and consume over HTTP. */

import type { Receipt } from '../broker/producer.ts';
import type { MessageOptions } from '../message/options.ts';
import { type ConsumeHandler, type ConsumeOptions, consume } from './consume.ts';
import { type Lease, type ReceiveOptions, receive } from './lease.ts';
import { type Outgoing, toWire } from './outgoing.ts';
import { type BodyOf, nameOf, type QueueRef } from './queue-ref.ts';
import { createTransport, newKey, type TransportOptions } from './transport.ts';

/** `{ url, token, fetch?, timeoutMs?, repeat? }` */
export type ClientOptions = TransportOptions;

/** The caller's own name for a request, 1 to 255 visible ASCII characters; recognised for 24 hours. Default: a new one. */
interface Named {
  idempotencyKey?: string;
}

export interface Client {
  /**
   * One message. Whatever happens on the way, it is enqueued once: repeats go under the same key.
   * @returns when it is stored: `{ id, queue, state: "ready" | "delayed", duplicate }`
   * @throws SluiceError; with status 0 or 5xx it may be stored all the same, and a call with the same `idempotencyKey` tells
   */
  enqueue<Ref extends QueueRef>(queue: Ref, body: BodyOf<Ref>, options?: MessageOptions & Named): Promise<Receipt>;
  /**
   * 1 to 1,000 messages `{ queue, body, options? }`, of any queues, all or none.
   * @returns their receipts, in their order
   * @throws SluiceError whose `issues` name fields such as `messages[3].delay`
   */
  enqueueMany<Refs extends QueueRef[]>(
    messages: readonly [...{ [K in keyof Refs]: Outgoing<Refs[K]> }],
    options?: Named,
  ): Promise<Receipt[]>;
  /**
   * Takes up to `max` (10) messages of pull queues, in the order given, for `visibility` ("30s"). It does not wait for any.
   * @throws SluiceError
   */
  receive<Ref extends QueueRef>(
    queues: Ref | readonly Ref[],
    options?: ReceiveOptions & Named,
  ): Promise<Lease<BodyOf<Ref>>>;
  /**
   * Receives messages and hands them to `handler` until `signal` is aborted; then it gives back what was not started,
   * waits for handlers up to `graceMs`, and resolves. A handler that throws has its message tried again later; see
   * RetryAfterError and NonRetriableError. Outages are waited out.
   * @throws SluiceError where the server refuses for good, such as 401 or 404
   */
  consume<Ref extends QueueRef>(
    queues: Ref | readonly Ref[],
    handler: ConsumeHandler<BodyOf<Ref>>,
    options: ConsumeOptions,
  ): Promise<void>;
}

/** @throws TypeError where the token cannot be sent */
export function createClient(options: ClientOptions): Client {
  const transport = createTransport(options);
  return {
    enqueue(queue, body, { idempotencyKey = newKey(), ...options } = {}) {
      const path = `/v1/queues/${encodeURIComponent(nameOf(queue))}/messages`;
      return transport.post<Receipt>(path, { ...options, body }, idempotencyKey);
    },
    async enqueueMany(messages, { idempotencyKey = newKey() } = {}) {
      const request = { messages: (messages as readonly Outgoing[]).map(toWire) };
      return (await transport.post<{ messages: Receipt[] }>('/v1/messages', request, idempotencyKey)).messages;
    },
    receive: (queues, { idempotencyKey = newKey(), ...options } = {}) =>
      receive(transport, listOf(queues), options, idempotencyKey),
    consume(queues, handler, consumeOptions) {
      const single = createTransport({ ...options, repeat: { times: 0 } }); // its loop repeats, and can be woken
      return consume(single, listOf(queues), handler, consumeOptions);
    },
  };
}

function listOf(queues: QueueRef | readonly QueueRef[]): readonly QueueRef[] {
  return typeof queues === 'object' && 'length' in queues ? queues : [queues];
}
