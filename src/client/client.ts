/** createClient: enqueue, receive and consume over HTTP. */

import { type ConsumeHandler, type ConsumeOptions, consume } from './consume.ts';
import { type Lease, type ReceiveOptions, receive } from './lease.ts';
import { type Outgoing, toWire } from './outgoing.ts';
import { path } from './path.ts';
import { type BodyOf, type PullRef, type QueueRef, type QueueSet, queueName } from './queue-ref.ts';
import { createKey, createTransport, missing, type Transport, type TransportOptions } from './transport.ts';
import type { MessageOptions, Receipt } from './wire-types.ts';

/** `{ url, token, fetch?, timeoutMs?, repeat? }` */
export type ClientOptions = TransportOptions & { token: string };

/** The caller's own name for a request, 1 to 255 visible ASCII characters; recognised for 24 hours. Default: a new one. */
interface RequestName {
  idempotencyKey?: string;
}

/** Where it knows the deployment's queues, a name has to be one of theirs and has the body typed; else any name goes, with any body. */
export interface Client<Queues extends QueueSet = QueueSet> {
  /**
   * Enqueues one message. Whatever happens on the way, it is enqueued once, because repeats have the same key.
   * @returns when it is stored: `{ id, queue, state: "ready" | "delayed" | "accepted", duplicate: false }`; where its dedup key was taken
   *   `{ id, queue, state: "duplicate", duplicate: true, replaced? }`, with the id of the first message
   * @throws SluiceError: code `invalid_message` with its `issues`, such as `body.to`; `unknown_queue`; with status 0 or 5xx it may be
   *   stored all the same, and a call with the same `idempotencyKey` tells. BadName where the name is none
   * @example await client.enqueue('mail', { to: 'ada@example.com' }, { delay: '10m', idempotencyKey: `welcome-${user}` })
   */
  enqueue<Ref extends QueueRef<Queues>>(
    queue: Ref,
    body: BodyOf<Ref, Queues>,
    options?: MessageOptions & RequestName,
  ): Promise<Receipt>;
  /**
   * Enqueues 1 to 1,000 messages `{ queue, body, options? }`, of any queues, all or none.
   * @returns their receipts, in their order, as of `enqueue`
   * @throws SluiceError whose `issues` name fields such as `messages[3].delay`
   * @example await client.enqueueMany(users.map(({ to }) => ({ queue: 'mail', body: { to }, options: { group: to } })))
   */
  enqueueMany<Refs extends QueueRef<Queues>[]>(
    messages: readonly [...{ [K in keyof Refs]: Outgoing<Refs[K], Queues> }],
    options?: RequestName,
  ): Promise<Receipt[]>;
  /**
   * Takes up to `max` (10) messages of pull queues, in the order given, for `visibility` ("30s"). It does not wait for any.
   * @returns a lease: `messages` are held until they are settled by its calls, or `visibility` is over
   * @throws SluiceError: code `not_a_pull_queue` where a deployment handles its messages
   * @example
   * const lease = await client.receive('reports', { max: 5 });
   * for (const message of lease.messages) await lease.ack(message);
   */
  receive<Ref extends PullRef<Queues>>(
    queues: Ref | readonly Ref[],
    options?: ReceiveOptions & RequestName,
  ): Promise<Lease<BodyOf<Ref, Queues>>>;
  /**
   * Receives messages and hands them to `handler` until `signal` is aborted; then it gives back what was not started,
   * waits for handlers up to `graceMs`, and resolves. A handler that throws has its message tried again later; see
   * RetryAfterError and NonRetriableError. Outages are waited out.
   * @throws SluiceError where the server refuses for good, such as 401 or 404
   * @example await client.consume('reports', async ({ body }, { signal }) => render(body, signal), { signal: stopping.signal })
   */
  consume<Ref extends PullRef<Queues>>(
    queues: Ref | readonly Ref[],
    handler: ConsumeHandler<BodyOf<Ref, Queues>>,
    options: ConsumeOptions,
  ): Promise<void>;
}

/**
 * Makes a client of a deployment. It needs nothing but fetch, and sends no request by itself. Given the type of the deployment's
 * queues, the compiler knows their names and bodies, and nothing of them is there at run time.
 * @throws TypeError where url or token is undefined, or the token cannot be sent
 * @example
 * import type { queues } from '../worker/queues.ts';
 * const client = createClient<typeof queues>({ url: 'https://sluice.example.workers.dev', token });
 * await client.enqueue('mail', { to: 'ada@example.com' });
 */
export function createClient<Queues extends QueueSet = QueueSet>(options: ClientOptions): Client<Queues> {
  if (options.token === undefined) throw missing('token');
  const single = createTransport({ ...options, repeat: { times: 0 } }); // the loop of a consumer repeats, and can be woken
  return {
    ...openClient<Queues>(createTransport(options)),
    consume: async (queues, handler, how) => consume(single, toList(queues), handler, how),
  };
}

/** The calls of a client whose requests the transport repeats; a consumer repeats by itself. */
export function openClient<Queues extends QueueSet = QueueSet>(send: Transport): Omit<Client<Queues>, 'consume'> {
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
