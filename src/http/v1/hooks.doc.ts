/** What the document says of webhooks. */
import { OF_STORAGE, type Operations } from '../openapi/operation.ts';

export const params = { source: 'A source of this deployment.' };

export const answers = {};

const TEXT = 'text/plain';

export const operations = {
  takeWebhook: {
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
  confirmWebhook: {
    tag: 'webhooks',
    summary: 'Answer a service that asks by GET or HEAD before it sends events',
    answers: [
      { status: 200, description: 'What the source answers to that: often a challenge of the request.', type: TEXT },
    ],
    problems: ['forbidden', 'unknown_source', 'method_not_allowed', 'rate_limited', 'source_closed'],
  },
  permitWebhook: {
    tag: 'webhooks',
    summary: 'Answer a service that asks by OPTIONS before it sends events',
    description: 'As CloudEvents has it: the answer says in a header which sender may send, and how much.',
    answers: [{ status: 200, description: 'What the source answers to that.', type: TEXT }],
    problems: ['forbidden', 'unknown_source', 'method_not_allowed', 'rate_limited', 'source_closed'],
  },
} satisfies Operations;
