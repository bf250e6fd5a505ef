/** One draft: made a complete message by its queue's policy, or a list of all that is wrong with it. */
import type * as z from 'zod/mini';
import type { Issue } from '../errors.ts';
import { shortDigest } from '../formats/digest.ts';
import { parseDuration } from '../formats/duration.ts';
import { issuesOf, issuesOfBody, ofOrdered } from '../formats/issues.ts';
import { groupOf } from '../message/destination.ts';
import type { StoredDedup, StoredMessage, Unnamed } from '../message/envelope.ts';
import { type Written, writeJson } from '../message/json.ts';
import { DRAINED, laneOf } from '../message/lane.ts';
import type { Priority } from '../message/message.ts';
import { type CheckedOptions, isBare, MAX_GROUP_LENGTH, parseInstant, readOptions } from '../message/options.ts';
import type { Raw } from '../message/raw.ts';
import { TRACEPARENT_BYTES } from '../message/trace-context.ts';
import type { AnyContract } from '../queue/contract.ts';
import { type Chosen, chooseDestination } from '../queue/destination.ts';
import type { AnyQueue } from '../queue/queue.ts';

export type Queues = ReadonlyMap<string, AnyQueue>;

export interface Draft {
  /** undefined: the caller named none that is here. */
  queue: AnyContract | undefined;
  body: unknown;
  /** The bytes that the body was parsed from: they are stored instead of it. */
  raw?: Raw;
  /** Judged by `MessageOptions`. */
  options: unknown;
  /** Where it stands in the caller's request, such as `messages[3].`; '' where it is the request. */
  at: string;
}

type Terms = Omit<StoredDedup, 'digest'>;
type Completed = { message: Unnamed } | { issues: Issue[] };

/** What a draft says. */
interface Read {
  /** Empty where there is an error. */
  options: CheckedOptions;
  error: z.core.$ZodError | undefined;
  chosen: Chosen;
  /** Of its dedup key. */
  terms: Terms | undefined;
  delayMs: number;
  notBefore: number | undefined;
  written: Written;
  // These have to be waited for, and are there only where it asks for them.
  dedup?: StoredDedup | undefined;
  badBody?: Issue[];
  group?: string | undefined;
  followers?: Followers | undefined;
}

/** The most that `delayMs` and `notBefore` add to a stored message. */
const DUE_BYTES = 48;

/** A plain message comes without a promise, and by the shortest way: in a batch of a thousand each step counts. */
export function complete(draft: Draft, queues: Queues, traceparent?: string): Completed | Promise<Completed> {
  const plain = plainOf(draft, queues);
  if (plain) {
    const { json, issue } = write(draft, {}, traceparent);
    return issue ? { issues: [issue] } : { message: { ...plain, json: json as string } };
  }
  const read = readDraft(draft, queues, traceparent);
  const { onSuccess, onDeath } = read.options;
  const waits = draft.queue?.schema || read.terms || read.chosen.destination || onSuccess || onDeath;
  return waits ? completeLater(draft, read, queues, traceparent) : conclude(draft, read);
}

const plainMessages = new WeakMap<AnyContract, Unnamed>();

/** What all messages of a queue are that ask for nothing of their own; undefined where this one does, or its queue looks at each. */
function plainOf({ queue, options }: Draft, queues: Queues): Unnamed | undefined {
  if (!queue || !isBare(options) || queue.schema || policyOf(queue, queues)) return undefined;
  let plain = plainMessages.get(queue);
  if (!plain) {
    plain = messageOf(queue, { options: {}, delayMs: 0 }, '');
    plainMessages.set(queue, plain);
  }
  return plain;
}

const policyOf = (queue: AnyContract, queues: Queues) => (queues.get(queue.name) ?? queue).destination;

function readDraft(draft: Draft, queues: Queues, traceparent?: string): Read {
  const { queue, at } = draft;
  const { data: options = {}, error } = readOptions(draft.options);
  const { headers, delay = 0 } = options;
  const chosen = queue && !error ? chooseDestination(policyOf(queue, queues), options.destination, at) : {};
  const terms = queue && options.dedup && termsOf(queue, options.dedup);
  const delayMs = Math.max(parseDuration(delay) ?? 0, terms?.mode === 'debounce' ? terms.windowMs : 0);
  const notBefore = options.notBefore === undefined ? undefined : parseInstant(options.notBefore);
  const { destination } = chosen;
  const written = write(draft, { headers, destination, delayMs, notBefore }, traceparent);
  return { options, error, chosen, terms, delayMs, notBefore, written };
}

/** Each field more costs its writing, also where it is undefined. */
function write({ body, raw, at }: Draft, own: Omit<StoredMessage, 'body' | 'raw'>, traceparent?: string): Written {
  const { headers, destination, delayMs, notBefore } = own;
  const stored: StoredMessage = raw ? { raw } : { body };
  if (traceparent) stored.headers = { traceparent, ...headers };
  else if (headers) stored.headers = headers;
  if (destination) stored.destination = destination;
  if (delayMs) stored.delayMs = delayMs;
  if (notBefore !== undefined) stored.notBefore = notBefore;
  const ownBytes = (traceparent ? TRACEPARENT_BYTES : 0) + (delayMs || notBefore ? DUE_BYTES : 0);
  return writeJson(body, stored, at, ownBytes);
}

async function completeLater(draft: Draft, read: Read, queues: Queues, traceparent?: string): Promise<Completed> {
  const { options, chosen, terms } = read;
  const { dedup, onSuccess, onDeath } = options;
  return conclude(draft, {
    ...read,
    followers: (onSuccess || onDeath) && (await followersOf(options, queues, draft.at, traceparent)),
    dedup: dedup && terms && { ...terms, digest: await shortDigest(dedup.key) },
    badBody: read.written.issue?.code === 'too_deep' ? [] : await badBody(draft), // a schema goes into the depth by calls
    group: chosen.destination && (await groupOf(chosen.destination, MAX_GROUP_LENGTH)),
  });
}

function conclude({ queue, at }: Draft, read: Read): Completed {
  const { options, error, chosen, badBody, written, followers } = read;
  const issues: Issue[] = [...issuesOf(error, at), ...(badBody ?? []), ...(followers?.issues ?? [])];
  if (!queue) issues.push({ field: `${at}queue`, code: 'unknown_queue', message: 'is no queue of this deployment' });
  if (chosen.issue) issues.push(chosen.issue);
  if (written.issue) issues.push(written.issue);
  if (queue?.ordered && options.priority !== undefined) {
    issues.push(ofOrdered(at));
  }
  if (issues.length > 0 || !queue || written.json === undefined) return { issues };
  return { message: messageOf(queue, read, written.json) };
}

type Settings = Pick<Read, 'options' | 'delayMs'> & Partial<Read>;

function messageOf(queue: AnyContract, read: Settings, json: string): Unnamed {
  const { options, delayMs, notBefore, dedup, followers, group } = read;
  return {
    lane: laneOf((options.priority as Priority | undefined) ?? queue.priority, queue.name, options.group ?? group),
    pool: queue.pool,
    maxAttempts: options.maxAttempts ?? queue.attempts,
    delayMs,
    notBefore: notBefore ?? 0,
    ttlMs: parseDuration(options.ttl ?? queue.ttlMs) ?? 0,
    retentionMs: parseDuration(options.retention ?? queue.retentionMs) ?? 0,
    dedup,
    follows: followers?.messages[0] && followers.messages,
    json,
  };
}

interface Followers {
  messages: NonNullable<Unnamed['follows']>;
  issues: Issue[];
}

async function followersOf(
  options: CheckedOptions,
  queues: Queues,
  at: string,
  traceparent: string | undefined,
): Promise<Followers> {
  const followers: Followers = { messages: [], issues: [] };
  for (const [on, field] of [['done', 'onSuccess'] as const, ['dead', 'onDeath'] as const]) {
    const named = options[field] ?? [];
    for (const [index, { queue, body, ...rest }] of [named].flat().entries()) {
      const place = Array.isArray(named) ? `${at}${field}[${index}].` : `${at}${field}.`;
      const result = await complete({ queue: queues.get(queue), body, options: rest, at: place }, queues, traceparent);
      if ('issues' in result) followers.issues = [...followers.issues, ...result.issues];
      else followers.messages.push({ on, message: result.message });
    }
  }
  return followers;
}

function termsOf(queue: AnyContract, dedup: NonNullable<CheckedOptions['dedup']>): Terms {
  const { windowMs, release } = queue.dedup;
  const mode = dedup.mode ?? queue.dedup.mode;
  return {
    windowMs: parseDuration(dedup.window ?? windowMs) ?? windowMs,
    mode: mode === 'throttle' ? 'drop' : mode,
    release: mode !== 'throttle' && (dedup.release ?? release), // a throttled key lasts its period
  };
}

async function badBody({ queue, body, raw, at }: Draft): Promise<Issue[]> {
  // What a sender elsewhere signed is not refused by our schema: its handler's check makes it a dead letter, bytes and all.
  if (body === undefined || (raw && queue?.pool === DRAINED)) return [];
  const { issues = [] } = (await queue?.schema?.['~standard'].validate(body)) ?? {};
  return issuesOfBody(issues, at);
}
