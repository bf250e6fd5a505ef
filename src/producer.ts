/** Enqueueing: turns what callers ask for into complete messages, or into a list of what is wrong with them. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import * as z from 'zod/mini';
import { shortDigest } from './digest.ts';
import { parseDuration, YEAR_MS } from './duration.ts';
import { InvalidMessage, type Issue } from './errors.ts';
import { laneOf, MAX_GROUP_LENGTH, MAX_MESSAGE_BYTES, type Priority, type StoredDedup } from './message.ts';
import type { AnyQueue } from './queue.ts';
import type { Store, Unnamed } from './store/store.ts';

/** The most messages one request may carry. */
const MAX_BATCH = 1_000;

/** The most bytes one request may carry: quoted on its way to storage it doubles at worst, and 10 MB are refused there. */
export const MAX_REQUEST_BYTES = 4 * 1024 * 1024;

const duration = (leastMs: number) =>
  z.union([z.number(), z.string()]).check(
    z.refine((value) => (parseDuration(value) ?? -1) >= leastMs, {
      message: `must be milliseconds or text such as "90s", from ${leastMs} ms to a year`,
    }),
  );

/** Epoch ms of an instant given as such or as ISO 8601, or undefined. */
function parseInstant(value: number | string): number | undefined {
  const at = typeof value === 'number' ? value : Date.parse(value);
  const stated = typeof value === 'number' || z.iso.datetime({ offset: true }).safeParse(value).success;
  return stated && Number.isInteger(at) && at >= 0 && at <= Date.now() + YEAR_MS ? at : undefined;
}

/** How one message differs from its queue's policy. This schema is the only judge of it, over HTTP and in code. */
export const MessageOptions = z.strictObject({
  /** 0 to 9, 0 first. */
  priority: z.optional(z.int().check(z.minimum(0), z.maximum(9))),
  /** Wait before the first delivery. */
  delay: z.optional(duration(0)),
  /** No delivery before this instant: epoch ms, or ISO 8601. By the server's clock. */
  notBefore: z.optional(
    z.union([z.number(), z.string()]).check(
      z.refine((value) => parseInstant(value) !== undefined, {
        message: 'must be epoch ms or ISO 8601 with a time zone, at most a year from now',
      }),
    ),
  ),
  /** Delivered within this time after it became due, or a dead letter. */
  ttl: z.optional(duration(1)),
  /** A tenant, a customer, an entity: messages of a group take turns with those of the others. */
  group: z.optional(
    z.string().check(
      z.minLength(1),
      z.maxLength(MAX_GROUP_LENGTH),
      z.refine((text) => text.isWellFormed(), { message: 'must be well-formed text' }),
    ),
  ),
  /** Deliveries after which it becomes a dead letter. */
  maxAttempts: z.optional(z.int().check(z.minimum(1), z.maximum(1_000))),
  /** The outcome and the handler's result are kept this long, to be asked for. */
  retention: z.optional(duration(0)),
  /** The same key inside the window is the same message: the answer carries the first id. */
  dedup: z.optional(
    z.strictObject({
      key: z.string().check(
        z.minLength(1),
        z.maxLength(256),
        z.refine((text) => text.isWellFormed(), { message: 'must be well-formed text' }),
      ),
      window: z.optional(duration(1)),
      mode: z.optional(z.enum(['drop', 'replace'])),
      release: z.optional(z.boolean()),
    }),
  ),
  /** Handed to the consumer as they are. */
  headers: z.optional(
    z.record(z.string().check(z.minLength(1), z.maxLength(128)), z.string().check(z.maxLength(4_096))),
  ),
});

export type MessageOptions = z.input<typeof MessageOptions>;

export interface Draft {
  /** undefined: the caller named none that is here. */
  queue: AnyQueue | undefined;
  body: unknown;
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
}

/**
 * All of them or none.
 * @throws InvalidMessage that lists each fault; StorageError; RequestMismatch
 */
export async function enqueueDrafts(store: Store, drafts: Draft[], name?: RequestName): Promise<Enqueued> {
  if (drafts.length < 1 || drafts.length > MAX_BATCH) {
    const message = `must hold 1 to ${MAX_BATCH} messages`;
    throw new InvalidMessage([{ field: 'messages', code: 'size', message }]);
  }
  const messages: Unnamed[] = [];
  const issues: Issue[] = [];
  for (const draft of drafts) {
    const result = await complete(draft);
    if ('message' in result) messages.push(result.message);
    else issues.push(...result.issues);
  }
  if (isOver(messages.map(({ json }) => json).join(''), MAX_REQUEST_BYTES)) {
    const message = `must take at most ${MAX_REQUEST_BYTES} bytes together`;
    issues.push({ field: 'messages', code: 'too_large', message });
  }
  if (issues.length > 0) throw new InvalidMessage(issues);
  const { ids, wake, repeated, met } = await store.enqueue({ messages, ...name });
  const receipts = messages.map(({ delayMs, notBefore = 0 }, index): Receipt => {
    const state = delayMs > 0 || notBefore > Date.now() ? 'delayed' : 'ready';
    const first = met.get(index);
    if (first) {
      const replaced = first.what === 'replaced' ? { replaced: true as const } : {};
      return {
        id: first.id,
        queue: drafts[index]?.queue?.name ?? '',
        state: 'duplicate',
        duplicate: true,
        ...replaced,
      };
    }
    return { id: ids[index] as string, queue: drafts[index]?.queue?.name ?? '', state, duplicate: false };
  });
  return { receipts, wake, repeated };
}

async function complete(draft: Draft): Promise<{ message: Unnamed } | { issues: Issue[] }> {
  const { queue, body, options, at } = draft;
  const parsed = MessageOptions.safeParse(options);
  const { priority, group, delay, notBefore, ttl, maxAttempts, headers, retention, dedup } = parsed.data ?? {};
  const json = toJson(body, headers);
  const issues = [
    ...(queue ? [] : [{ field: `${at}queue`, code: 'unknown_queue', message: 'is no queue of this deployment' }]),
    ...issuesOf(parsed.error, at),
    ...(await badBody(queue?.schema, body, at)),
    ...badJson(body, json, at),
  ];
  if (issues.length > 0 || !queue || json === undefined) return { issues };
  return {
    message: {
      lane: laneOf((priority as Priority | undefined) ?? queue.priority, queue.name, group),
      pool: queue.pool,
      maxAttempts: maxAttempts ?? queue.attempts,
      delayMs: parseDuration(delay ?? 0) ?? 0,
      ...(notBefore === undefined ? {} : { notBefore: parseInstant(notBefore) ?? 0 }),
      ttlMs: parseDuration(ttl ?? queue.ttlMs) ?? 0,
      retentionMs: parseDuration(retention ?? queue.retentionMs) ?? 0,
      ...(dedup ? { dedup: await storedDedup(queue, dedup) } : {}),
      json,
    },
  };
}

async function storedDedup(
  queue: AnyQueue,
  dedup: NonNullable<z.output<typeof MessageOptions>['dedup']>,
): Promise<StoredDedup> {
  const { windowMs, mode, release } = queue.dedup;
  return {
    digest: await shortDigest(dedup.key),
    windowMs: parseDuration(dedup.window ?? windowMs) ?? windowMs,
    mode: dedup.mode ?? mode,
    release: dedup.release ?? release,
  };
}

/** @returns undefined for what JSON cannot hold: functions, cycles, big integers, nesting beyond the stack */
function toJson(body: unknown, headers: Record<string, string> | undefined): string | undefined {
  try {
    return JSON.stringify(body) === undefined ? undefined : JSON.stringify({ body, headers });
  } catch {
    return undefined;
  }
}

function badJson(body: unknown, json: string | undefined, at: string): Issue[] {
  const issue = (code: string, message: string) => [{ field: `${at}body`, code, message }];
  if (body === undefined) return issue('required', 'is required');
  if (json === undefined) return issue('invalid', 'cannot be written as JSON');
  if (!isOver(json, MAX_MESSAGE_BYTES)) return [];
  return issue('too_large', `must take at most ${MAX_MESSAGE_BYTES} bytes, headers included`);
}

/** @param at where the value stands in the request */
export function issuesOf(error: z.core.$ZodError | undefined, at: string): Issue[] {
  return (error?.issues ?? []).flatMap(({ code, path, message, ...issue }) => {
    const here = [...path].map(String).join('.');
    if (code !== 'unrecognized_keys') return [{ field: at + here, code: 'invalid', message }];
    const { keys } = issue as { keys: string[] };
    const field = (key: string) => at + (here ? `${here}.${key}` : key);
    return keys.map((key) => ({ field: field(key), code: 'unknown_field', message: 'is not a field here' }));
  });
}

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
