/** What the document says of dead letters. */
import * as z from 'zod/mini';
import { describe } from '../openapi/describe.ts';
import { OF_BODIES, type Operations } from '../openapi/operation.ts';
import { count, instant } from '../openapi/primitives.ts';
import { answers as ofQueues } from './queues.doc.ts';

export const params = { queue: 'A queue of this deployment.' };

const { Purged } = ofQueues;

const Cause = z.object({
  kind: z.string(),
  text: z.string(),
  count,
  firstAt: instant,
  lastAt: instant,
  ids: z.array(z.string()),
});
const Causes = z.object({ dead: count, looked: count, causes: z.array(Cause) });
const RedrivenMessage = z.object({ id: z.string(), status: z.enum(['redriven', 'gone', 'missing']) });
const Redriven = z.object({ messages: z.array(RedrivenMessage) });

describe(Cause, {
  text: 'Of the newest.',
  firstAt: 'The oldest died then, epoch ms.',
  lastAt: 'The newest died then, epoch ms.',
});
describe(Causes, {
  dead: 'Dead letters of the queue.',
  looked: 'How many of them, the newest, were looked at.',
});

export const answers = { Cause, Causes, RedrivenMessage, Redriven };

export const operations = {
  listCauses: {
    tag: 'admin',
    summary: 'Why the newest thousand dead letters died',
    description: 'Texts that differ in numbers and ids only are one cause.',
    answers: [{ status: 200, description: 'The causes, the most frequent first.', schema: Causes }],
    problems: ['unknown_queue'],
  },
  redriveDead: {
    tag: 'admin',
    summary: 'Bring dead letters back: these, or so many of the oldest',
    body: { name: 'Redrive', example: { ids: ['0NvMLqXb8wTkZ3cRy5Ua'] } },
    answers: [{ status: 200, description: 'What became of each.', schema: Redriven }],
    problems: [...OF_BODIES, 'unknown_queue'],
  },
  purgeDead: {
    tag: 'admin',
    summary: 'Remove the dead letters of a queue',
    description: '`more`: it has used what one invocation may; call again.',
    answers: [{ status: 200, description: 'How many went.', schema: Purged }],
    problems: ['unknown_queue'],
  },
} satisfies Operations;
