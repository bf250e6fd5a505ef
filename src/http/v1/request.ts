/**
 * What callers send, as types, by the names of the routes: `Query<'listRings'>`, `Body<'settle'>`. They are those of the schemas that
 * validate. Types only, as those of the answers in wire.ts.
 */
import type * as z from 'zod/mini';
import type { Route } from '../route.ts';
import type * as deadLetters from './dead-letters.ts';
import type * as destinations from './destinations.ts';
import type * as leases from './leases.ts';
import type { operations } from './messages.doc.ts';
import type * as messages from './messages.ts';
import type * as queues from './queues.ts';
import type * as rings from './rings.ts';
import type * as schedules from './schedules.ts';
import type * as session from './session.ts';
import type * as stats from './stats.ts';
import type * as system from './system.ts';
import type * as topics from './topics.ts';

type Routes = typeof messages &
  typeof leases &
  typeof topics &
  typeof queues &
  typeof deadLetters &
  typeof destinations &
  typeof system &
  typeof schedules &
  typeof rings &
  typeof stats &
  typeof session;

/** Of a route that judges what this is; never, of others. */
type JudgedInput<Name extends keyof Routes, What extends 'query' | 'body'> = Routes[Name] extends Route
  ? Exclude<Routes[Name][What], true | undefined>
  : never;

/** What is left out, or undefined, has the default of the API. */
export type Query<Name extends keyof Routes> = {
  [Field in keyof z.output<JudgedInput<Name, 'query'>>]?: z.output<JudgedInput<Name, 'query'>>[Field] | undefined;
};

/** Of messages the queue's own schema judges the rest. */
export type Body<Name extends keyof Routes> = Name extends 'enqueue' | 'enqueueBatch'
  ? z.input<(typeof operations)[Name]['body']['schema']>
  : z.input<JudgedInput<Name, 'body'>>;
