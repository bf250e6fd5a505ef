/** Enqueueing: turns what callers ask for into complete messages, or into a list of what is wrong with them. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type * as z from 'zod/mini';
import { chooseDestination, groupOf } from './destinations/destination.ts';
import { shortDigest } from './digest.ts';
import { parseDuration } from './duration.ts';
import { InvalidMessage, type Issue } from './errors.ts';
import {
  DRAINED,
  laneOf,
  MAX_GROUP_LENGTH,
  MAX_MESSAGE_BYTES,
  type NewMessage,
  newToken,
  type Priority,
  type Raw,
  type StoredDedup,
  type StoredMessage,
  type Unnamed,
} from './message.ts';
import { MessageOptions, parseInstant } from './message-options.ts';
import type { AnyQueue } from './queue.ts';
import type { Store } from './store/store.ts';
import { TRACEPARENT_BYTES } from './telemetry/trace-context.ts';

/** The most messages one request may carry. */
export const MAX_BATCH = 1_000;

/** The most bytes one request may carry: quoted on its way to storage it doubles at worst, and 10 MB are refused there. */
export const MAX_REQUEST_BYTES = 4 * 1024 * 1024;

export type Queues = ReadonlyMap<string, AnyQueue>;

export interface Draft {
  /** undefined: the caller named none that is here. */
  queue: AnyQueue | undefined;
  body: unknown;
  /** The bytes that the body was parsed from: they are stored instead of it. */
  raw?: Raw;
  /** Judged by `MessageOptions`. */
  options: unknown;
  /** Where it stands in the caller's request, such as `messages[3].`; '' where it is the request. */
  at: string;
}

/** What the caller of an enqueue gets for each message. */
export interface Receipt {
  id: string;
  queue: string;
  state: 'ready' | 'delayed' | 'duplicate';
  /** Its dedup key was taken: the id is that of the first message, and this one was not enqueued. */
  duplicate: boolean;
  /** The first message waits still, and has this body now. */
  replaced?: true;
}

export interface Enqueued {
  receipts: Receipt[];
  /** The caller should start a drain. */
  wake: boolean;
  /** The request had been applied before. */
  repeated: boolean;
}

/** Names a request, so that sending it again enqueues nothing twice. */
export interface RequestName {
  token: string;
  fingerprint: string;
  recognisedMs: number;
  /** Remembered with it: text without blanks. */
  note?: string;
}

/**
 * All of them or none.
 * @param traceparent goes with each message that has none of its own
 * @throws InvalidMessage that lists each fault; StorageError; RequestMismatch
 */
export async function enqueueDrafts(
  store: Store,
  queues: Queues,
  drafts: Draft[],
  name?: RequestName,
  traceparent?: string,
): Promise<Enqueued> {
  if (drafts.length < 1 || drafts.length > MAX_BATCH) {
    const message = `must hold 1 to ${MAX_BATCH} messages`;
    throw new InvalidMessage([{ field: 'messages', code: 'size', message }]);
  }
  const messages: Unnamed[] = [];
  const issues: Issue[] = [];
  for (const draft of drafts) {
    const result = await complete(draft, queues, traceparent);
    if ('message' in result) messages.push(result.message);
    else issues.push(...result.issues);
  }
  if (isOver(messages.flatMap(jsonOf).join(''), MAX_REQUEST_BYTES)) {
    const message = `must take at most ${MAX_REQUEST_BYTES} bytes together`;
    issues.push({ field: 'messages', code: 'too_large', message });
  }
  if (issues.length > 0) throw new InvalidMessage(issues);
  const { ids, wake, repeated, met } = await store.enqueue({ messages, ...name });
  const receipts = messages.map(({ delayMs, notBefore = 0 }, index): Receipt => {
    const isLater = delayMs > 0 || notBefore > Date.now();
    return receiptOf(drafts[index]?.queue?.name ?? '', ids[index] as string, isLater, met.get(index));
  });
  return { receipts, wake, repeated };
}

/** @param first the message that it met under its dedup key */
export function receiptOf(
  queue: string,
  id: string,
  isLater: boolean,
  first: { id: string; what: 'duplicate' | 'replaced' } | undefined,
): Receipt {
  if (!first) return { id, queue, state: isLater ? 'delayed' : 'ready', duplicate: false };
  const replaced = first.what === 'replaced' ? { replaced: true as const } : {};
  return { id: first.id, queue, state: 'duplicate', duplicate: true, ...replaced };
}

/**
 * A message that is enqueued with the ack of another: it has its id already.
 * @throws InvalidMessage
 */
export async function prepare(queues: Queues, draft: Draft, traceparent?: string): Promise<NewMessage> {
  const result = await complete(draft, queues, traceparent);
  if ('issues' in result) throw new InvalidMessage(result.issues);
  return { id: newToken(), ...result.message };
}

/** What a message and those that follow on it take. */
export const jsonOf = ({ json, follows = [] }: Unnamed): string[] => [
  json,
  ...follows.map(({ message }) => message.json),
];

/** The queues that a message and those that follow on it name: whoever enqueues it must be let into each. */
export function queuesNamed(options: unknown): string[] {
  const { onSuccess, onDeath } = (options ?? {}) as Record<string, unknown>;
  return [onSuccess, onDeath].flat().flatMap((next) => {
    const { queue } = (next ?? {}) as { queue?: unknown };
    return typeof queue === 'string' ? [queue] : [];
  });
}

/** One draft as a message, or all that is wrong with it. */
export async function complete(
  draft: Draft,
  queues: Queues,
  traceparent?: string,
): Promise<{ message: Unnamed } | { issues: Issue[] }> {
  const { queue, body, raw, options, at } = draft;
  const parsed = MessageOptions.safeParse(options);
  const { priority, group, delay, notBefore, ttl, maxAttempts, headers, retention, dedup } = parsed.data ?? {};
  const followers = await followersOf(parsed.data ?? {}, queues, at, traceparent);
  const policy = queue && (queues.get(queue.name) ?? queue).destination;
  const chosen = queue && parsed.success ? chooseDestination(policy, parsed.data.destination, at) : {};
  const destination = 'destination' in chosen ? chosen.destination : undefined;
  const stored = dedup && queue ? await storedDedup(queue, dedup) : undefined;
  const asked = parseDuration(delay ?? 0) ?? 0;
  const delayMs = stored?.mode === 'debounce' ? Math.max(asked, stored.windowMs) : asked;
  const json = toJson(body, {
    ...(raw ? { raw } : { body }),
    headers: traceparent ? { traceparent, ...headers } : headers,
    destination,
    delayMs: delayMs || undefined,
    notBefore: notBefore === undefined ? undefined : parseInstant(notBefore),
  });
  // What a sender elsewhere signed is not refused by our schema: its handler's check makes it a dead letter, bytes and all.
  const schema = raw && queue?.pool === DRAINED ? undefined : queue?.schema;
  const issues = [
    ...(queue ? [] : [{ field: `${at}queue`, code: 'unknown_queue', message: 'is no queue of this deployment' }]),
    ...issuesOf(parsed.error, at),
    ...('issue' in chosen ? [chosen.issue] : []),
    ...(await badBody(schema, body, at)),
    ...badJson(body, json, at, (traceparent ? TRACEPARENT_BYTES : 0) + (delayMs || notBefore ? DUE_BYTES : 0)),
    ...(queue?.ordered && priority !== undefined
      ? [{ field: `${at}priority`, code: 'ordered', message: ONE_PRIORITY }]
      : []),
    ...followers.issues,
  ];
  if (issues.length > 0 || !queue || json === undefined) return { issues };
  const ownGroup = group ?? (destination && (await groupOf(destination, MAX_GROUP_LENGTH)));
  return {
    message: {
      lane: laneOf((priority as Priority | undefined) ?? queue.priority, queue.name, ownGroup),
      pool: queue.pool,
      maxAttempts: maxAttempts ?? queue.attempts,
      delayMs,
      ...(notBefore === undefined ? {} : { notBefore: parseInstant(notBefore) ?? 0 }),
      ttlMs: parseDuration(ttl ?? queue.ttlMs) ?? 0,
      retentionMs: parseDuration(retention ?? queue.retentionMs) ?? 0,
      ...(stored ? { dedup: stored } : {}),
      ...(followers.messages.length > 0 ? { follows: followers.messages } : {}),
      json,
    },
  };
}

const ONE_PRIORITY = 'is that of its queue: the queue is ordered';

interface Followers {
  messages: NonNullable<Unnamed['follows']>;
  issues: Issue[];
}

async function followersOf(
  { onSuccess = [], onDeath = [] }: z.output<typeof MessageOptions>,
  queues: Queues,
  at: string,
  traceparent: string | undefined,
): Promise<Followers> {
  const followers: Followers = { messages: [], issues: [] };
  for (const [on, field, named] of [['done', 'onSuccess', onSuccess] as const, ['dead', 'onDeath', onDeath] as const]) {
    for (const [index, { queue, body, ...options }] of [named].flat().entries()) {
      const place = Array.isArray(named) ? `${at}${field}[${index}].` : `${at}${field}.`;
      const result = await complete({ queue: queues.get(queue), body, options, at: place }, queues, traceparent);
      if ('issues' in result) followers.issues.push(...result.issues);
      else followers.messages.push({ on, message: result.message });
    }
  }
  return followers;
}

async function storedDedup(
  queue: AnyQueue,
  dedup: NonNullable<z.output<typeof MessageOptions>['dedup']>,
): Promise<StoredDedup> {
  const { windowMs, release } = queue.dedup;
  const mode = dedup.mode ?? queue.dedup.mode;
  return {
    digest: await shortDigest(dedup.key),
    windowMs: parseDuration(dedup.window ?? windowMs) ?? windowMs,
    mode: mode === 'throttle' ? 'drop' : mode,
    release: mode !== 'throttle' && (dedup.release ?? release), // a throttled key lasts its period
  };
}

/** @returns undefined for what JSON cannot hold: functions, cycles, big integers, nesting beyond the stack */
function toJson(body: unknown, message: StoredMessage): string | undefined {
  try {
    const text = JSON.stringify(body);
    if (text === undefined) return undefined;
    const { body: _, ...rest } = message;
    const isPlain = Object.values(rest).every((value) => value === undefined);
    return isPlain ? `{"body":${text}}` : JSON.stringify(message); // written once: a fifth of what a batch costs here
  } catch {
    return undefined;
  }
}

/** The most that `delayMs` and `notBefore` add to a stored message. */
const DUE_BYTES = 48;

/** @param ownBytes what was added to what the caller sent */
function badJson(body: unknown, json: string | undefined, at: string, ownBytes: number): Issue[] {
  const issue = (code: string, message: string) => [{ field: `${at}body`, code, message }];
  if (body === undefined) return issue('required', 'is required');
  if (json === undefined) return issue('invalid', 'cannot be written as JSON');
  if (!isOver(json, MAX_MESSAGE_BYTES + ownBytes)) return [];
  return issue('too_large', `must take at most ${MAX_MESSAGE_BYTES} bytes, headers included`);
}

/** @param at where the value stands in the request */
export function issuesOf(error: z.core.$ZodError | undefined, at: string): Issue[] {
  return (error?.issues ?? []).flatMap(({ code, path, message, ...issue }) => {
    const here = [...path].map(String).join('.');
    const near = code === 'invalid_union' && (issue as z.core.$ZodIssueInvalidUnion).errors?.find(isInside);
    if (near) return issuesOf({ issues: near } as z.core.$ZodError, at + (here ? `${here}.` : ''));
    if (code !== 'unrecognized_keys') return [{ field: at + here, code: 'invalid', message }];
    const { keys } = issue as { keys: string[] };
    const field = (key: string) => at + (here ? `${here}.${key}` : key);
    return keys.map((key) => ({ field: field(key), code: 'unknown_field', message: 'is not a field here' }));
  });
}

/** A form that was meant: it is right as a whole, and wrong in a field. "Invalid input" would not say in which. */
const isInside = (issues: z.core.$ZodIssue[]) =>
  issues.every(({ code, path }) => path.length > 0 || code === 'unrecognized_keys');

async function badBody(schema: StandardSchemaV1 | undefined, body: unknown, at: string): Promise<Issue[]> {
  if (body === undefined) return [];
  const result = schema?.['~standard'].validate(body);
  const { issues = [] } = (result instanceof Promise ? await result : result) ?? {};
  return issues.map(({ path = [], message }) => {
    const steps = path.map((step) => String(typeof step === 'object' ? step.key : step));
    return { field: [`${at}body`, ...steps].join('.'), code: 'schema', message };
  });
}

/** A UTF-16 unit takes at most 3 bytes, so that most texts need no encoding to be judged. */
function isOver(text: string, bytes: number): boolean {
  return text.length > bytes || (text.length * 3 > bytes && new TextEncoder().encode(text).length > bytes);
}
