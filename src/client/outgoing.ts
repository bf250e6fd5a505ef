/** Outgoing messages: what a caller hands over, in the form of the API. */
import { type BodyOf, type QueueRef, type QueueSet, queueName } from './queue-ref.ts';
import type { MessageOptions } from './wire-types.ts';

/** One message of a batch. */
export interface Outgoing<Ref extends QueueRef = QueueRef, Queues extends QueueSet = QueueSet> {
  queue: Ref;
  body: BodyOf<Ref, Queues>;
  options?: MessageOptions;
}

export function toWire({ queue, body, options }: Outgoing): object {
  return { ...options, queue: queueName(queue), body };
}
