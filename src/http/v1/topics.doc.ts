/** What the document says of topics. */
import * as z from 'zod/mini';
import { DestinationFields } from '../../message/destination.ts';
import { OPTIONS } from '../openapi/message-options.ts';
import { OF_BODIES, type Operations } from '../openapi/operation.ts';
import { count, instant } from '../openapi/primitives.ts';
import { answers as ofMessages } from './messages.doc.ts';

export const params = {
  topic: 'A topic: a name like that of a queue. A token for some queues is for the topics that its patterns fit.',
  subscription: 'A name of your choice, within the topic.',
};

const { Receipt, Duplicate } = ofMessages;

const PublishedMessage = z.extend(Receipt, { subscription: z.string() });
const PublishedDuplicate = z.extend(Duplicate, { subscription: z.string() });
const Published = z.object({ messages: z.array(z.union([PublishedMessage, PublishedDuplicate])) });
const Topics = z.object({ topics: z.array(z.object({ topic: z.string(), subscriptions: count })) });
const Subscribed = z.object({
  id: z.string(),
  queue: z.string(),
  destination: z.optional(DestinationFields),
  events: z.array(z.string()),
  disabled: z.optional(z.object({ at: instant, reason: z.string() })),
});
const Topic = z.object({ topic: z.string(), subscriptions: z.array(Subscribed) });
const Unsubscribed = z.object({ removed: count });

export const answers = { PublishedMessage, PublishedDuplicate, Published, Topics, Subscribed, Topic, Unsubscribed };

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

const { destination: _, ...OF_PUBLICATIONS } = OPTIONS;

export const operations = {
  publish: {
    tag: 'topics',
    summary: 'Publish: a message for each subscription that matches, all or none',
    description:
      'The token has to be for the topic and for each queue concerned. Repeated under its Idempotency-Key it gives the first answer, whoever is subscribed by then.',
    body: {
      name: 'Publication',
      fields: {
        ...OF_PUBLICATIONS,
        type: 'Subscriptions choose by it; consumers find it in the header `sluice-event`.',
        body: 'Any JSON; checked by the schema of each queue.',
        dedup: 'The same key within the window is the same message, for each subscription.',
      },
      example: PUBLICATION,
    },
    repeatable: true,
    answers: [
      {
        status: 202,
        description: 'A receipt for each message; none where no subscription matches, or those that do are disabled.',
        schema: Published,
        headers: ['Idempotent-Replayed'],
        example: { messages: [RECEIPT] },
      },
    ],
    problems: [...OF_BODIES, 'invalid_idempotency_key', 'unknown_topic', 'idempotency_key_reused'],
  },
  listTopics: {
    tag: 'topics',
    summary: 'The topics the token is for',
    answers: [{ status: 200, description: 'Topics that have subscriptions.', schema: Topics }],
    problems: [],
  },
  getTopic: {
    tag: 'topics',
    summary: 'A topic and its subscriptions',
    answers: [
      {
        status: 200,
        description:
          'The topic. Of headers only the names are shown. `disabled` tells since when, and for which answer of its receiver, a subscription gets nothing.',
        schema: Topic,
        example: { topic: 'invoices', subscriptions: [SUBSCRIBED] },
      },
    ],
    problems: ['unknown_topic'],
  },
  removeTopic: {
    tag: 'topics',
    summary: 'Remove a topic with its subscriptions',
    description: 'What was published stays.',
    answers: [{ status: 200, description: 'How many subscriptions went.', schema: Unsubscribed }],
    problems: ['unknown_topic'],
  },
  subscribe: {
    tag: 'topics',
    summary: 'Add a subscription, or change it',
    description:
      'At most 100 in a topic. The token has to be for the topic and for the queue. One that was disabled is enabled.',
    body: {
      name: 'Subscription',
      fields: {
        queue: 'Its messages go here.',
        destination: 'For queues whose messages name theirs.',
        events: 'Types, or beginnings of types with `*` behind them: `invoice.paid`, `invoice.*`. Default: all.',
      },
      example: SUBSCRIPTION,
    },
    answers: [{ status: 200, description: 'It holds.', schema: Subscribed, example: SUBSCRIBED }],
    problems: [...OF_BODIES, 'unknown_topic', 'too_many'],
  },
  enableSubscription: {
    tag: 'topics',
    summary: 'Enable a subscription',
    description:
      'One whose receiver answered 410, or `webhook-delivery: disable`, is disabled: it gets nothing that is published. The token has to be for the topic and for the queue.',
    answers: [{ status: 200, description: 'It gets what is published.', schema: Subscribed, example: SUBSCRIBED }],
    problems: ['unknown_topic', 'unknown_subscription'],
  },
  unsubscribe: {
    tag: 'topics',
    summary: 'Remove a subscription',
    description: 'What was published to it stays.',
    answers: [{ status: 200, description: 'Whether there was one.', schema: Unsubscribed }],
    problems: ['unknown_topic'],
  },
} satisfies Operations;
