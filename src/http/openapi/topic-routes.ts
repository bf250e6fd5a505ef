/** The routes of topics, for the document. */
import { Publication, Subscription } from '../../topics/schema.ts';
import { answers } from './answers.ts';
import { OF_BODIES, type Route } from './route.ts';

const SUBSCRIPTION = {
  queue: 'webhook.out',
  destination: { url: 'https://partner.example.com/hooks' },
  events: ['invoice.*'],
};
const SUBSCRIBED = { id: 'partner', ...SUBSCRIPTION };
const PUBLICATION = { type: 'invoice.paid', body: { invoice: 7 } };
const RECEIPT = {
  id: '0NvMLqXb8wTkZ3cRy5Ua',
  queue: 'webhook.out',
  state: 'ready',
  duplicate: false,
  subscription: 'partner',
};

export const TOPICS: Route[] = [
  {
    method: 'post',
    path: '/v1/topics/{topic}/messages',
    operationId: 'publish',
    tag: 'topics',
    scope: 'enqueue',
    summary: 'Publish: a message for each subscription that matches, all or none',
    description:
      'The token has to be for the topic and for each queue concerned. Repeated under its Idempotency-Key it gives the first answer, whoever is subscribed by then.',
    body: { schema: Publication, example: PUBLICATION },
    repeatable: true,
    answers: [
      {
        status: 202,
        description: 'A receipt for each message; none where no subscription matches, or those that do are disabled.',
        schema: answers.Published,
        headers: ['Idempotent-Replayed'],
        example: { messages: [RECEIPT] },
      },
    ],
    problems: [...OF_BODIES, 'invalid_idempotency_key', 'unknown_topic', 'idempotency_key_reused'],
  },
  {
    method: 'get',
    path: '/v1/topics',
    operationId: 'listTopics',
    tag: 'topics',
    scope: 'operate',
    summary: 'The topics the token is for',
    answers: [{ status: 200, description: 'Topics that have subscriptions.', schema: answers.Topics }],
    problems: [],
  },
  {
    method: 'get',
    path: '/v1/topics/{topic}',
    operationId: 'getTopic',
    tag: 'topics',
    scope: 'operate',
    summary: 'A topic and its subscriptions',
    answers: [
      {
        status: 200,
        description:
          'The topic. Of headers only the names are shown. `disabled` tells since when, and for which answer of its receiver, a subscription gets nothing.',
        schema: answers.Topic,
        example: { topic: 'invoices', subscriptions: [SUBSCRIBED] },
      },
    ],
    problems: ['unknown_topic'],
  },
  {
    method: 'delete',
    path: '/v1/topics/{topic}',
    operationId: 'removeTopic',
    tag: 'topics',
    scope: 'operate',
    summary: 'Remove a topic with its subscriptions',
    description: 'What was published stays.',
    answers: [{ status: 200, description: 'How many subscriptions went.', schema: answers.Unsubscribed }],
    problems: ['unknown_topic'],
  },
  {
    method: 'put',
    path: '/v1/topics/{topic}/subscriptions/{subscription}',
    operationId: 'subscribe',
    tag: 'topics',
    scope: 'operate',
    summary: 'Add a subscription, or change it',
    description:
      'At most 100 in a topic. The token has to be for the topic and for the queue. One that was disabled is enabled.',
    body: { schema: Subscription, example: SUBSCRIPTION },
    answers: [{ status: 200, description: 'It holds.', schema: answers.Subscribed, example: SUBSCRIBED }],
    problems: [...OF_BODIES, 'unknown_topic', 'too_many'],
  },
  {
    method: 'post',
    path: '/v1/topics/{topic}/subscriptions/{subscription}/enable',
    operationId: 'enableSubscription',
    tag: 'topics',
    scope: 'operate',
    summary: 'Enable a subscription',
    description:
      'One whose receiver answered 410, or `webhook-delivery: disable`, is disabled: it gets nothing that is published. The token has to be for the topic and for the queue.',
    answers: [
      { status: 200, description: 'It gets what is published.', schema: answers.Subscribed, example: SUBSCRIBED },
    ],
    problems: ['unknown_topic', 'unknown_subscription'],
  },
  {
    method: 'delete',
    path: '/v1/topics/{topic}/subscriptions/{subscription}',
    operationId: 'unsubscribe',
    tag: 'topics',
    scope: 'operate',
    summary: 'Remove a subscription',
    description: 'What was published to it stays.',
    answers: [{ status: 200, description: 'Whether there was one.', schema: answers.Unsubscribed }],
    problems: ['unknown_topic'],
  },
];
