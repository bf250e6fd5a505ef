/** What the document says of shards. */
import * as z from 'zod/mini';
import { describe } from '../openapi/describe.ts';
import { OF_BODIES, type Operations } from '../openapi/operation.ts';
import { count } from '../openapi/primitives.ts';
import type { ProblemCode } from '../problem.ts';

export const params = { shard: 'A shard, by its name in the settings.' };

const Holdings = z.object({
  ready: count,
  delayed: count,
  leased: count,
  dead: count,
  parcels: count,
  schedules: count,
  topics: count,
  rings: count,
});
const ShardReport = z.object({
  shard: z.string(),
  label: z.string(),
  state: z.enum(['joining', 'active', 'draining', 'gone']),
  weight: z.number(),
  held: count,
  has: z.optional(Holdings),
});
const ShardPin = z.object({ queue: z.string(), shard: z.string() });
const ShardHeld = z.object({ queue: z.string(), shard: z.string(), home: z.string() });
const ShardList = z.object({
  epoch: count,
  shards: z.array(ShardReport),
  pins: z.array(ShardPin),
  held: z.array(ShardHeld),
  away: z.optional(z.array(z.string())),
});
const ShardNamed = z.object({ shard: z.string() });
const ShardUnpinned = z.object({ queue: z.string() });
const ShardEvacuated = z.object({ shard: z.string(), moved: count, has: Holdings, held: count, more: z.boolean() });
const ShardVerified = z.object({
  shard: z.string(),
  empty: z.boolean(),
  left: z.record(z.string(), count),
  parcels: count,
  twice: count,
});
const ShardForgotten = z.object({ shard: z.string(), queues: z.optional(z.array(z.string())) });

describe(Holdings, { parcels: 'Messages that it holds for other shards.' });
describe(ShardReport, {
  label:
    'What the ids of its messages have behind their time. Empty where there is one shard, and before it was active.',
  held: 'Queues, groups, schedules, topics and rings that have their home there until it is empty of them.',
  has: 'Left out where the shard does not answer, or is gone.',
});
describe(ShardHeld, {
  queue: 'Behind a slash its group, where it is one of a partitioned queue.',
  shard: 'Where it has its home until that is empty of it.',
  home: 'Where it has its home from then on.',
});
describe(ShardList, {
  epoch: 'Of the map of the shards: each change counts. 0 where there is one shard.',
  pins: 'Those of operators.',
  held: 'Queues, and groups of partitioned ones, that stay where they are until that is empty of them: a hundred at most.',
  away: 'Shards that did not answer.',
});
describe(ShardEvacuated, {
  moved: 'By this call.',
  held: 'What stays because it is pinned there until it is empty.',
  more: 'It has something still: call again.',
});
describe(ShardVerified, {
  left: 'How many keys of which kinds would be lost with it. What runs out by itself is not counted.',
  parcels: 'What other shards hold for it.',
  twice: 'Messages that another shard has under the same id. An evacuation takes these away from here.',
});
describe(ShardForgotten, {
  queues: 'Of a lost one: the queues whose messages it may have had.',
});

export const answers = {
  Holdings,
  ShardReport,
  ShardPin,
  ShardHeld,
  ShardList,
  ShardNamed,
  ShardUnpinned,
  ShardEvacuated,
  ShardVerified,
  ShardForgotten,
};

const OF_SHARD: ProblemCode[] = ['unknown_shard', 'shard_refused'];

export const operations = {
  listShards: {
    tag: 'admin',
    summary: 'The shards, what they are for and what they have',
    description: 'With one shard it says so.',
    answers: [{ status: 200, description: 'In the order in which they came.', schema: ShardList }],
    problems: [],
  },
  activateShard: {
    tag: 'admin',
    summary: 'Have new messages go to a shard',
    description:
      'Nothing moves at once. What has an order, limits or consumers elsewhere stays where it is until it is empty there; schedules, topics and rings follow with the next ticks.',
    body: {
      name: 'Activate',
      fields: { weight: 'One of twice the weight is home to twice as many. Default: what it had, or 1.' },
      example: { weight: 1 },
    },
    answers: [{ status: 200, description: 'All shards know of it.', schema: ShardNamed }],
    problems: [...OF_BODIES, ...OF_SHARD],
  },
  drainShard: {
    tag: 'admin',
    summary: 'Have nothing new go to a shard',
    description: 'What it has is delivered from there, or evacuated.',
    answers: [{ status: 200, description: 'All shards know of it.', schema: ShardNamed }],
    problems: OF_SHARD,
  },
  evacuateShard: {
    tag: 'admin',
    summary: 'Move what a draining shard has to where it belongs by now',
    description: 'It works for some seconds: call again while there is more. A call that ended half-way loses nothing.',
    body: {
      name: 'Evacuate',
      fields: {
        unpin:
          'What is pinned there until it is empty goes too. Meanwhile the order of its messages, and its limits, are not kept.',
      },
      example: { unpin: false },
    },
    answers: [{ status: 200, description: 'What was moved, and what it has still.', schema: ShardEvacuated }],
    problems: [...OF_BODIES, ...OF_SHARD],
  },
  verifyShard: {
    tag: 'admin',
    summary: 'Count what would be lost with a shard',
    answers: [{ status: 200, description: 'Nothing was changed.', schema: ShardVerified }],
    problems: OF_SHARD,
  },
  forgetShard: {
    tag: 'admin',
    summary: 'Take a shard out for good',
    description: 'Only one that has nothing, and for which no other holds anything; or one whose database is lost.',
    body: {
      name: 'Forget',
      fields: { lost: 'Its database is lost, with all that it had: nothing is asked of it.' },
      example: { lost: false },
    },
    answers: [{ status: 200, description: 'It is gone, and its name is never used again.', schema: ShardForgotten }],
    problems: [...OF_BODIES, ...OF_SHARD],
  },
  weighShard: {
    tag: 'admin',
    summary: 'Change the weight of a shard',
    description: 'As with a shard that comes, what is stored stays.',
    body: { name: 'Weigh', fields: { weight: 'From 0.01 to 100.' }, example: { weight: 2 } },
    answers: [{ status: 200, description: 'All shards know of it.', schema: ShardNamed }],
    problems: [...OF_BODIES, ...OF_SHARD],
  },
  pinQueues: {
    tag: 'admin',
    summary: 'Give queues a home by hand',
    body: {
      name: 'Pin',
      fields: { queue: 'A queue, or the beginning of several and `*`.', shard: 'Their home from now on.' },
      example: { queue: 'billing.*', shard: 'b' },
    },
    answers: [{ status: 200, description: 'All shards know of it.', schema: ShardPin }],
    problems: [...OF_BODIES, ...OF_SHARD],
  },
  unpinQueues: {
    tag: 'admin',
    summary: 'Let queues have the home that placement gives them',
    body: { name: 'Unpin', fields: { queue: 'As it was pinned.' }, example: { queue: 'billing.*' } },
    answers: [{ status: 200, description: 'All shards know of it.', schema: ShardUnpinned }],
    problems: [...OF_BODIES, 'shard_refused'],
  },
} satisfies Operations;
