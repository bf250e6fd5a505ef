/** Outgoing messages: what a caller hands over, in the form of the API. */
import type { MessageOptions } from '../message/options.ts';
import { type BodyOf, nameOf, type QueueRef } from './queue-ref.ts';

/** One message of a batch. */
export interface Outgoing<Ref extends QueueRef = QueueRef> {
  queue: Ref;
  body: BodyOf<Ref>;
  options?: MessageOptions;
}

export function toWire({ queue, body, options }: Outgoing): object {
  return { ...options, queue: nameOf(queue), body };
}
