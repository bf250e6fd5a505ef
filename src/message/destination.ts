/**
 * Destinations: HTTP endpoints that messages are delivered to. What a message may name for itself, and how that is stored.
 *
 * Pure, but for digests of long names.
 */
import * as z from 'zod/mini';
import { MAX_URL_LENGTH } from '../formats/address.ts';
import { shortDigest } from '../formats/digest.ts';
import { duration } from '../formats/duration-schema.ts';
import { headersBy } from '../formats/headers-schema.ts';

export const METHODS = ['POST', 'PUT', 'PATCH'] as const;
export type Method = (typeof METHODS)[number];

const MAX_HEADERS = 32;
const HEADER_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/;
const HEADER_VALUE = /^[\x20-\x7e]{0,4096}$/;
/** What a receiver, or a proxy before it, takes from its own side only: a caller who set it could pass for somebody else. */
const OURS = new RegExp(
  `^(${[
    // the connection, and the proxies on it
    'host|content-(length|encoding)|transfer-encoding|connection|te|trailer|upgrade|expect|keep-alive|http2-settings',
    'accept-encoding|early-data|via|max-forwards|cdn-loop|proxy-.*|cf-.*',
    // for whom it is forwarded
    '.*forwarded.*|x-envoy-.*|.*(client|real|remote|originating|connecting|connection|socket)-?(ip|addr)',
    // another method, host or path than those that were judged
    'x-http-method.*|x-method-override|x-original-.*|x-rewrite-.*|x-host',
    'cookie2?|webhook-.*|svix-.*|sluice-attempt',
  ].join('|')})$`,
  'i',
);

/** Whether callers may have this header sent. */
export function isSendable(name: string, value: string): boolean {
  return HEADER_NAME.test(name) && !OURS.test(name) && HEADER_VALUE.test(value);
}

/** Headers that callers may have sent. */
export const SentHeaders = headersBy(z.string(), z.string()).check(
  z.refine((headers) => Object.entries(headers).every(([name, value]) => isSendable(name, value)), {
    message: 'must be headers that a delivery may have: nothing of the connection, of forwarding, cookies or webhooks',
  }),
  z.refine((headers) => Object.keys(headers).length <= MAX_HEADERS, { message: `must be at most ${MAX_HEADERS}` }),
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
export async function groupOf({ url }: StoredDestination, longest: number): Promise<string> {
  const { origin } = new URL(url);
  return origin.length <= longest ? origin : shortDigest(origin);
}
