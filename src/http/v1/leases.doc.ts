/** What the document says of leases. */
import * as z from 'zod/mini';
import { YEAR_MS } from '../../formats/duration.ts';
import { carriedOptions } from '../../message/options.ts';
import { describe, duration } from '../openapi/describe.ts';
import { OF_BODIES, type Operations } from '../openapi/operation.ts';
import { count, instant, priority, texts } from '../openapi/primitives.ts';
import { answers as ofMessages } from './messages.doc.ts';

export const params = {
  lease: "A lease's name, as receive answered it. Whoever has it, and a token for its queues, may settle.",
};

const { Raw } = ofMessages;

const ReceivedMessage = z.object({
  id: z.string(),
  queue: z.string(),
  priority,
  ...carriedOptions,
  attempt: count,
  body: z.unknown(),
  raw: z.optional(Raw),
  headers: texts,
  enqueuedAt: instant,
});
const received = {
  expiresAt: instant,
  messages: z.array(ReceivedMessage),
  nextInMs: z.optional(count),
  more: z.optional(z.literal(true)),
};
const Received = z.object({ lease: z.string(), ...received });
const SettledMessage = z.object({
  id: z.string(),
  status: z.enum(['acked', 'retried', 'dead', 'released', 'stale', 'gone', 'unanswered']),
});
const Settled = z.object({
  settled: z.array(SettledMessage),
  lost: z.optional(z.literal(true)),
  expiresAt: z.optional(received.expiresAt),
  messages: z.optional(received.messages),
  nextInMs: received.nextInMs,
  more: received.more,
  cancelled: z.optional(z.array(z.string())),
});
const LeaseReport = z.object({
  lease: z.string(),
  shard: z.optional(z.string()),
  kind: z.enum(['drain', 'consumer']),
  expiresAt: instant,
  held: count,
  queues: z.record(z.string(), count),
});
const LeasePage = z.object({
  now: instant,
  leases: z.array(LeaseReport),
  cursor: z.optional(z.string()),
  awake: z.boolean(),
  sleepsUntil: z.optional(instant),
});

describe(ReceivedMessage, {
  raw: 'Of a webhook: its exact body, which `body` is the parsed form of.',
  attempt:
    '1 at the first delivery, and one more after each that failed or whose lease expired. A release gives the same again; a redrive, and what takes the place of a message that was tried, begin at 1.',
  enqueuedAt: "Epoch ms, by the server's clock.",
});
describe(Received, {
  lease: 'Settle under this name.',
  expiresAt: 'When the messages come back to others, epoch ms.',
  nextInMs: 'Nothing is ready: the next timer is due in so many ms.',
  more: 'There is more for this call than it brought, because no more fits in an answer or was asked for: it comes with the next.',
});
describe(SettledMessage, {
  status:
    'stale: it lives on elsewhere. gone: done before, cancelled, purged. unanswered: its shard does not answer, so settle it again.',
});
describe(Settled, {
  lost: 'The lease was swept and nothing was taken: begin a new one.',
  expiresAt:
    'With `extend` or `receive`: the end of the lease, epoch ms. Left out where a shard that may have a part of it has not answered: that part may end as before.',
  messages: 'With `receive`.',
});
describe(LeaseReport, {
  shard: 'Where it is. Left out where there is one.',
  kind: '`drain`: of the Worker. `consumer`: of a consumer elsewhere.',
  expiresAt: 'Then what it holds comes back to others, epoch ms.',
  held: 'Messages it holds.',
  queues: 'Of the 20 newest it holds: how many of which queue.',
});
describe(LeasePage, {
  now: "By the server's clock, epoch ms.",
  cursor: 'There is more: ask again with it. A page may be short and still not be the last.',
  awake: 'A drain is at work, or was just asked for.',
  sleepsUntil: 'The one idle drain sleeps until then, epoch ms.',
});

export const answers = { ReceivedMessage, Received, SettledMessage, Settled, LeaseReport, LeasePage };

const RECEIVED = {
  expiresAt: 1_795_000_030_000,
  messages: [
    {
      id: '0NvMLqXb8wTkZ3cRy5Ua',
      queue: 'reports',
      priority: 4,
      attempt: 1,
      body: { report: 7 },
      headers: {},
      enqueuedAt: 1_795_000_000_000,
    },
  ],
};
const HALF_A_DAY_MS = 12 * 3_600_000;
const TAKING = {
  queues: 'Pull queues, emptied in this order, each by priority.',
  max: 'The most messages to take.',
};

export const operations = {
  receive: {
    tag: 'consume',
    summary: 'Receive messages under a lease',
    description:
      'It never waits. Repeated under its Idempotency-Key it answers the same lease, and what was lost on its way. The key is refused for other queues as long as the lease lasts.',
    body: {
      name: 'ReceiveRequest',
      fields: {
        ...TAKING,
        visibility: {
          means: 'How long the messages stay away from others.',
          form: duration(1_000, HALF_A_DAY_MS, '30s'),
        },
      },
      example: { queues: ['reports'], max: 10, visibility: '30s' },
    },
    repeatable: true,
    answers: [
      {
        status: 200,
        description: 'The messages, or when to ask again.',
        schema: Received,
        headers: ['Retry-After'],
        example: { lease: '0NvMLqXc2dFgH4jKm6Np~reports', ...RECEIVED },
      },
    ],
    problems: [...OF_BODIES, 'invalid_idempotency_key', 'idempotency_key_reused', 'unknown_queue', 'not_a_pull_queue'],
  },
  settle: {
    tag: 'consume',
    summary: 'Settle messages, extend the lease, receive more',
    description: 'One round trip for all three. Repeated, it settles nothing twice.',
    body: {
      name: 'SettleRequest',
      fields: {
        settle: { means: 'What became of messages of this lease.', form: { default: [] } },
        extend: {
          means: 'The lease lasts this long from now. Left out, its expiry stays, or is 30 s where more is received.',
          form: duration(1_000, HALF_A_DAY_MS),
        },
        receive: 'More messages in the same round trip, under the same lease: of the queues that it was received from.',
      },
      parts: {
        settle: {
          name: 'Settlement',
          fields: {
            attempt: 'As it was received. With it the settlement is for this delivery only.',
            delay: {
              means:
                'Before it comes again. Default: a retry waits 2 s, doubling by attempt up to 10 minutes; a release does not wait.',
              form: duration(0, YEAR_MS),
            },
            result: 'Kept with an ack, where the message has a resultTtl; at most 64 KiB as JSON.',
            error: 'Why, for whoever looks at the message later.',
          },
        },
        receive: {
          name: 'ReceiveMore',
          fields: {
            ...TAKING,
            holding:
              'The messages of this lease that the caller still has besides those settled here, each as `<attempt>.<id>` (an id alone stands for whatever attempt), or how many they are: what the lease has above was lost on its way, and comes first. A number does where the queues are on one shard.',
          },
        },
      },
      example: {
        settle: [
          { id: '0NvMLqXb8wTkZ3cRy5Ua', attempt: 1, outcome: 'ack' },
          { id: '0NvMLqXb8wTkZ3cRy5Ub', attempt: 2, outcome: 'retry', delay: '5m', error: 'timeout' },
        ],
        receive: { queues: ['reports'], max: 10, holding: 0 },
      },
    },
    answers: [
      {
        status: 200,
        description: 'What became of each, and with `receive` more messages.',
        schema: Settled,
        example: { settled: [{ id: '0NvMLqXb8wTkZ3cRy5Ua', status: 'acked' }], ...RECEIVED },
      },
    ],
    problems: [...OF_BODIES, 'not_found', 'unknown_queue', 'not_a_pull_queue'],
  },
  listLeases: {
    tag: 'admin',
    summary: 'The leases that hold messages now, the next to expire first',
    query: { limit: 'The most leases of a page.', cursor: 'Where the last page ended.' },
    answers: [{ status: 200, description: 'A page.', schema: LeasePage }],
    problems: ['invalid_message'],
  },
} satisfies Operations;
