/** What the `.doc.ts` of a resource says of its routes: their texts, examples, answers, and the problems that they may answer. */
import type * as z from 'zod/mini';
import type { ProblemCode } from '../problem.ts';
import type { Note } from './describe.ts';

export type Schema = z.core.$ZodType;

export const TAGS = {
  enqueue: 'Put messages in.',
  consume: 'Receive and settle from elsewhere: for pull queues, which have no handler in the Worker.',
  rings: 'Circular lists: many clients rotate one, and each gets other items.',
  webhooks: 'Events of other services. Each source proves who it is in its own way; there is no token.',
  admin: 'Look at queues and messages, and intervene. Every call is bounded, whatever the backlog.',
  topics: 'One publication, a message for each subscription that matches it.',
  schedules: 'Messages that come again and again, at the times of a cron expression or every so often.',
  service: 'Health, and this description.',
};

export interface AnswerDoc {
  status: 200 | 202;
  description: string;
  /** Of a JSON answer; texts have none. */
  schema?: Schema;
  /** Of a text. Default: text/html. */
  type?: string;
  headers?: string[];
  example?: object;
}

/** What the fields of an object mean, and those of the objects in it. */
export interface SchemaDoc {
  /** Of its own in the document. */
  name?: string;
  fields?: Record<string, Note>;
  /** By the field that they stand in, be it optional or a list. */
  parts?: Record<string, SchemaDoc>;
}

export interface Operation {
  tag: keyof typeof TAGS;
  /** Default: the name under which the route is exported. */
  operationId?: string;
  summary: string;
  description?: string;
  query?: SchemaDoc['fields'];
  /** `schema`: where the route has none, because it does not judge it itself. */
  body?: SchemaDoc & { schema?: Schema; example: object };
  /** It takes an Idempotency-Key. */
  repeatable?: true;
  answers: readonly AnswerDoc[];
  /** Its own, besides those of every call and of every call with a token. */
  problems: readonly ProblemCode[];
}

/** By the names under which the routes are exported. */
export type Operations = Record<string, Operation>;

/** What every call with a JSON body can be refused with. */
export const OF_BODIES: ProblemCode[] = ['invalid_json', 'too_large', 'invalid_message'];

export const OF_STORAGE: ProblemCode[] = [
  'storage_unreachable',
  'storage_slow',
  'storage_garbled',
  'storage_refused',
  'stored_format',
  'storage_subrequests',
];
