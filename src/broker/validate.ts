/** Validation of one input: it is made a message by its queue's policy, or a list of all that is wrong with it. */
import type * as z from 'zod/mini';
import type { Issue } from '../errors.ts';
import { shortDigest } from '../formats/digest.ts';
import { parseDuration } from '../formats/duration.ts';
import { makeOrderedIssue, toBodyIssues, toIssues } from '../formats/issues.ts';
import { deriveGroup } from '../message/destination.ts';
import type { PreparedMessage, StoredDedup, StoredMessage } from '../message/envelope.ts';
import { type EncodedBody, writeJson } from '../message/json.ts';
import { formatLane, PUSH_POOL } from '../message/lane.ts';
import type { Priority } from '../message/message.ts';
import { type CheckedOptions, isBare, MAX_GROUP_LENGTH, parseInstant, readOptions } from '../message/options.ts';
import type { Raw } from '../message/raw.ts';
import { TRACEPARENT_BYTES } from '../message/trace-context.ts';
import type { AnyContract } from '../queue/contract.ts';
import { chooseDestination, type DestinationChoice } from '../queue/destination.ts';
import type { AnyQueue } from '../queue/queue.ts';

export type Queues = ReadonlyMap<string, AnyQueue>;

export interface MessageInput {
  /** undefined where the requested queue is none of this deployment. */
  queue: AnyContract | undefined;
  body: unknown;
  /** The bytes that the body was parsed from: they are stored instead of it. */
  raw?: Raw;
  /** Judged by `MessageOptions`. */
  options: unknown;
  /** Prefix of its fields in the caller's request, such as `messages[3].`; '' where the message is the request itself. */
  path: string;
}

type DedupTerms = Omit<StoredDedup, 'digest'>;
type Validation = { message: PreparedMessage } | { issues: Issue[] };

/** An input whose options are parsed and whose JSON is written. */
interface ReadInput {
  /** Empty where there is an error. */
  options: CheckedOptions;
  error: z.core.$ZodError | undefined;
  chosen: DestinationChoice;
  /** How long its dedup key holds, and what becomes of duplicates. */
  terms: DedupTerms | undefined;
  delayMs: number;
  notBefore: number | undefined;
  written: EncodedBody;
  // These are asynchronous, and set only where the input asks for them.
  dedup?: StoredDedup | undefined;
  badBody?: Issue[];
  group?: string | undefined;
  callbacks?: Callbacks | undefined;
}

/** The most that `delayMs` and `notBefore` add to a stored message. */
const DUE_BYTES = 48;

/** Validates a message. The result of a plain one is no promise and takes the shortest way: in a batch of a thousand each step counts. */
export function validate(input: MessageInput, queues: Queues, traceparent?: string): Validation | Promise<Validation> {
  const plain = findPlain(input, queues);
  if (plain) {
    const { json, issue } = write(input, {}, traceparent);
    return issue ? { issues: [issue] } : { message: { ...plain, json: json as string } };
  }
  const read = readInput(input, queues, traceparent);
  const { onSuccess, onFailure } = read.options;
  const waits = input.queue?.schema || read.terms || read.chosen.destination || onSuccess || onFailure;
  return waits ? validateLater(input, read, queues, traceparent) : conclude(input, read);
}

const plainMessages = new WeakMap<AnyContract, PreparedMessage>();

/** The message that all inputs without options of their own make; undefined where this one has some, or its queue judges each body. */
function findPlain({ queue, options }: MessageInput, queues: Queues): PreparedMessage | undefined {
  if (!queue || !isBare(options) || queue.schema || findPolicy(queue, queues)) return undefined;
  let plain = plainMessages.get(queue);
  if (!plain) {
    plain = buildMessage(queue, { options: {}, delayMs: 0 }, '');
    plainMessages.set(queue, plain);
  }
  return plain;
}

const findPolicy = (queue: AnyContract, queues: Queues) => (queues.get(queue.name) ?? queue).destination;

function readInput(input: MessageInput, queues: Queues, traceparent?: string): ReadInput {
  const { queue, path } = input;
  const { data: options = {}, error } = readOptions(input.options);
  const { headers, delay = 0 } = options;
  const chosen = queue && !error ? chooseDestination(findPolicy(queue, queues), options.destination, path) : {};
  const terms = queue && options.dedup && resolveDedup(queue, options.dedup);
  const delayMs = Math.max(parseDuration(delay) ?? 0, terms?.mode === 'debounce' ? terms.windowMs : 0);
  const notBefore = options.notBefore === undefined ? undefined : parseInstant(options.notBefore);
  const { destination } = chosen;
  const written = write(input, { headers, destination, delayMs, notBefore }, traceparent);
  return { options, error, chosen, terms, delayMs, notBefore, written };
}

/** Each field more costs its writing, also where it is undefined. */
function write(
  { body, raw, path }: MessageInput,
  own: Omit<StoredMessage, 'body' | 'raw'>,
  traceparent?: string,
): EncodedBody {
  const { headers, destination, delayMs, notBefore } = own;
  const stored: StoredMessage = raw ? { raw } : { body };
  if (traceparent) stored.headers = { traceparent, ...headers };
  else if (headers) stored.headers = headers;
  if (destination) stored.destination = destination;
  if (delayMs) stored.delayMs = delayMs;
  if (notBefore !== undefined) stored.notBefore = notBefore;
  const ownBytes = (traceparent ? TRACEPARENT_BYTES : 0) + (delayMs || notBefore ? DUE_BYTES : 0);
  return writeJson(body, stored, path, ownBytes);
}

async function validateLater(
  input: MessageInput,
  read: ReadInput,
  queues: Queues,
  traceparent?: string,
): Promise<Validation> {
  const { options, chosen, terms } = read;
  const { dedup, onSuccess, onFailure } = options;
  return conclude(input, {
    ...read,
    callbacks: (onSuccess || onFailure) && (await prepareCallbacks(options, queues, input.path, traceparent)),
    dedup: dedup && terms && { ...terms, digest: await shortDigest(dedup.key) },
    badBody: read.written.issue?.code === 'too_deep' ? [] : await badBody(input), // a schema goes into the depth by calls
    group: chosen.destination && (await deriveGroup(chosen.destination, MAX_GROUP_LENGTH)),
  });
}

function conclude({ queue, path }: MessageInput, read: ReadInput): Validation {
  const { options, error, chosen, badBody, written, callbacks } = read;
  const issues: Issue[] = [...toIssues(error, path), ...(badBody ?? []), ...(callbacks?.issues ?? [])];
  if (!queue) issues.push({ field: `${path}queue`, code: 'unknown_queue', message: 'is no queue of this deployment' });
  if (chosen.issue) issues.push(chosen.issue);
  if (written.issue) issues.push(written.issue);
  if (queue?.ordered && options.priority !== undefined) {
    issues.push(makeOrderedIssue(path));
  }
  if (issues.length > 0 || !queue || written.json === undefined) return { issues };
  return { message: buildMessage(queue, read, written.json) };
}

type Settings = Pick<ReadInput, 'options' | 'delayMs'> & Partial<ReadInput>;

function buildMessage(queue: AnyContract, read: Settings, json: string): PreparedMessage {
  const { options, delayMs, notBefore, dedup, callbacks, group } = read;
  return {
    lane: formatLane((options.priority as Priority | undefined) ?? queue.priority, queue.name, options.group ?? group),
    pool: queue.pool,
    maxAttempts: options.maxAttempts ?? queue.attempts,
    delayMs,
    notBefore: notBefore ?? 0,
    ttlMs: parseDuration(options.ttl ?? queue.ttlMs) ?? 0,
    resultTtlMs: parseDuration(options.resultTtl ?? queue.resultTtlMs) ?? 0,
    dedup,
    callbacks: callbacks?.messages[0] && callbacks.messages,
    json,
  };
}

interface Callbacks {
  messages: NonNullable<PreparedMessage['callbacks']>;
  issues: Issue[];
}

async function prepareCallbacks(
  options: CheckedOptions,
  queues: Queues,
  prefix: string,
  traceparent: string | undefined,
): Promise<Callbacks> {
  const callbacks: Callbacks = { messages: [], issues: [] };
  for (const [on, field] of [['done', 'onSuccess'] as const, ['dead', 'onFailure'] as const]) {
    const named = options[field] ?? [];
    for (const [index, { queue, body, ...rest }] of [named].flat().entries()) {
      const place = Array.isArray(named) ? `${prefix}${field}[${index}].` : `${prefix}${field}.`;
      const result = await validate(
        { queue: queues.get(queue), body, options: rest, path: place },
        queues,
        traceparent,
      );
      if ('issues' in result) callbacks.issues = [...callbacks.issues, ...result.issues];
      else callbacks.messages.push({ on, message: result.message });
    }
  }
  return callbacks;
}

function resolveDedup(queue: AnyContract, dedup: NonNullable<CheckedOptions['dedup']>): DedupTerms {
  const { windowMs, release } = queue.dedup;
  const mode = dedup.mode ?? queue.dedup.mode;
  return {
    windowMs: parseDuration(dedup.window ?? windowMs) ?? windowMs,
    mode: mode === 'throttle' ? 'drop' : mode,
    release: mode !== 'throttle' && (dedup.release ?? release), // a throttled key lasts its period
  };
}

async function badBody({ queue, body, raw, path }: MessageInput): Promise<Issue[]> {
  // What a sender elsewhere signed is not refused by our schema: its handler's check makes it a dead letter, bytes and all.
  if (body === undefined || (raw && queue?.pool === PUSH_POOL)) return [];
  const { issues = [] } = (await queue?.schema?.['~standard'].validate(body)) ?? {};
  return toBodyIssues(issues, path);
}
