/** What the document needs to know of a route. */
import type * as z from 'zod/mini';
import type { Scope } from '../../config/config.ts';
import type { ProblemCode } from '../problem.ts';

export type Schema = z.core.$ZodType;

export interface Answered {
  status: 200 | 202;
  description: string;
  /** Of a JSON answer; texts have none. */
  schema?: Schema;
  /** Of a text. Default: text/html. */
  type?: string;
  headers?: string[];
  example?: object;
}

export interface Route {
  method: 'get' | 'options' | 'post' | 'put' | 'patch' | 'delete';
  /** With `{parameters}` of PATH_PARAMETERS. */
  path: string;
  operationId: string;
  tag: keyof typeof TAGS;
  /** A static file: it is answered without the Worker. */
  file?: true;
  /** Left out: open to everybody. */
  scope?: Scope;
  summary: string;
  description?: string;
  /** An object: each field is a parameter. */
  query?: z.ZodMiniObject;
  body?: { schema: Schema; example: object };
  /** It takes an Idempotency-Key. */
  repeatable?: true;
  answers: Answered[];
  /** Its own, besides those of problemsOf. */
  problems: ProblemCode[];
}

export const TAGS = {
  enqueue: 'Put messages in.',
  consume: 'Receive and settle from elsewhere: for pulled queues, which have no handler in the Worker.',
  rings: 'Circular lists: many clients rotate one, and each gets other items.',
  webhooks: 'Events of other services. Each source proves who it is in its own way; there is no token.',
  operate: 'Look at queues and messages, and intervene. Every call is bounded, whatever the backlog.',
  topics: 'One publication, a message for each subscription that matches it.',
  schedules: 'Messages that come again and again, at the times of a cron expression or every so often.',
  service: 'Health, and this description.',
};

/** What every call with a JSON body can be refused with. */
export const OF_BODIES: ProblemCode[] = ['invalid_json', 'too_large', 'invalid_message'];
