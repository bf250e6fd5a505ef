/** Problems: every error answer of the API, as application/problem+json (RFC 9457) with a stable code. */
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import {
  BadSettings,
  InvalidMessage,
  type Issue,
  RequestMismatch,
  StorageError,
  type StorageFailure,
  UnknownTopic,
} from '../errors.ts';

/** Each with the status and the title of its answer. What it means, in more words, is in problem.doc.ts. */
export const PROBLEMS = {
  incomplete_body: { status: 400, title: 'The body ended before it was whole' },
  invalid_json: { status: 400, title: 'The body is not JSON' },
  invalid_signature: { status: 401, title: 'The signature is missing, wrong, or too old' },
  invalid_idempotency_key: { status: 400, title: 'The Idempotency-Key is not 1 to 255 visible ASCII characters' },
  unauthorized: { status: 401, title: 'A valid bearer token is needed' },
  forbidden: { status: 403, title: 'The token is not for this' },
  cross_site: { status: 403, title: 'A session is for the pages of this very origin' },
  not_found: { status: 404, title: 'There is nothing at this path' },
  unknown_queue: { status: 404, title: 'This deployment has no such queue' },
  unknown_source: { status: 404, title: 'This deployment has no such source' },
  unknown_message: { status: 404, title: 'There is no such message: it was never here, or it is done' },
  unknown_ring: { status: 404, title: 'There is no such ring: it has no items' },
  unknown_topic: { status: 404, title: 'Nobody is subscribed to this topic' },
  unknown_subscription: { status: 404, title: 'The topic has no such subscription' },
  unknown_shard: { status: 404, title: 'This deployment has no such shard' },
  shard_refused: { status: 409, title: 'The shards cannot be changed so' },
  too_many: { status: 409, title: 'There are as many as there may be' },
  unknown_schedule: { status: 404, title: 'There is no such schedule' },
  schedule_of_code: { status: 409, title: 'This schedule stands in the code of the deployment' },
  too_many_schedules: { status: 409, title: 'There are 10,000 schedules already' },
  not_a_pull_queue: { status: 409, title: 'This queue is not for consumers' },
  ring_full: { status: 409, title: 'The ring would have more items than a ring may have' },
  method_not_allowed: { status: 405, title: 'The path does not take this method' },
  too_large: { status: 413, title: 'The request is too large' },
  unsupported_encoding: { status: 415, title: 'A body is taken as it was signed: not compressed' },
  rate_limited: { status: 429, title: 'The caller calls too often' },
  invalid_message: { status: 422, title: 'The request was understood but is not valid' },
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key was used for another request' },
  misconfigured: { status: 500, title: 'The settings of this deployment are wrong; its log names them' },
  internal: { status: 500, title: 'Something went wrong here' },
  source_closed: { status: 503, title: 'The source has no secret yet, or none that can be used' },
  invalid_route: { status: 503, title: 'The route of this source makes a message that is not valid' },
  storage_garbled: { status: 503, title: 'Storage gave an answer that makes no sense' },
  storage_unreachable: { status: 503, title: 'Storage does not answer' },
  storage_slow: { status: 503, title: 'Storage does not answer in time' },
  storage_refused: { status: 503, title: 'Storage refuses' },
  stored_format: { status: 503, title: 'The database has data of another version of Sluice' },
  storage_subrequests: { status: 503, title: 'The platform lets this request make no more of its own' },
} as const satisfies Record<string, { status: ContentfulStatusCode; title: string }>;

export type ProblemCode = keyof typeof PROBLEMS;

/** Thrown anywhere in a request, it becomes the answer. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly issues: Issue[] | undefined;
  readonly headers: Record<string, string>;
  /** Issues that are not named. */
  readonly more: number;
  /** The shard that it is about, where there are several. */
  shard?: string | undefined;

  constructor(code: ProblemCode, detail?: string, issues?: Issue[], headers: Record<string, string> = {}, more = 0) {
    super(detail ?? PROBLEMS[code].title);
    this.code = code;
    this.issues = issues;
    this.headers = headers;
    this.more = more;
  }
}

/** A name that a caller asked for is shown where it has nothing but what names are made of. */
const SHOWN = /^[\w.-]{1,64}$/;

/** There is nothing of this name. */
export function unknown(code: ProblemCode & `unknown_${string}`, name = ''): Problem {
  return new Problem(code, SHOWN.test(name) ? `${PROBLEMS[code].title} (${name})` : undefined);
}

/** How soon it makes sense to send the same request again, s. A refusal lasts: quota, memory, a token. */
const RETRY_AFTER_S = { unreachable: 1, slow: 5, garbled: 1, refused: 30, format: 30, subrequests: 1 } satisfies Record<
  StorageFailure,
  number
>;

/** What any error means to the caller. Unknown ones say nothing: their texts may hold what is nobody's business. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof BadSettings) return new Problem('misconfigured', namesIn(error.message));
  if (error instanceof UnknownTopic) return unknown('unknown_topic', error.message);
  if (error instanceof RequestMismatch) return new Problem('idempotency_key_reused');
  if (error instanceof StorageError) {
    const afterS = Math.max(RETRY_AFTER_S[error.code], Math.ceil(error.afterMs / 1_000));
    const code = error.code === 'format' ? 'stored_format' : (`storage_${error.code}` as const);
    const detail = error.shard === undefined ? error.reason : `${error.reason} (shard ${error.shard})`;
    return Object.assign(new Problem(code, detail, undefined, { 'retry-after': String(afterS) }), {
      shard: error.shard,
    });
  }
  if (error instanceof InvalidMessage) {
    const tooLarge = error.issues.some(({ code }) => code === 'too_large');
    return new Problem(tooLarge ? 'too_large' : 'invalid_message', undefined, error.issues, {}, error.more);
  }
  return new Problem('internal');
}

/** Which settings, for whoever has no log open: what is wrong with them is for the log. */
function namesIn(message: string): string {
  const names = new Set(message.match(/^queue [\w.-]+|\b[A-Z]+_\w+/g)); // a queue has settings of its own, such as its url
  return `Missing or wrong: ${[...names].join(', ')}; the log of the Worker says how`;
}

export function answerProblem(c: Context, problem: Problem): Response {
  const { body, status, headers } = describeProblem(problem);
  return c.body(body, status, headers);
}

/** Where no application answers. */
export function respondProblem(problem: Problem): Response {
  const { body, ...init } = describeProblem(problem);
  return new Response(body, init);
}

function describeProblem(problem: Problem) {
  const { status, title } = PROBLEMS[problem.code];
  const detail = problem.message === title ? {} : { detail: problem.message };
  const errors = problem.issues ? { errors: problem.issues } : {};
  const more = problem.more > 0 ? { moreErrors: problem.more } : {};
  const type = `urn:sluice:problem:${problem.code}`;
  const shard = problem.shard === undefined ? {} : { shard: problem.shard };
  const body = { type, title, status, code: problem.code, ...detail, ...shard, ...errors, ...more };
  const headers: Record<string, string> = { 'content-type': 'application/problem+json', ...problem.headers };
  return { body: JSON.stringify(body), status, headers };
}
