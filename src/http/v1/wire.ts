/**
 * What the API answers, as types: `Wire<'RingList'>`. They are those of the schemas that the document is made of, and that a test holds
 * every real answer against. The handlers answer them; the client, the command line and the dashboard read them.
 */
import type * as z from 'zod/mini';
import type { answers as deadLetters } from './dead-letters.doc.ts';
import type { answers as destinations } from './destinations.doc.ts';
import type { answers as leases } from './leases.doc.ts';
import type { answers as messages } from './messages.doc.ts';
import type { answers as queues } from './queues.doc.ts';
import type { answers as rings } from './rings.doc.ts';
import type { answers as schedules } from './schedules.doc.ts';
import type { answers as session } from './session.doc.ts';
import type { answers as shards } from './shards.doc.ts';
import type { answers as sources } from './sources.doc.ts';
import type { answers as stats } from './stats.doc.ts';
import type { answers as system } from './system.doc.ts';
import type { answers as topics } from './topics.doc.ts';

type Answers = typeof messages &
  typeof leases &
  typeof topics &
  typeof queues &
  typeof deadLetters &
  typeof destinations &
  typeof system &
  typeof schedules &
  typeof rings &
  typeof shards &
  typeof stats &
  typeof sources &
  typeof session;

export type Wire<Name extends keyof Answers> = z.output<Answers[Name]>;
