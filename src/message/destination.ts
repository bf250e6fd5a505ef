/**
 * Destinations: HTTP endpoints that messages are delivered to. What a queue fixes for all of them, what a message may name
 * for itself, and whether the two fit.
 *
 * Pure, but for digests of long names.
 */
import * as z from 'zod/mini';
import type { Issue } from '../errors.ts';
import { type AddressRules, judgeUrl, MAX_URL_LENGTH, PUBLIC_ONLY } from '../formats/address.ts';
import { shortDigest } from '../formats/digest.ts';
import { type Duration, parseDuration, toMs, YEAR_MS } from '../formats/duration.ts';
import { duration } from '../formats/duration-schema.ts';
import { headersBy } from '../formats/headers-schema.ts';

const METHODS = ['POST', 'PUT', 'PATCH'] as const;
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

const Headers = headersBy(z.string(), z.string()).check(
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
  headers: z.optional(Headers),
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

/** What a queue fixes for its deliveries. */
export interface DestinationOptions {
  /** Where all of its messages go. Left out: each message names its own. */
  url?: string;
  /** Default POST. */
  method?: Method;
  /** Sent to `url`, or to the origins of `headersFor`. */
  headers?: Record<string, string>;
  /** Where messages name their destinations: origins, such as `https://api.example.com`, that get the queue's `headers`. Others do not. */
  headersFor?: string[];
  /**
   * Bindings of the Worker that hold the signing secrets (`whsec_…`, several between blanks), the newest first: each signs.
   * With names to them each message says whose it wants: receivers who share a secret could forge for each other. Left out:
   * deliveries are not signed.
   */
  secrets?: string[] | Record<string, string[]>;
  /**
   * A destination that fails so often in a row (default 5) is left alone for so long (default 30 s, and twice as long each time
   * that a try fails, up to 32 times). Its messages wait and lose no attempt. `false`: it is tried at every message's time.
   */
  breaker?: { failures?: number; open?: Duration } | false;
}

/** A checked definition. */
export interface DestinationPolicy {
  readonly url: string | undefined;
  readonly method: Method;
  readonly headers: Readonly<Record<string, string>>;
  /** The origins that get them, besides `url`. */
  readonly headersFor: readonly string[];
  readonly secrets: string[] | Readonly<Record<string, string[]>>;
  /** Which addresses it may have. A deployment sets its own. */
  readonly rules: AddressRules;
  /** The names of bindings in which a deployment has no secret, where it should. */
  readonly missingSecrets?: readonly string[];
}

/**
 * The words of breaker.lua: for the whole queue where it has one url, else for each group.
 * @throws RangeError that names what is wrong
 */
export function breakerWords(options: DestinationOptions | true, setting: string): string[] {
  const { url, breaker = {} } = options === true ? {} : options;
  if (breaker === false) return [];
  const { failures = 5, open = '30s' } = breaker;
  const openMs = toMs(open, `${setting}.breaker.open`);
  if (!Number.isInteger(failures) || failures < 1)
    throw new RangeError(`${setting}.breaker.failures must be 1 or more`);
  return [`${url === undefined ? 'gh' : 'h'}=${failures}/${Math.max(100, openMs)}`];
}

/** @throws RangeError that names what is wrong */
export function definePolicy(options: DestinationOptions | true, setting: string): DestinationPolicy {
  const { url, method = 'POST', headers = {}, secrets = [] } = options === true ? {} : options;
  if (!METHODS.includes(method)) throw new RangeError(`${setting}.method must be one of ${METHODS.join(', ')}`);
  if (!Headers.safeParse(headers).success) throw new RangeError(`${setting}.headers must be headers that may be sent`);
  if (url !== undefined && !Array.isArray(secrets)) {
    throw new RangeError(`${setting}.secrets must be a list where the queue has its own url`);
  }
  const headersFor = originsOf(options === true ? {} : options, setting);
  return Object.freeze({ url, method, headers, headersFor, secrets, rules: PUBLIC_ONLY });
}

/** Whoever may enqueue names any URL: what a queue keeps in its headers goes only where its definition says. */
function originsOf({ url, headers = {}, headersFor }: DestinationOptions, setting: string): string[] {
  if (url !== undefined && headersFor) throw new RangeError(`${setting}.headersFor is for queues without a url`);
  if (url === undefined && Object.keys(headers).length > 0 && !headersFor?.length) {
    throw new RangeError(`${setting}.headers would go nowhere: say where to in headersFor, a list of origins`);
  }
  return Array.from(headersFor ?? [], (text) => {
    const { origin, href } = URL.canParse(text) ? new URL(text) : { origin: '', href: '' };
    // Also http: where the deployment's rules let a message go there.
    if (/^https?:[^*]+$/.test(origin) && href === `${origin}/`) return origin;
    throw new RangeError(`${setting}.headersFor must be origins such as https://api.example.com`);
  });
}

/** The names of the bindings whose secrets sign, or undefined where the message had to name known ones and did not. */
export function secretsFor({ secrets }: DestinationPolicy, name: string | undefined): string[] | undefined {
  if (Array.isArray(secrets)) return name === undefined ? secrets : undefined;
  return name !== undefined && Object.hasOwn(secrets, name) ? secrets[name] : undefined;
}

/** One of them, or neither where its queue's own destination holds. */
export interface Chosen {
  destination?: StoredDestination;
  issue?: Issue;
}

/**
 * Whether a message may go where it wants, by its queue's policy.
 * @param at where `destination` stands in the request
 * @returns what is stored with it, if it names one; or what is wrong
 */
export function chooseDestination(
  policy: DestinationPolicy | undefined,
  wanted: Destination | undefined,
  at: string,
): Chosen {
  const refuse = (field: string, code: string, message: string) => ({ issue: { field: at + field, code, message } });
  if (wanted === undefined) {
    if (!policy || policy.url !== undefined) return {};
    return refuse('destination', 'required', 'is required: this queue has no url of its own');
  }
  if (!policy) return refuse('destination', 'invalid', 'is for queues that deliver to destinations');
  if (policy.url !== undefined) return refuse('destination', 'invalid', 'is fixed by this queue');
  const { timeout, ...fields } = typeof wanted === 'string' ? { url: wanted } : wanted;
  const judged = judgeUrl(fields.url, policy.rules);
  if ('fault' in judged) {
    return refuse(typeof wanted === 'string' ? 'destination' : 'destination.url', 'refused_address', judged.fault);
  }
  if (!secretsFor(policy, fields.secret)) {
    return refuse('destination.secret', 'invalid', "must be one of the queue's named secrets, where it has such");
  }
  const timeoutMs = timeout === undefined ? {} : { timeoutMs: parseDuration(timeout as Duration) ?? YEAR_MS };
  return { destination: { ...fields, url: judged.url.href, ...timeoutMs } };
}

/** Without a group of its own a message is in that of its destination: so a lane holds deliveries to one, and a dead one waits alone. */
export async function groupOf({ url }: StoredDestination, longest: number): Promise<string> {
  const { origin } = new URL(url);
  return origin.length <= longest ? origin : shortDigest(origin);
}
