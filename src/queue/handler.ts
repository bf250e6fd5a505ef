/** Handlers: the function of a push queue, and the context that it gets with each message. Types only. */
import type { Message } from '../message/message.ts';
import type { MessageOptions } from '../message/options.ts';
import type { QueueContract } from './contract.ts';
import type { Ring } from './ring.ts';

/** What a handler gets besides its message. */
export interface HandlerContext<Env = unknown> {
  /** The Worker's bindings. */
  env: Env;
  /** Aborted when the queue's timeout is over, the message was cancelled, the lease was lost, or the drain has to end. */
  signal: AbortSignal;
  /**
   * Enqueues with the ack of this message: in the same step, or not at all where the handler fails or its lease is lost.
   * @throws InvalidMessage; RangeError beyond 1,000 messages or 4 MiB
   */
  enqueue<Input>(
    // biome-ignore lint/suspicious/noExplicitAny: the producer does not care what the handler gets
    queue: QueueContract<Input, any>,
    body: NoInfer<Input>,
    options?: MessageOptions,
  ): Promise<{ id: string; queue: string }>;
  /**
   * A circular list of this deployment, where createSluice was given the function `rings`. Each call is a subrequest of this delivery,
   * done at once, whatever becomes of the message.
   * @throws Error where there are no rings; RangeError where none can have this name
   */
  ring(name: string): Ring;
  /** W3C trace context to pass on, where the message has one or traces are exported. */
  traceparent?: string | undefined;
}

export type Handler<Body, Env = unknown> = (
  message: Message<Body>,
  context: HandlerContext<Env>,
) => Promise<unknown> | unknown;
