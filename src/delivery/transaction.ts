/** Chain: the messages that a handler enqueues wait here for its ack, and are stored in the same step or not at all. */

import { MAX_BATCH, MAX_REQUEST_BYTES } from '../broker/producer.ts';
import type { MessageInput } from '../broker/validate.ts';
import { utf8 } from '../formats/bytes.ts';
import { logWarning } from '../log.ts';
import type { NewMessage } from '../message/envelope.ts';
import { joinJson } from '../message/json.ts';
import type { HandlerContext } from '../queue/handler.ts';

/** Checks a message and gives it its id. @throws InvalidMessage */
export type Prepare = (input: MessageInput) => Promise<NewMessage>;

export interface Chain {
  enqueue: HandlerContext['enqueue'];
  /** The handler has ended: from now on it can enqueue nothing. @returns what it did, wrong messages as rejections */
  close(): readonly Promise<NewMessage>[];
}

export function openChain(prepare: Prepare): Chain {
  const messages: Promise<NewMessage>[] = [];
  let bytes = 0;
  let closed = false;

  const add = async (input: MessageInput, place: number): Promise<NewMessage> => {
    if (place >= MAX_BATCH) throw new RangeError(`a handler may enqueue ${MAX_BATCH} messages`);
    const message = await prepare(input);
    bytes += utf8(joinJson([message])).length;
    if (bytes > MAX_REQUEST_BYTES) throw new RangeError(`a handler may enqueue ${MAX_REQUEST_BYTES} bytes`);
    return message;
  };

  return {
    enqueue(queue, body, options = {}) {
      if (closed) return tooLate(queue.name);
      const adding = add({ queue, body, options, path: '' }, messages.length);
      messages.push(adding);
      const receipt = adding.then(({ id }) => ({ id, queue: queue.name }));
      receipt.catch(() => {}); // whoever does not wait for it is told by the end of the delivery
      return receipt;
    },
    close() {
      closed = true;
      return messages;
    },
  };
}

/** The error goes to the caller and to the log, because often no code awaits the promise any more, and the process must go on. */
function tooLate(queue: string): Promise<never> {
  const receipt = Promise.reject(new Error('the handler has ended: what it enqueues now would not be stored'));
  receipt.catch(() => logWarning('enqueued too late', { queue }));
  return receipt;
}
