/** What the document says of messages. */
import * as z from 'zod/mini';
import { QUEUE_NAME } from '../../message/message.ts';
import { carriedOptions, MessageOptions } from '../../message/options.ts';
import { describe } from '../openapi/describe.ts';
import { BODY, OPTIONS } from '../openapi/message-options.ts';
import { OF_BODIES, type Operations } from '../openapi/operation.ts';
import { count, instant, priority, texts } from '../openapi/primitives.ts';

export const params = {
  queue: 'A queue of this deployment.',
  id: "A message's id, as its receipt names it.",
};

/** As the producer counts them: a test sends one more to the deployed bundle. */
const MAX_BATCH = 1_000;

/** A message on its own: its options, and the body that the queue's own schema judges. */
const NewMessage = z.extend(MessageOptions, { body: z.unknown() });

const NewMessageOfBatch = z.extend(MessageOptions, {
  queue: z.string().check(z.regex(QUEUE_NAME)),
  body: z.unknown(),
});

const Batch = z.strictObject({
  messages: z.array(NewMessageOfBatch).check(z.minLength(1), z.maxLength(MAX_BATCH)),
});

describe(NewMessage, { ...OPTIONS, body: BODY });
describe(NewMessageOfBatch, { ...OPTIONS, queue: 'The queue it goes to.', body: BODY });

const Receipt = z.object({
  id: z.string(),
  queue: z.string(),
  state: z.enum(['ready', 'delayed', 'accepted']),
  duplicate: z.literal(false),
});
const Duplicate = z.object({
  id: z.string(),
  queue: z.string(),
  state: z.literal('duplicate'),
  duplicate: z.literal(true),
  replaced: z.optional(z.literal(true)),
});
const Receipts = z.object({ messages: z.array(z.union([Receipt, Duplicate])) });
const Raw = z.object({ type: z.string(), text: z.optional(z.string()), base64: z.optional(z.string()) });
const Failure = z.object({
  attempt: count,
  at: instant,
  kind: z.string(),
  text: z.string(),
  stack: z.optional(z.string()),
});
const MessageReport = z.object({
  id: z.string(),
  state: z.enum(['ready', 'delayed', 'leased', 'dead', 'done', 'cancelled', 'unseen']),
  queue: z.optional(z.string()),
  priority: z.optional(priority),
  ...carriedOptions,
  attempt: z.optional(count),
  maxAttempts: z.optional(count),
  destination: z.optional(z.string()),
  method: z.optional(z.string()),
  body: z.optional(z.unknown()),
  raw: z.optional(Raw),
  headers: z.optional(texts),
  enqueuedAt: z.optional(instant),
  at: z.optional(instant),
  result: z.optional(z.unknown()),
  unreadable: z.optional(z.literal(true)),
  failures: z.array(Failure),
});
const MessagePage = z.object({ messages: z.array(MessageReport), cursor: z.optional(z.string()) });
const Cancelled = z.object({ id: z.string(), was: z.enum(['ready', 'delayed', 'dead', 'leased', 'unseen']) });

describe(Receipt, {
  state:
    '`accepted`: it is stored, and on its way to its shard, which was not reached at once. Whether its dedup key is taken is found there.',
});
describe(Duplicate, {
  id: 'Of the first message with this key.',
  replaced: 'The first message still waits, and has this body now.',
});
describe(Raw, {
  type: 'Content-Type as it came.',
  text: 'The exact body, where it is UTF-8; a byte order mark stays.',
  base64: 'The exact body, where it is not.',
});
describe(Failure, { stack: 'Of what a handler threw: its first frames, a line each.' });
describe(MessageReport, {
  destination: 'The URL it is delivered to: its own, or that of its queue. In lists only its own.',
  method: 'How it is sent there. In lists only where it names one itself.',
  state: '`done`: acked, and kept for its resultTtl. `unseen`: ready or leased, in a lane too long to tell.',
  body: 'There where it can be read.',
  at: 'Due, end of its lease, dead since, or done at: epoch ms.',
  result: 'What its handler returned, or its consumer gave with the ack.',
  failures: 'Deliveries that did not end well.',
});
describe(MessagePage, {
  cursor: 'There is more: ask again with it. A page may be short and still not be the last.',
});
describe(Cancelled, {
  was: 'Where it was. `leased`: whoever holds it may finish, nobody gets it again. `unseen`: ready or leased, in a lane too long to tell.',
});

export const answers = { Receipt, Duplicate, Receipts, Raw, Failure, MessageReport, MessagePage, Cancelled };

const RECEIPT = { id: '0NvMLqXb8wTkZ3cRy5Ua', queue: 'confirmation.email', state: 'ready', duplicate: false };
const MAIL = { to: 'ada@example.com', token: '42' };

export const operations = {
  enqueue: {
    tag: 'enqueue',
    summary: 'Enqueue a message',
    body: { name: 'NewMessage', schema: NewMessage, example: { body: MAIL, priority: 0, delay: '90s' } },
    repeatable: true,
    answers: [
      {
        status: 202,
        description: 'It is stored.',
        schema: Receipt,
        headers: ['Idempotent-Replayed'],
        example: RECEIPT,
      },
      {
        status: 200,
        description: 'Its dedup key was taken: the id is that of the first message, and this one was not enqueued.',
        schema: Duplicate,
        headers: ['Idempotent-Replayed'],
        example: { ...RECEIPT, state: 'duplicate', duplicate: true },
      },
    ],
    problems: [...OF_BODIES, 'invalid_idempotency_key', 'unknown_queue', 'idempotency_key_reused'],
  },
  enqueueBatch: {
    tag: 'enqueue',
    summary: 'Enqueue up to 1,000 messages, all or none',
    body: {
      name: 'Batch',
      fields: { messages: 'All of them are stored, or none.' },
      parts: { messages: { name: 'NewMessageOfBatch' } },
      schema: Batch,
      example: { messages: [{ queue: 'confirmation.email', body: MAIL }] },
    },
    repeatable: true,
    answers: [
      {
        status: 202,
        description: 'A receipt for each, in their order; all are stored but duplicates.',
        schema: Receipts,
        headers: ['Idempotent-Replayed'],
        example: { messages: [RECEIPT] },
      },
    ],
    problems: [...OF_BODIES, 'invalid_idempotency_key', 'idempotency_key_reused'],
  },
  listMessages: {
    tag: 'admin',
    summary: 'Messages of a queue, page by page',
    query: { state: 'Which messages.', limit: 'The most messages of a page.', cursor: 'Where the last page ended.' },
    answers: [{ status: 200, description: 'A page.', schema: MessagePage }],
    problems: ['unknown_queue', 'invalid_message'],
  },
  getMessage: {
    tag: 'admin',
    summary: 'A message, where it is and what failed',
    answers: [{ status: 200, description: 'The message.', schema: MessageReport }],
    problems: ['unknown_message'],
  },
  cancelMessage: {
    tag: 'admin',
    summary: 'Cancel a message',
    answers: [{ status: 200, description: 'It is cancelled.', schema: Cancelled }],
    problems: ['unknown_message'],
  },
} satisfies Operations;
