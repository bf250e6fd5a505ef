/** Destinations of a queue: what it fixes for all of its deliveries, and whether what a message names for itself fits. Pure. */
import type { Issue } from '../errors.ts';
import { type AddressRules, judgeUrl, PUBLIC_ONLY } from '../formats/address.ts';
import { type Duration, parseDuration, toMs, YEAR_MS } from '../formats/duration.ts';
import type { Destination, StoredDestination } from '../message/destination.ts';
import { areSendable, METHODS, type Method } from '../message/sent-headers.ts';

/** The settings of a queue for its deliveries over HTTP. */
export interface DestinationOptions {
  /** The URL that all of its messages go to. Left out, each message names its own. */
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
  /** The origins that get the headers, besides that of `url`. */
  readonly headersFor: readonly string[];
  readonly secrets: string[] | Readonly<Record<string, string[]>>;
  /** The addresses that messages may go to. A deployment sets its own. */
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
  if (!areSendable(headers)) throw new RangeError(`${setting}.headers must be headers that may be sent`);
  if (url !== undefined && !Array.isArray(secrets)) {
    throw new RangeError(`${setting}.secrets must be a list where the queue has its own url`);
  }
  const headersFor = listOrigins(options === true ? {} : options, setting);
  return Object.freeze({ url, method, headers, headersFor, secrets, rules: PUBLIC_ONLY });
}

/** Whoever may enqueue names any URL: what a queue keeps in its headers goes only where its definition says. */
function listOrigins({ url, headers = {}, headersFor }: DestinationOptions, setting: string): string[] {
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

/** The destination of a message, or why it cannot have that one; neither where its queue's own destination holds. */
export interface DestinationChoice {
  destination?: StoredDestination;
  issue?: Issue;
}

/**
 * Decides by its queue's policy whether a message may go where it wants.
 * @param prefix path of the message in the request, such as `messages[3].`
 * @returns what is stored with it, if it names one; or what is wrong
 */
export function chooseDestination(
  policy: DestinationPolicy | undefined,
  wanted: Destination | undefined,
  prefix: string,
): DestinationChoice {
  const refuse = (field: string, code: string, message: string) => ({
    issue: { field: prefix + field, code, message },
  });
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
