/** Sources: who sends webhooks, how that is proved, and which queue each event goes to. Checked when they are defined. */
import { type Duration, toMs } from '../formats/duration.ts';
import { MAX_MESSAGE_BYTES, QUEUE_NAME } from '../message/message.ts';
import type { MessageOptions } from '../message/options.ts';
import type { AnyQueue } from '../queue/queue.ts';
import { type Handshake, METHODS, type Reply } from './handshake.ts';
import type { Provider } from './providers.ts';
import type { Scheme } from './scheme.ts';

/** A verified event, for the function that routes it. */
export interface WebhookEvent<Payload = unknown> {
  /** JSON, form fields, or text: what the sender says. That it has this type is the caller's claim; the queue's schema judges. */
  payload: Payload;
  /** Those that are kept with the message, names in small letters. */
  headers: Record<string, string>;
}

/** Where an event goes. */
export interface RouteTarget extends Omit<MessageOptions, 'dedup' | 'headers'> {
  queue: AnyQueue;
}

/** One queue or several; undefined or none: the event is answered like the others, counted, and not kept. */
export type Route<Payload> = (event: WebhookEvent<Payload>) => RouteTarget | readonly RouteTarget[] | undefined;

export interface SourceOptions<Payload = unknown> {
  /** One of `sluice/providers`, or how to verify: a signature over the body, a secret in a header, or your own function. */
  provider: Provider | Scheme;
  /** The binding that holds the secret, or several (docs/webhooks.md). Unset: the source is closed. Only `none` has none. */
  secret?: string;
  /** A queue for all of it, or a function that sees each event. It must be quick and do no I/O: the sender waits. */
  route: AnyQueue | Route<Payload>;
  /** The URL as the sender knows it, or the binding that holds it. Needed where the URL is signed: Square, Twilio. */
  url?: string;
  /** The binding that holds the token of a subscription: Meta's, or that of a handshake of yours. */
  verifyToken?: string;
  /** What the provider asks before it sends events; the first rule that fits answers. Providers have their own. */
  handshake?: Handshake | readonly Handshake[];
  /** How far from now a signed instant may be, both ways. Default: the provider's. A delivery is known at least as long. */
  tolerance?: Duration;
  dedup?: {
    /**
     * Where the id of a delivery stands: headers, `?parameters` of the query, or `.a.field` of the body; the first that is there.
     * Empty: the body is its id.
     */
    ids?: readonly string[];
    /** How long a delivery is known. Default: the provider's, or a day. 0: each request is a delivery of its own. */
    window?: Duration;
  };
  /** More headers to keep with the message. */
  headers?: readonly string[];
  /** Default and most: 256 KiB. */
  maxBytes?: number;
  /** What the sender hears when the event is stored. Default: the provider's, or 200 with nothing in it. */
  reply?: Reply;
}

/** A checked definition. */
export interface Source<Payload = unknown> {
  readonly name: string;
  /** Its name, or `signature`, `secret`, `custom`. */
  readonly provider: string;
  readonly schemes: readonly Scheme[];
  readonly secret: string | undefined;
  readonly route: AnyQueue | Route<Payload>;
  readonly url: string;
  readonly verifyToken: string | undefined;
  /** undefined: a signed id where there is one. */
  readonly ids: readonly string[] | undefined;
  readonly windowMs: number;
  readonly forwardHeaders: readonly string[];
  readonly maxBytes: number;
  readonly handshakes: readonly Handshake[];
  /** Of its requests: POST, and those by which it asks. */
  readonly methods: readonly string[];
  readonly reply: Reply;
}

// biome-ignore lint/suspicious/noExplicitAny: a list of sources mixes payloads, and each route is the judge of its own
export type AnySource = Source<any>;

/** Never kept: what proves who somebody is. */
const SECRET_HEADER = /^(?:authorization|proxy-authorization|cookie|cf-.*)$/;
const HEADER = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const STORED: Reply = { status: 200 };
const HOUR_MS = 3_600_000;

/**
 * Defines a source of webhooks, whose requests come to `/hooks/<name>`, are verified, and become messages.
 * @param name as in its URL; the alphabet of queues
 * @throws RangeError that names the bad setting
 * @example defineSource('payments', { provider: stripe, secret: 'STRIPE_SECRET', route: payments })
 */
export function defineSource<Payload = unknown>(name: string, options: SourceOptions<Payload>): Source<Payload> {
  const bad = badSource(name);
  if (!QUEUE_NAME.test(name))
    throw new RangeError(`a source's name must match ${QUEUE_NAME}; got ${JSON.stringify(name)}`);
  const { provider, secret, route, url = '', verifyToken, dedup, maxBytes = MAX_MESSAGE_BYTES } = options;
  if (typeof provider === 'string')
    throw bad(`there is no provider ${JSON.stringify(provider)}: import one by its name from sluice/providers`);
  const known = toProvider(provider);
  if (known.schemes.some((scheme) => typeof scheme !== 'function') && !secret)
    throw bad('it needs the binding of its secret');
  if (known.schemes.some(signsUrl) && url === '') throw bad('it needs its url, which is signed');
  if (!(maxBytes >= 1 && maxBytes <= MAX_MESSAGE_BYTES)) throw bad(`maxBytes must be from 1 to ${MAX_MESSAGE_BYTES}`);
  if (typeof route !== 'function' && route.destination && route.destination.url === undefined)
    throw bad(`queue ${route.name} has no url: route must be a function that gives each event a destination`);
  const handshakes = checkedHandshakes(known, options, bad);
  return Object.freeze({
    name,
    provider: known.name,
    ...checkedTimes(name, known, options),
    secret,
    route,
    url,
    verifyToken,
    ids: dedup?.ids ?? known.ids,
    forwardHeaders: checkedHeaders(known, options.headers ?? [], bad),
    maxBytes,
    handshakes,
    methods: [...new Set([...handshakes.map(({ method = 'POST' }) => method), 'POST'])],
    reply: options.reply ?? known.reply ?? STORED,
  });
}

const badSource = (name: string) => (what: string) => new RangeError(`source ${JSON.stringify(name)}: ${what}`);
type SourceError = ReturnType<typeof badSource>;

/** @throws RangeError where a request could be sent again when it is no longer known, but still fresh */
function checkedTimes(
  name: string,
  { schemes, windowH = 24 }: Provider,
  { dedup: { window = windowH * HOUR_MS } = {}, tolerance }: SourceOptions<never>,
) {
  const bad = badSource(name);
  const windowMs = toMs(window, `dedup.window of source ${name}`);
  const toleranceS = tolerance === undefined ? undefined : toMs(tolerance, `tolerance of source ${name}`) / 1_000;
  const tolerant = schemes.map((scheme) => withTolerance(scheme, toleranceS));
  const longestS = Math.max(0, ...tolerant.map((scheme) => ('time' in scheme && scheme.time?.toleranceS) || 0));
  if (toleranceS !== undefined && longestS < 1) throw bad('tolerance is for signed instants, and at least 1 s');
  // 0 is said on purpose: then nothing is known again.
  if (windowMs > 0 && windowMs < longestS * 1_000)
    throw bad(`dedup.window must be at least the tolerance, ${longestS} s`);
  return { schemes: tolerant, windowMs };
}

function withTolerance(scheme: Scheme, toleranceS: number | undefined): Scheme {
  if (toleranceS === undefined || !('time' in scheme && scheme.time)) return scheme;
  return { ...scheme, time: { ...scheme.time, toleranceS } };
}

function checkedHandshakes(
  { handshakes = [] }: Provider,
  { handshake = [], secret, verifyToken }: SourceOptions<never>,
  bad: SourceError,
): Handshake[] {
  const rules = [...handshakes, ...[handshake].flat()];
  for (const rule of rules) {
    if (!METHODS.includes(rule.method ?? 'POST')) throw bad(`handshake.method must be of ${METHODS}`);
    if (rule.token && !verifyToken) throw bad('it needs the binding of its verifyToken');
    if ('answer' in rule) continue;
    if (rule.hmac && !secret) throw bad('handshake.hmac needs the binding of its secret');
    const names = Object.keys(rule.headers ?? {}).map((name) => name.toLowerCase());
    if (!names.every((name) => HEADER.test(name))) throw bad(`handshake.headers are none: ${names}`);
  }
  return rules;
}

function toProvider(provider: Provider | Scheme): Provider {
  return 'schemes' in provider ? provider : { name: nameScheme(provider), schemes: [provider] };
}

/** Names of headers to keep, in small letters. None of them may prove who somebody is. */
function checkedHeaders({ schemes, forwardHeaders = [] }: Provider, more: readonly string[], bad: SourceError) {
  const headers = ['user-agent', ...forwardHeaders, ...more].map((header) => header.toLowerCase());
  const proofs = schemes.flatMap(headersOfProof);
  for (const header of headers) {
    const proves = SECRET_HEADER.test(header) || proofs.includes(header);
    if (proves || !HEADER.test(header)) throw bad(`it may not keep ${header}`);
  }
  return headers;
}

function nameScheme(scheme: Scheme): string {
  if (typeof scheme === 'function') return 'custom';
  return 'signature' in scheme ? 'signature' : 'secret';
}

function signsUrl(scheme: Scheme): boolean {
  const content = 'signature' in scheme && scheme.content;
  return typeof content === 'function' || (content || '').includes('{url}');
}

function headersOfProof(scheme: Scheme): string[] {
  if (typeof scheme === 'function') return [];
  return ['signature' in scheme ? scheme.signature : scheme.header].map((header) => header.toLowerCase());
}
