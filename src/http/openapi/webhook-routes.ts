/** The routes of webhooks, for the document. */
import { answers } from './answers.ts';
import { OF_STORAGE } from './problems.ts';
import type { Route } from './route.ts';

const TEXT = 'text/plain';

export const WEBHOOKS: Route[] = [
  {
    method: 'post',
    path: '/hooks/{source}',
    operationId: 'takeWebhook',
    tag: 'webhooks',
    summary: 'Take an event of another service',
    description:
      'The body is whatever the service sends, and is kept byte by byte. A source may answer in the form that its service expects.',
    answers: [
      {
        status: 200,
        description:
          'It is stored; or it was before, and the answer is the same but for `Idempotent-Replayed`; or nobody wants it; or a question of the service is answered.',
        type: TEXT,
        headers: ['Sluice-Messages', 'Idempotent-Replayed'],
      },
    ],
    problems: [
      'incomplete_body',
      'invalid_signature',
      'forbidden',
      'unknown_source',
      'too_large',
      'unsupported_encoding',
      'invalid_message',
      'rate_limited',
      'source_closed',
      'invalid_route',
      ...OF_STORAGE,
    ],
  },
  {
    method: 'get',
    path: '/hooks/{source}',
    operationId: 'confirmWebhook',
    tag: 'webhooks',
    summary: 'Answer a service that asks by GET or HEAD before it sends events',
    answers: [
      { status: 200, description: 'What the source answers to that: often a challenge of the request.', type: TEXT },
    ],
    problems: ['forbidden', 'unknown_source', 'method_not_allowed', 'rate_limited', 'source_closed'],
  },
  {
    method: 'options',
    path: '/hooks/{source}',
    operationId: 'permitWebhook',
    tag: 'webhooks',
    summary: 'Answer a service that asks by OPTIONS before it sends events',
    description: 'As CloudEvents has it: the answer says in a header which sender may send, and how much.',
    answers: [{ status: 200, description: 'What the source answers to that.', type: TEXT }],
    problems: ['forbidden', 'unknown_source', 'method_not_allowed', 'rate_limited', 'source_closed'],
  },
  {
    method: 'get',
    path: '/v1/sources',
    operationId: 'listSources',
    tag: 'operate',
    scope: 'operate',
    summary: 'Who sends webhooks, and what became of them',
    answers: [{ status: 200, description: 'Each source with its counts.', schema: answers.SourceReports }],
    problems: [],
  },
];
