/** What the document says of queues. */
import * as z from 'zod/mini';
import { describe, duration } from '../openapi/describe.ts';
import { OF_BODIES, type Operations } from '../openapi/operation.ts';
import { count, instant, priority } from '../openapi/primitives.ts';
import { answers as ofStats } from './stats.doc.ts';

export const params = { queue: 'A queue of this deployment.' };

const { StatsCounters } = ofStats;

const limitsInForce = {
  concurrency: z.optional(count),
  rate: z.optional(z.object({ limit: count, perMs: count })),
};
const LimitsInForce = z.object({ ...limitsInForce, group: z.optional(z.object(limitsInForce)) });
const QueueReport = z.object({
  queue: z.string(),
  kind: z.enum(['push', 'pull', 'unknown']),
  priority: z.optional(priority),
  attempts: z.optional(count),
  timeoutMs: z.optional(count),
  ordered: z.optional(z.boolean()),
  partition: z.optional(z.enum(['group', 'any'])),
  limits: LimitsInForce,
  overrides: LimitsInForce,
  missingSecrets: z.optional(z.array(z.string())),
  ready: z.record(z.string().check(z.regex(/^[0-9]$/)), count),
  delayed: count,
  leased: count,
  dead: count,
  oldestReadyAt: z.optional(instant),
  paused: z.boolean(),
  complete: z.boolean(),
  oldestComplete: z.boolean(),
  recent: z.optional(StatsCounters),
});
const QueueReports = z.object({ queues: z.array(QueueReport), cursor: z.optional(z.string()) });
const Overridden = z.object({
  queue: z.string(),
  paused: z.optional(z.boolean()),
  concurrency: z.optional(z.nullable(count)),
  rate: z.optional(z.nullable(z.object({ limit: count, per: count }))),
});
const Purged = z.object({ purged: count, more: z.boolean(), cursor: z.optional(z.string()) });

describe(QueueReport, {
  kind: '`unknown`: only storage has it, as it left the code. Nothing else of its definition is known then.',
  partition: 'How it is spread where there are several shards: by group, or anywhere. Left out where it is not.',
  ready: 'Messages by priority.',
  oldestReadyAt: 'Epoch ms.',
  complete:
    'false: there is more than was counted. Beyond 4,000 lanes, a million timers, or 200,000 leases and messages in them it stops looking.',
  oldestComplete: 'false: a ready message may be older. Beyond 10 lanes it does not look.',
  recent: 'Over the last ten minutes that are over, where `recent=true` asks for it.',
});
describe(Purged, {
  more: 'It works for 5 s: ask again while there is more.',
  cursor: 'Ask again with it: what it has looked through it does not look through again.',
});

export const answers = { QueueReport, QueueReports, Overridden, Purged };

export const operations = {
  listQueues: {
    tag: 'admin',
    summary: 'The queues the token is for, page by page',
    query: {
      limit: 'The most queues of a page.',
      cursor: 'Where the last page ended.',
      search: 'Only queues with this in their names.',
      recent: 'Each with what became of its messages in the last ten minutes.',
    },
    answers: [{ status: 200, description: 'Each queue with its counts.', schema: QueueReports }],
    problems: ['invalid_message'],
  },
  getQueue: {
    tag: 'admin',
    summary: 'A queue and its counts',
    description: 'Also one that left the code, as long as storage has something of it; so do all calls of operators.',
    answers: [{ status: 200, description: 'The queue.', schema: QueueReport }],
    problems: ['unknown_queue'],
  },
  overrideQueue: {
    tag: 'admin',
    summary: "Override a queue's policy",
    body: {
      fields: {
        paused: 'No message is given out while it is.',
        concurrency: 'Messages in flight at once, over all Workers and consumers. null: as the queue is defined.',
        rate: 'Messages taken in each period. Periods begin at whole multiples of it. null: as the queue is defined.',
      },
      parts: { rate: { fields: { per: { form: duration(100, 86_400_000) } } } },
      example: { concurrency: 5, rate: { limit: 50, per: '1s' } },
    },
    answers: [{ status: 200, description: 'What holds now.', schema: Overridden }],
    problems: [...OF_BODIES, 'unknown_queue'],
  },
  pauseQueue: {
    tag: 'admin',
    summary: 'Give out no more messages of a queue',
    answers: [{ status: 200, description: 'It is paused.', schema: Overridden }],
    problems: ['unknown_queue'],
  },
  resumeQueue: {
    tag: 'admin',
    summary: 'Give out messages of a queue again',
    answers: [{ status: 200, description: 'It is not paused.', schema: Overridden }],
    problems: ['unknown_queue'],
  },
  purgeQueue: {
    tag: 'admin',
    summary: 'Remove what waits in a queue',
    description:
      'Leased messages stay with their consumers. `more`: it has used what one invocation may; call again with the `cursor`.',
    body: {
      name: 'Purge',
      fields: { states: 'What goes.', cursor: 'Where the last call ended.' },
      example: { states: ['ready', 'delayed'] },
    },
    answers: [{ status: 200, description: 'How many went.', schema: Purged }],
    problems: [...OF_BODIES, 'unknown_queue'],
  },
} satisfies Operations;
