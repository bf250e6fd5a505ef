/** createClient: enqueue, receive and consume over HTTP. */

import { type ConsumeHandler, type ConsumeOptions, consume } from './consume.ts';
import { type Lease, type ReceiveOptions, receive } from './lease.ts';
import { type Outgoing, toWire } from './outgoing.ts';
import { path } from './path.ts';
import { type BodyOf, type QueueRef, queueName } from './queue-ref.ts';
import { createKey, createTransport, type Transport, type TransportOptions } from './transport.ts';
import type { MessageOptions, Receipt } from './wire-types.ts';

/** `{ url, token, fetch?, timeoutMs?, repeat? }` */
export type ClientOptions = TransportOptions & { token: string };

/** The caller's own name for a request, 1 to 255 visible ASCII characters; recognised for 24 hours. Default: a new one. */
interface RequestName {
  idempotencyKey?: string;
}

export interface Client {
  /**
   * Enqueues one message. Whatever happens on the way, it is enqueued once, because repeats have the same key.
   * @returns when it is stored: `{ id, queue, state: "ready" | "delayed", duplicate }`
   * @throws SluiceError; with status 0 or 5xx it may be stored all the same, and a call with the same `idempotencyKey` tells
   */
  enqueue<Ref extends QueueRef>(
    queue: Ref,
    body: BodyOf<Ref>,
    options?: MessageOptions & RequestName,
  ): Promise<Receipt>;
  /**
   * Enqueues 1 to 1,000 messages `{ queue, body, options? }`, of any queues, all or none.
   * @returns their receipts, in their order
   * @throws SluiceError whose `issues` name fields such as `messages[3].delay`
   */
  enqueueMany<Refs extends QueueRef[]>(
    messages: readonly [...{ [K in keyof Refs]: Outgoing<Refs[K]> }],
    options?: RequestName,
  ): Promise<Receipt[]>;
  /**
   * Takes up to `max` (10) messages of pull queues, in the order given, for `visibility` ("30s"). It does not wait for any.
   * @throws SluiceError
   */
  receive<Ref extends QueueRef>(
    queues: Ref | readonly Ref[],
    options?: ReceiveOptions & RequestName,
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

/**
 * Makes a client of a deployment. It needs nothing but fetch, and sends no request by itself.
 * @throws TypeError where the token cannot be sent
 * @example
 * const sluice = createClient({ url: 'https://sluice.example.workers.dev', token });
 * await sluice.enqueue('mail', { to: 'ada@example.com' });
 */
export function createClient(options: ClientOptions): Client {
  const single = createTransport({ ...options, repeat: { times: 0 } }); // the loop of a consumer repeats, and can be woken
  return {
    ...openClient(createTransport(options)),
    consume: async (queues, handler, how) => consume(single, toList(queues), handler, how),
  };
}

/** The calls of a client whose requests the transport repeats; a consumer repeats by itself. */
export function openClient(send: Transport): Omit<Client, 'consume'> {
  return {
    async enqueue(queue, body, { idempotencyKey = createKey(), ...options } = {}) {
      const request = { body: { ...options, body }, idempotencyKey };
      return send<Receipt>('POST', path`/v1/queues/${queueName(queue)}/messages`, request);
    },
    async enqueueMany(messages, { idempotencyKey = createKey() } = {}) {
      const body = { messages: (messages as readonly Outgoing[]).map(toWire) };
      return (await send<{ messages: Receipt[] }>('POST', '/v1/messages', { body, idempotencyKey })).messages;
    },
    receive: (queues, { idempotencyKey = createKey(), ...options } = {}) =>
      receive(send, toList(queues), options, idempotencyKey),
  };
}

function toList(queues: QueueRef | readonly QueueRef[]): readonly QueueRef[] {
  return typeof queues === 'object' && 'length' in queues ? queues : [queues];
}
