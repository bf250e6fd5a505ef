/** What consumers may ask: the schemas of receive and settle. */
import * as z from 'zod';
import { parseDuration } from '../duration.ts';
import { QUEUE_NAME } from '../message.ts';

const duration = (leastMs: number, mostMs: number) =>
  z
    .union([z.number(), z.string()])
    .transform((value) => parseDuration(value) ?? -1)
    .refine((ms) => ms >= leastMs && ms <= mostMs, {
      message: `must be milliseconds or text such as "90s", from ${leastMs} to ${mostMs} ms`,
    });

const HALF_A_DAY_MS = 12 * 3_600_000;
const visibility = duration(1_000, HALF_A_DAY_MS);
const queues = z.array(z.string().regex(QUEUE_NAME)).min(1).max(20);
const max = z.int().min(1).max(100);

export const ReceiveRequest = z.strictObject({
  /** Emptied in this order, each by priority. */
  queues,
  max: max.default(10),
  /** How long the messages stay away from others. */
  visibility: visibility.default(30_000),
});

const Settlement = z.strictObject({
  id: z.string().regex(/^[\w-]{1,64}$/),
  /** As it was received. With it the settlement is for this delivery only, and a retry knows its backoff. */
  attempt: z.int().min(1).optional(),
  outcome: z.enum(['ack', 'retry', 'dead', 'release']),
  /** Before a retry or a released message comes again. Default: 2 s doubling by attempt, up to 10 minutes; none for release. */
  delay: duration(0, 365 * 86_400_000).optional(),
  /** Why, for whoever looks at the message later. */
  error: z.string().max(500).optional(),
});

export const SettleRequest = z.strictObject({
  settle: z.array(Settlement).max(100).default([]),
  /** The lease lasts this long from now. Left out, its expiry stays as it is. */
  extend: visibility.optional(),
  /** More messages in the same round trip, under the same lease. */
  receive: z
    .strictObject({
      queues,
      max: max.default(10),
      /** How many messages of this lease the caller still holds: what the lease has above that was lost on its way. */
      holding: z.int().min(0).max(10_000),
    })
    .optional(),
});
