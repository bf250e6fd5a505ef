/** The routes for operators, for the document. */
import { Audit, Destinations, Drain, Override, Page, Purge, Redrive } from '../v1/operate-schema.ts';
import { answers } from './answers.ts';
import { OF_BODIES, type Route, type Schema } from './route.ts';

/** An operator's call: all of them have this scope. */
export const operating = (
  route: Omit<Route, 'tag' | 'scope' | 'answers'> & { answer: Schema; says: string },
): Route => {
  const { answer: schema, says: description, ...rest } = route;
  return { ...rest, tag: 'operate', scope: 'operate', answers: [{ status: 200, description, schema }] };
};

const DRAIN: Route = {
  method: 'post',
  path: '/v1/drain',
  operationId: 'drain',
  tag: 'operate',
  scope: 'operate',
  summary: 'Do what a cron tick does',
  description:
    'It takes messages for up to `SLUICE_DRAIN_MS`, and answers when their handlers have ended: after 25 s at the latest. Messages of queues with a longer timeout are left to cron.',
  query: Drain,
  answers: [
    { status: 200, description: 'What was done.', schema: answers.TickReport },
    { status: 202, description: 'With `wait=false`: it goes on behind this answer.', schema: answers.Begun },
  ],
  problems: ['invalid_message'],
};

export const OPERATE: Route[] = [
  operating({
    method: 'get',
    path: '/v1/queues/{queue}',
    operationId: 'getQueue',
    summary: 'A queue and its counts',
    description: 'Also one that left the code, as long as storage has something of it; so do all calls of operators.',
    answer: answers.QueueReport,
    says: 'The queue.',
    problems: ['unknown_queue'],
  }),
  operating({
    method: 'get',
    path: '/v1/queues/{queue}/messages',
    operationId: 'listMessages',
    summary: 'Messages of a queue, page by page',
    query: Page,
    answer: answers.MessagePage,
    says: 'A page.',
    problems: ['unknown_queue', 'invalid_message'],
  }),
  operating({
    method: 'patch',
    path: '/v1/queues/{queue}',
    operationId: 'overrideQueue',
    summary: "Override a queue's policy",
    body: { schema: Override, example: { concurrency: 5, rate: { limit: 50, per: '1s' } } },
    answer: answers.Overridden,
    says: 'What holds now.',
    problems: [...OF_BODIES, 'unknown_queue'],
  }),
  operating({
    method: 'post',
    path: '/v1/queues/{queue}/pause',
    operationId: 'pauseQueue',
    summary: 'Give out no more messages of a queue',
    answer: answers.Overridden,
    says: 'It is paused.',
    problems: ['unknown_queue'],
  }),
  operating({
    method: 'post',
    path: '/v1/queues/{queue}/resume',
    operationId: 'resumeQueue',
    summary: 'Give out messages of a queue again',
    answer: answers.Overridden,
    says: 'It is not paused.',
    problems: ['unknown_queue'],
  }),
  operating({
    method: 'post',
    path: '/v1/queues/{queue}/purge',
    operationId: 'purgeQueue',
    summary: 'Remove what waits in a queue',
    description:
      'Leased messages stay with their consumers. `more`: it has used what one invocation may; call again with the `cursor`.',
    body: { schema: Purge, example: { states: ['ready', 'delayed'] } },
    answer: answers.Purged,
    says: 'How many went.',
    problems: [...OF_BODIES, 'unknown_queue'],
  }),
  operating({
    method: 'post',
    path: '/v1/queues/{queue}/dead/redrive',
    operationId: 'redriveDead',
    summary: 'Bring dead letters back: these, or so many of the oldest',
    body: { schema: Redrive, example: { ids: ['0NvMLqXb8wTkZ3cRy5Ua'] } },
    answer: answers.Redriven,
    says: 'What became of each.',
    problems: [...OF_BODIES, 'unknown_queue'],
  }),
  operating({
    method: 'delete',
    path: '/v1/queues/{queue}/dead',
    operationId: 'purgeDead',
    summary: 'Remove the dead letters of a queue',
    description: '`more`: it has used what one invocation may; call again.',
    answer: answers.Purged,
    says: 'How many went.',
    problems: ['unknown_queue'],
  }),
  operating({
    method: 'get',
    path: '/v1/messages/{id}',
    operationId: 'getMessage',
    summary: 'A message, where it is and what failed',
    answer: answers.MessageReport,
    says: 'The message.',
    problems: ['unknown_message'],
  }),
  operating({
    method: 'delete',
    path: '/v1/messages/{id}',
    operationId: 'cancelMessage',
    summary: 'Cancel a message',
    answer: answers.Cancelled,
    says: 'It is cancelled.',
    problems: ['unknown_message'],
  }),
  operating({
    method: 'get',
    path: '/v1/destinations',
    operationId: 'listDestinations',
    summary: 'Destinations that failed last, page by page',
    query: Destinations,
    answer: answers.DestinationReports,
    says: 'Their circuit breakers. A destination that is not here took its last delivery.',
    problems: ['invalid_message'],
  }),
  operating({
    method: 'get',
    path: '/v1/audit',
    operationId: 'audit',
    summary: 'Look for what breaks an invariant',
    description:
      'It looks for some seconds, and at as much as the subrequests of one invocation allow: go on while there is a cursor.',
    query: Audit,
    answer: answers.Findings,
    says: 'What was found.',
    problems: ['invalid_message'],
  }),
  DRAIN,
  { ...DRAIN, method: 'get', operationId: 'getDrain', summary: 'The same, for pingers that can only GET' },
  operating({
    method: 'post',
    path: '/v1/sweep',
    operationId: 'sweep',
    summary: 'Fire what is due, give back what expired leases hold',
    answer: answers.SweepReport,
    says: 'What was done.',
    problems: [],
  }),
];
