/** What each problem means, and how one is answered: for the document, and for whoever types an answer. */
import * as z from 'zod/mini';
import { describe, nameSchemas } from './openapi/describe.ts';
import type { ProblemCode } from './problem.ts';

/** A new code without a text does not compile. */
export const MEANINGS: Record<ProblemCode, string> = {
  incomplete_body: 'The body ended before it was whole.',
  invalid_json: 'The body is not JSON, or not UTF-8.',
  invalid_signature:
    'The signature, or the secret, is missing or wrong; or it was signed too long ago, or in the future.',
  invalid_idempotency_key: 'The key is not 1 to 255 visible ASCII characters.',
  unauthorized: 'No token, or none that is known here. With no tokens configured: always.',
  forbidden: 'The token lacks the scope, or is not for this queue. Of a source: its question is none that is answered.',
  cross_site: 'By cookie: the request did not come from a page of this origin, or its content type is not JSON.',
  not_found: 'There is nothing at this path.',
  unknown_queue: 'This deployment has no such queue.',
  unknown_source: 'This deployment has no such source.',
  unknown_message: 'There is no such message: it was never here, or it is done.',
  unknown_ring: 'There is no such ring: it has no items, or no ring can have this name.',
  unknown_topic: 'Nobody is subscribed to this topic, or it is no name of one.',
  unknown_subscription: 'The topic has no subscription of this name.',
  unknown_shard: 'The settings of the deployment name no such shard, or it is gone.',
  shard_refused: '`detail` says why. Nothing was changed.',
  too_many: 'A topic has at most 100 subscriptions, a deployment 1,000 topics.',
  method_not_allowed: '`Allow` says which methods the path takes.',
  not_a_pull_queue: 'The queue has a handler of its own, and takes no other consumers.',
  ring_full: 'The ring would have more than 10,000 items. None was added.',
  unknown_schedule: 'There is no such schedule.',
  schedule_of_code: 'The schedule stands in the code: it can be paused, resumed and run.',
  too_many_schedules: 'There are 10,000 schedules already.',
  too_large: 'A message over 256 KiB, or a request over 4 MiB.',
  unsupported_encoding: 'The body is compressed. It is taken as it was signed.',
  rate_limited:
    'The token, the sender of webhooks, or an address that shows no token that is known, calls too often, where the deployment limits it; `Retry-After` says when to come back.',
  invalid_message:
    '`errors` names the first 20 fields; in a batch, such as `messages[3].delay`. `moreErrors` says how many more there are.',
  idempotency_key_reused: 'The key was used for another request.',
  misconfigured: 'Settings of the deployment are missing or wrong: `detail` names them, and its log says how.',
  internal: "Something went wrong; the Worker's log says more.",
  source_closed: 'The source has no secret that holds: its binding is not set, or cannot be read or used.',
  invalid_route: 'The route of the source makes a message that its queue does not take; `errors` names the fields.',
  storage_garbled: 'Storage gave an answer that makes no sense. The write may have happened.',
  storage_unreachable: 'Storage does not answer. The write may have happened.',
  storage_slow: 'Storage does not answer in time. The write may have happened.',
  storage_refused: 'Storage refuses: quota, memory, or a token that may not write.',
  stored_format:
    'The database has data of another version of Sluice, in a format that this one does not know. Nothing was changed.',
  storage_subrequests:
    "The platform's limit of subrequests was reached before storage was asked; the Worker's log says more.",
};

const CODES = Object.keys(MEANINGS) as ProblemCode[];

const Issue = z.object({
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
    'other_lease',
    'holding_ids',
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
  shard: z.optional(z.string()),
});

nameSchemas({ Problem: ProblemAnswer, Issue });
describe(ProblemAnswer, {
  type: '`urn:sluice:problem:` and the code.',
  code: 'Stable: decide by it.',
  errors: 'Each field that is wrong.',
  shard: 'Of several shards the one that it is about.',
});
