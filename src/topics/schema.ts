/** What callers say of topics: who gets what, and what is published. */
import * as z from 'zod/mini';
import { Destination } from '../message/destination.ts';
import { QUEUE_NAME } from '../message/message.ts';
import { MessageOptions } from '../message/options.ts';

/** A type, or the beginning of types with `*` behind it. */
const PATTERN = /^[A-Za-z0-9_.:/-]{0,128}\*?$/;
const TYPE = /^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}$/;

/** Who gets what. */
export const Subscription = z.strictObject({
  queue: z.string().check(z.regex(QUEUE_NAME)),
  /** For queues whose messages name their destinations. */
  destination: z.optional(Destination),
  /** Types: `invoice.paid`, `invoice.*`, `*`. */
  events: z._default(z.array(z.string().check(z.regex(PATTERN))).check(z.minLength(1), z.maxLength(50)), ['*']),
});
export type Subscription = z.infer<typeof Subscription>;

/** A type and a body, and options that hold for each of the messages. */
const { destination: _, ...optionsForAll } = MessageOptions.shape;
export const Publication = z.strictObject({
  ...optionsForAll,
  type: z.string().check(z.regex(TYPE)),
  body: z.unknown(),
});
