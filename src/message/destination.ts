/**
 * Destinations: HTTP endpoints that messages are delivered to. What a message may name for itself, and how that is stored.
 *
 * Pure, but for digests of long names.
 */
import * as z from 'zod/mini';
import { MAX_URL_LENGTH } from '../formats/address.ts';
import { shortDigest } from '../formats/digest.ts';
import { duration } from '../formats/duration-schema.ts';
import { Headers } from '../formats/headers-schema.ts';
import { rule } from '../formats/rule.ts';
import { isSendable, METHODS, type Method, MOST_HEADERS } from './sent-headers.ts';

/** Headers that callers may have sent. */
const SentHeaders = Headers.check(
  rule(
    (headers) => Object.entries(headers).every(([name, value]) => isSendable(name, value)),
    'must be headers that a delivery may have: nothing of the connection, of forwarding, cookies or webhooks',
  ),
  rule((headers) => Object.keys(headers).length <= MOST_HEADERS, `must be at most ${MOST_HEADERS}`),
);

/** A destination in full; a text is one with nothing but its URL. */
export const DestinationFields = z.strictObject({
  /** https, and public, unless the deployment says otherwise. */
  url: z.string().check(z.maxLength(MAX_URL_LENGTH)),
  /** Default POST. */
  method: z.optional(z.enum(METHODS)),
  /** Sent with the delivery, over those that the queue has for its origin. */
  headers: z.optional(SentHeaders),
  /** No answer within it is a failure. At most the queue's timeout, which is the default. */
  timeout: z.optional(duration(1)),
  /** Which of the queue's named secrets sign. */
  secret: z.optional(z.string().check(z.maxLength(64))),
});

export const Destination = z.union(
  [z.string().check(z.maxLength(MAX_URL_LENGTH)), DestinationFields],
  `must be a URL of at most ${MAX_URL_LENGTH} characters, or {"url", …}`,
);
export type Destination = z.input<typeof Destination>;

/** As it is stored with its message. */
export interface StoredDestination {
  url: string;
  method?: Method | undefined;
  headers?: Record<string, string> | undefined;
  timeoutMs?: number;
  secret?: string | undefined;
}

/** Without a group of its own a message is in that of its destination: so a lane holds deliveries to one, and a dead one waits alone. */
export async function deriveGroup({ url }: StoredDestination, longest: number): Promise<string> {
  const { origin } = new URL(url);
  return origin.length <= longest ? origin : shortDigest(origin);
}
