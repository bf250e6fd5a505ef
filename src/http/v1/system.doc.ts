/** What the document says of what concerns the whole deployment. */
import * as z from 'zod/mini';
import { describe } from '../openapi/describe.ts';
import { OF_STORAGE, type Operation, type Operations } from '../openapi/operation.ts';
import { count } from '../openapi/primitives.ts';

const Finding = z.object({
  finding: z.string(),
  name: z.string(),
  shard: z.optional(z.string()),
  messages: z.optional(count),
});
const Findings = z.object({
  findings: z.array(Finding),
  cursor: z.optional(z.string()),
  incomplete: z.optional(z.array(z.enum(['counts', 'envelopes']))),
});
const SweepReport = z.object({ fired: count, requeued: count, dead: count, repaired: count });
const DrainReport = z.object({
  delivered: count,
  acked: count,
  retried: count,
  dead: count,
  released: count,
  stale: count,
  gone: count,
  leasesLost: count,
  requests: count,
  ms: count,
  ended: z.enum(['idle', 'budget', 'storage', 'subrequests']),
});
const Begun = z.object({});
const TickReport = z.object({ sweep: SweepReport, drain: z.optional(DrainReport) });
const ShardHealth = z.object({
  shard: z.string(),
  status: z.enum(['ok', 'unsafe', 'down']),
  state: z.optional(z.enum(['joining', 'active', 'draining', 'gone'])),
});
const Health = z.object({
  status: z.enum(['ok', 'unsafe', 'degraded']),
  warnings: z.array(z.string()),
  shards: z.optional(z.array(ShardHealth)),
});

describe(Finding, {
  name: 'Of the key, the lane, the message, the queue or the shard.',
  shard: 'Where that is. Left out where there is one.',
  messages: 'Of a queue that only storage knows: what it holds.',
});
describe(Findings, {
  cursor: 'There is more to look at: ask again with it.',
  incomplete:
    'What could not be judged because too much is at work: the counts of slots, or messages that are in no list.',
});
describe(SweepReport, {
  fired: 'Timers fired.',
  requeued: 'Messages that expired leases gave back.',
  repaired: 'What broke an invariant and was mended, or at least reported.',
});
describe(TickReport, { drain: 'Left out where nothing was ready.' });
describe(Health, {
  status:
    'unsafe: eviction is on, or memory or the commands of the month run out. degraded: a shard does not answer, and what it owns stands still.',
  warnings: 'What to change, a sentence each.',
  shards: 'Of each. Left out where there is one.',
});
describe(ShardHealth, {
  status: 'down: it does not answer.',
  state: 'joining, draining: nothing new is placed there. Left out where no shard tells.',
});

export const answers = { Finding, Findings, SweepReport, DrainReport, Begun, TickReport, ShardHealth, Health };

const DRAIN = {
  tag: 'admin',
  description:
    'It takes messages for up to `SLUICE_DRAIN_MS`, and answers when their handlers have ended: after 25 s at the latest. Messages of queues with a longer timeout are left to cron. A token with the scope `admin` may do it, too.',
  answers: [
    { status: 200, description: 'What was done.', schema: TickReport },
    { status: 202, description: 'With `wait=false`: it goes on behind this answer.', schema: Begun },
  ],
  problems: ['invalid_message'],
} satisfies Omit<Operation, 'summary'>;

export const operations = {
  audit: {
    tag: 'admin',
    summary: 'Look for what breaks an invariant',
    description:
      'It looks for some seconds, and at as much as the subrequests of one invocation allow: go on while there is a cursor.',
    query: {
      repair: 'Mend what is found.',
      deep: 'Look for the entry of each message too: about 10 commands each.',
      cursor: 'Where the last call ended.',
    },
    answers: [{ status: 200, description: 'What was found.', schema: Findings }],
    problems: ['invalid_message'],
  },
  postDrain: { ...DRAIN, operationId: 'drain', summary: 'Do what a cron tick does' },
  getDrain: { ...DRAIN, summary: 'The same, for crons and pingers that can only GET' },
  furtherDrain: {
    tag: 'service',
    summary: 'Begin a further drain: for drains of the deployment itself',
    description:
      'With a bearer token that the deployment derives from that of its database, by `SLUICE_URL`; no token of yours does.',
    query: { place: 'Which of `SLUICE_DRAINERS` it is, from 0.' },
    answers: [{ status: 202, description: 'It goes on behind this answer.', schema: Begun }],
    problems: ['unauthorized', 'rate_limited', 'invalid_message'],
  },
  sweep: {
    tag: 'admin',
    summary: 'Fire what is due, give back what expired leases hold',
    answers: [{ status: 200, description: 'What was done.', schema: SweepReport }],
    problems: [],
  },
  health: {
    tag: 'service',
    summary: 'Whether storage answers, may be written, and keeps what it is given',
    description: 'Remembered for 10 s.',
    answers: [
      {
        status: 200,
        description: 'Storage answers.',
        schema: Health,
        example: { status: 'ok', warnings: [] },
      },
    ],
    problems: OF_STORAGE,
  },
} satisfies Operations;
