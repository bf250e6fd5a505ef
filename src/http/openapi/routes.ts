/** Every route of the API for its document: who may call it, what it takes, what it answers and refuses. A test compares with the app. */
import { ReceiveRequest, SettleRequest } from '../v1/receive-schema.ts';
import { answers } from './answers.ts';
import { INSPECT } from './inspect-routes.ts';
import { OPERATE } from './operate-routes.ts';
import { OF_STORAGE } from './problems.ts';
import { Batch, NewMessage } from './requests.ts';
import { RINGS } from './ring-routes.ts';
import { OF_BODIES, type Route } from './route.ts';
import { SCHEDULES } from './schedule-routes.ts';
import { SESSION } from './session-routes.ts';
import { STATS } from './stats-routes.ts';
import { TOPICS } from './topic-routes.ts';
import { WEBHOOKS } from './webhook-routes.ts';

const RECEIPT = { id: '0NvMLqXb8wTkZ3cRy5Ua', queue: 'confirmation.email', state: 'ready', duplicate: false };
const MAIL = { to: 'ada@example.com', token: '42' };
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

const ENQUEUE: Route[] = [
  {
    method: 'post',
    path: '/v1/queues/{queue}/messages',
    operationId: 'enqueue',
    tag: 'enqueue',
    scope: 'enqueue',
    summary: 'Enqueue a message',
    body: { schema: NewMessage, example: { body: MAIL, priority: 0, delay: '90s' } },
    repeatable: true,
    answers: [
      {
        status: 202,
        description: 'It is stored.',
        schema: answers.Receipt,
        headers: ['Idempotent-Replayed'],
        example: RECEIPT,
      },
      {
        status: 200,
        description: 'Its dedup key was taken: the id is that of the first message, and this one was not enqueued.',
        schema: answers.Duplicate,
        headers: ['Idempotent-Replayed'],
        example: { ...RECEIPT, state: 'duplicate', duplicate: true },
      },
    ],
    problems: [...OF_BODIES, 'invalid_idempotency_key', 'unknown_queue', 'idempotency_key_reused'],
  },
  {
    method: 'post',
    path: '/v1/messages',
    operationId: 'enqueueBatch',
    tag: 'enqueue',
    scope: 'enqueue',
    summary: 'Enqueue up to 1,000 messages, all or none',
    body: { schema: Batch, example: { messages: [{ queue: 'confirmation.email', body: MAIL }] } },
    repeatable: true,
    answers: [
      {
        status: 202,
        description: 'A receipt for each, in their order; all are stored but duplicates.',
        schema: answers.Receipts,
        headers: ['Idempotent-Replayed'],
        example: { messages: [RECEIPT] },
      },
    ],
    problems: [...OF_BODIES, 'invalid_idempotency_key', 'idempotency_key_reused'],
  },
];

const CONSUME: Route[] = [
  {
    method: 'post',
    path: '/v1/receive',
    operationId: 'receive',
    tag: 'consume',
    scope: 'receive',
    summary: 'Receive messages under a lease',
    description:
      'It never waits. Repeated under its Idempotency-Key it answers the same lease, and what was lost on its way. The key is refused for other queues as long as the lease lasts.',
    body: { schema: ReceiveRequest, example: { queues: ['reports'], max: 10, visibility: '30s' } },
    repeatable: true,
    answers: [
      {
        status: 200,
        description: 'The messages, or when to ask again.',
        schema: answers.Received,
        headers: ['Retry-After'],
        example: { lease: '0NvMLqXc2dFgH4jKm6Np~reports', ...RECEIVED },
      },
    ],
    problems: [...OF_BODIES, 'invalid_idempotency_key', 'idempotency_key_reused', 'unknown_queue', 'not_pulled'],
  },
  {
    method: 'post',
    path: '/v1/leases/{lease}/settle',
    operationId: 'settle',
    tag: 'consume',
    scope: 'receive',
    summary: 'Settle messages, extend the lease, receive more',
    description: 'One round trip for all three. Repeated, it settles nothing twice.',
    body: {
      schema: SettleRequest,
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
        schema: answers.Settled,
        example: { settled: [{ id: '0NvMLqXb8wTkZ3cRy5Ua', status: 'acked' }], ...RECEIVED },
      },
    ],
    problems: [...OF_BODIES, 'not_found', 'unknown_queue', 'not_pulled'],
  },
];

const SERVICE: Route[] = [
  {
    method: 'get',
    path: '/health',
    operationId: 'health',
    tag: 'service',
    summary: 'Whether storage answers, may be written, and keeps what it is given',
    description: 'Remembered for 10 s.',
    answers: [
      {
        status: 200,
        description: 'Storage answers.',
        schema: answers.Health,
        example: { status: 'ok', warnings: [] },
      },
    ],
    problems: OF_STORAGE,
  },
  {
    method: 'get',
    path: '/openapi.json',
    operationId: 'getDocument',
    file: true,
    tag: 'service',
    summary: 'This document',
    answers: [{ status: 200, description: 'OpenAPI 3.1.', schema: answers.Document }],
    problems: [],
  },
  {
    method: 'get',
    path: '/docs',
    operationId: 'getReference',
    file: true,
    tag: 'service',
    summary: 'This document as a page to read',
    answers: [{ status: 200, description: 'HTML, without scripts.' }],
    problems: [],
  },
];

export const ROUTES: Route[] = [
  ...ENQUEUE,
  ...CONSUME,
  ...WEBHOOKS,
  ...TOPICS,
  ...OPERATE,
  ...INSPECT,
  ...SCHEDULES,
  ...RINGS,
  ...STATS,
  ...SERVICE,
  ...SESSION,
];
