/** The problems of the API for its document: which status each code has, and what it means. A test compares with the answers. */
import * as z from 'zod/mini';
import type { ProblemCode } from '../problem.ts';

interface Meaning {
  status: number;
  means: string;
}

/** A new code without a row does not compile. */
export const MEANINGS = {
  incomplete_body: { status: 400, means: 'The body ended before it was whole.' },
  invalid_json: { status: 400, means: 'The body is not JSON, or not UTF-8.' },
  invalid_signature: {
    status: 401,
    means: 'The signature, or the secret, is missing or wrong; or it was signed too long ago, or in the future.',
  },
  invalid_idempotency_key: { status: 400, means: 'The key is not 1 to 255 visible ASCII characters.' },
  unauthorized: { status: 401, means: 'No token, or none that is known here. With no tokens configured: always.' },
  forbidden: {
    status: 403,
    means: 'The token lacks the scope, or is not for this queue. Of a source: its question is none that is answered.',
  },
  cross_site: {
    status: 403,
    means: 'By cookie: the request did not come from a page of this origin, or its content type is not JSON.',
  },
  not_found: { status: 404, means: 'There is nothing at this path.' },
  unknown_queue: { status: 404, means: 'This deployment has no such queue.' },
  unknown_source: { status: 404, means: 'This deployment has no such source.' },
  unknown_message: { status: 404, means: 'There is no such message: it was never here, or it is done.' },
  unknown_ring: { status: 404, means: 'There is no such ring: it has no items, or no ring can have this name.' },
  unknown_topic: { status: 404, means: 'Nobody is subscribed to this topic, or it is no name of one.' },
  unknown_subscription: { status: 404, means: 'The topic has no subscription of this name.' },
  too_many: { status: 409, means: 'A topic has at most 100 subscriptions, a deployment 1,000 topics.' },
  method_not_allowed: { status: 405, means: '`Allow` says which methods the path takes.' },
  not_pulled: { status: 409, means: 'The queue has a handler of its own, and takes no other consumers.' },
  ring_full: { status: 409, means: 'The ring would have more than 10,000 items. None was added.' },
  unknown_schedule: { status: 404, means: 'There is no such schedule.' },
  schedule_of_code: { status: 409, means: 'The schedule stands in the code: it can be paused, resumed and run.' },
  too_many_schedules: { status: 409, means: 'There are 10,000 schedules already.' },
  too_large: { status: 413, means: 'A message over 256 KiB, or a request over 4 MiB.' },
  unsupported_encoding: { status: 415, means: 'The body is compressed. It is taken as it was signed.' },
  rate_limited: {
    status: 429,
    means:
      'The token, the sender of webhooks, or an address that shows no token that is known, calls too often, where the deployment limits it; `Retry-After` says when to come back.',
  },
  invalid_message: {
    status: 422,
    means:
      '`errors` names the first 20 fields; in a batch, such as `messages[3].delay`. `moreErrors` says how many more there are.',
  },
  idempotency_key_reused: { status: 422, means: 'The key was used for another request.' },
  misconfigured: {
    status: 500,
    means: 'Settings of the deployment are missing or wrong: `detail` names them, and its log says how.',
  },
  internal: { status: 500, means: "Something went wrong; the Worker's log says more." },
  source_closed: {
    status: 503,
    means: 'The source has no secret that holds: its binding is not set, or cannot be read or used.',
  },
  invalid_route: {
    status: 503,
    means: 'The route of the source makes a message that its queue does not take; `errors` names the fields.',
  },
  storage_garbled: { status: 503, means: 'Storage gave an answer that makes no sense. The write may have happened.' },
  storage_unreachable: { status: 503, means: 'Storage does not answer. The write may have happened.' },
  storage_slow: { status: 503, means: 'Storage does not answer in time. The write may have happened.' },
  storage_refused: { status: 503, means: 'Storage refuses: quota, memory, or a token that may not write.' },
  storage_subrequests: {
    status: 503,
    means: "The platform's limit of subrequests was reached before storage was asked; the Worker's log says more.",
  },
} as const satisfies Record<ProblemCode, Meaning>;

export const CODES = Object.keys(MEANINGS) as ProblemCode[];

export const Issue = z.object({
  field: z.string(),
  code: z.enum([
    'required',
    'unknown_field',
    'invalid',
    'schema',
    'too_large',
    'size',
    'unknown_queue',
    'refused_address',
    'ordered',
    'too_deep',
    'inexact',
  ]),
  message: z.string(),
});

export const ProblemAnswer = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int().check(z.minimum(400), z.maximum(599)),
  code: z.enum(CODES),
  detail: z.optional(z.string()),
  errors: z.optional(z.array(Issue).check(z.maxLength(20))),
  moreErrors: z.optional(z.int().check(z.minimum(1))),
});

/** Headers that come with a problem of this status. */
export const PROBLEM_HEADERS: Record<number, string[]> = {
  401: ['WWW-Authenticate'],
  405: ['Allow'],
  429: ['Retry-After'],
  503: ['Retry-After'],
};

const OF_EVERY_CALL: ProblemCode[] = ['misconfigured', 'internal'];
export const OF_STORAGE: ProblemCode[] = [
  'storage_unreachable',
  'storage_slow',
  'storage_garbled',
  'storage_refused',
  'storage_subrequests',
];
const OF_TOKENS: ProblemCode[] = ['unauthorized', 'forbidden', 'cross_site', 'rate_limited'];

/** What a call can be refused with: what every call can, what every call with a token can, and its own. */
export function problemsOf(scope: string | undefined, own: ProblemCode[]): ProblemCode[] {
  const ofToken = scope ? [...OF_TOKENS, ...OF_STORAGE] : [];
  return [...ofToken, ...own, ...OF_EVERY_CALL];
}
