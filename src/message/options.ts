/** The options of a message: their schema, which is the only judge of them. */
import * as z from 'zod/mini';
import { YEAR_MS } from '../formats/duration.ts';
import { duration } from '../formats/duration-schema.ts';
import { Headers } from '../formats/headers-schema.ts';
import { isIsoInstant } from '../formats/instant.ts';
import { isPlainObject } from '../formats/json.ts';
import { rule } from '../formats/rule.ts';
import { Destination } from './destination.ts';

/** The longest group name, in characters. */
export const MAX_GROUP_LENGTH = 128;

/** @returns epoch ms of an instant given as such or as ISO 8601, or undefined. */
export function parseInstant(value: number | string): number | undefined {
  const at = typeof value === 'number' ? value : Date.parse(value);
  const stated = typeof value === 'number' || isIsoInstant(value);
  return stated && Number.isInteger(at) && at >= 0 && at <= Date.now() + YEAR_MS ? at : undefined;
}

/** Text that is encoded or digested: half a character would be another's by then. */
const wellFormed = (longest: number) =>
  z.string().check(
    z.minLength(1),
    z.maxLength(longest),
    rule((text) => text.isWellFormed(), 'must be well-formed text'),
  );

const options = {
  /** 0 to 9, 0 first. */
  priority: z.optional(z.int().check(z.minimum(0), z.maximum(9))),
  /** Wait before the first delivery. */
  delay: z.optional(duration(0)),
  /** No delivery before this instant: epoch ms, or ISO 8601. By the server's clock. */
  notBefore: z.optional(
    z
      .union([z.number(), z.string()])
      .check(
        rule(
          (value) => parseInstant(value) !== undefined,
          'must be epoch ms or ISO 8601 with a time zone, at most a year from now',
        ),
      ),
  ),
  /** Delivered for the first time within this time after it became due, or a dead letter. */
  ttl: z.optional(duration(1)),
  /** A tenant, a customer, an entity: messages of a group take turns with those of the others. */
  group: z.optional(wellFormed(MAX_GROUP_LENGTH)),
  /** Deliveries after which it becomes a dead letter. */
  maxAttempts: z.optional(z.int().check(z.minimum(1), z.maximum(1_000))),
  /** The outcome and the handler's result are kept this long, to be asked for. */
  resultTtl: z.optional(duration(0)),
  /** The same key inside the window is the same message: the answer carries the first id. */
  dedup: z.optional(
    z.strictObject({
      key: wellFormed(256),
      window: z.optional(duration(1)),
      mode: z.optional(z.enum(['drop', 'replace', 'throttle', 'debounce'])),
      release: z.optional(z.boolean()),
    }),
  ),
  /** Where it is delivered, for queues whose messages name that: a URL, or more than that. */
  destination: z.optional(Destination),
  /** Handed to the consumer as they are. */
  headers: z.optional(Headers),
};

/**
 * Those that go with a message to its consumer, and are shown with it, where it has them. What every message has, such as its
 * priority, is said where a message is.
 */
export const carriedOptions = {
  /** Messages of a group take turns with those of the others. */
  group: z.optional(z.string()),
};
export type CarriedOptions = {
  [Name in keyof typeof carriedOptions]?: NonNullable<z.output<(typeof carriedOptions)[Name]>>;
};

/** A message that follows on another; nothing follows on it in turn. */
const Callback = z.strictObject({ queue: z.string(), body: z.unknown(), ...options });
const callbacks = z.optional(z.union([Callback, z.array(Callback).check(z.minLength(1), z.maxLength(10))]));

/** How one message differs from its queue's policy. This schema is the only judge of it, over HTTP and in code. */
export const MessageOptions = z.strictObject({
  ...options,
  /** Enqueued in the same step in which this message is acked. */
  onSuccess: callbacks,
  /** Enqueued in the same step in which this message becomes a dead letter. */
  onFailure: callbacks,
});

export type MessageOptions = z.input<typeof MessageOptions>;
export type CheckedOptions = z.output<typeof MessageOptions>;

/** No options at all need no schema: it would take longer than the rest of a plain message. */
export function readOptions(options: unknown): { data?: CheckedOptions; error?: z.core.$ZodError } {
  return isBare(options) ? { data: {} } : MessageOptions.safeParse(options);
}

export function isBare(value: unknown): boolean {
  return isPlainObject(value) && Object.keys(value).length === 0;
}
