/** What consumers may ask: the schemas of receive and settle. */
import * as z from 'zod/mini';
import { YEAR_MS } from '../../formats/duration.ts';
import { milliseconds } from '../../formats/duration-schema.ts';
import { MAX_DEPTH, toJson } from '../../formats/json.ts';
import { QUEUE_NAME } from '../../message/message.ts';

const HALF_A_DAY_MS = 12 * 3_600_000;
const visibility = milliseconds(1_000, HALF_A_DAY_MS);
const queues = z.array(z.string().check(z.regex(QUEUE_NAME))).check(z.minLength(1), z.maxLength(20));
const max = z._default(z.int().check(z.minimum(1), z.maximum(100)), 10);

export const ReceiveRequest = z.strictObject({
  /** Emptied in this order, each by priority. */
  queues,
  max,
  /** How long the messages stay away from others. */
  visibility: z._default(visibility, 30_000),
});

/** Characters of JSON. */
const MOST_RESULT = 65_536;

const Settlement = z.strictObject({
  id: z.string().check(z.regex(/^[\w-]{1,64}$/)),
  /** As it was received. With it the settlement is for this delivery only, and a retry knows its backoff. */
  attempt: z.optional(z.int().check(z.minimum(1))),
  outcome: z.enum(['ack', 'retry', 'dead', 'release']),
  /** Before a retry or a released message comes again. Default: 2 s doubling by attempt, up to 10 minutes; none for release. */
  delay: z.optional(milliseconds(0, YEAR_MS)),
  /** Why, for whoever looks at the message later. */
  error: z.optional(z.string().check(z.maxLength(500))),
  /** Kept with an ack, where the message has a retention. */
  result: z.optional(
    z.unknown().check((context) => {
      const { text = '', fault } = toJson(context.value);
      const issue = (code: string, message: string) =>
        void context.issues.push({ code: 'custom', params: { code }, message, input: context.value });
      if (fault === 'too_deep') issue(fault, `must be nested at most ${MAX_DEPTH} levels deep`);
      if (text.length > MOST_RESULT) issue('too_large', 'must take at most 64 KiB as JSON');
    }),
  ),
});

export const SettleRequest = z.strictObject({
  settle: z._default(z.array(Settlement).check(z.maxLength(100)), []),
  /** The lease lasts this long from now. Left out, its expiry stays as it is. */
  extend: z.optional(visibility),
  /** More messages in the same round trip, under the same lease. */
  receive: z.optional(
    z.strictObject({
      queues,
      /** 0 only asks whether the lease is still the caller's. */
      max: z._default(z.int().check(z.minimum(0), z.maximum(100)), 10),
      /** How many messages of this lease the caller still holds: what the lease has above that was lost on its way. */
      holding: z.int().check(z.minimum(0), z.maximum(10_000)),
    }),
  ),
});
