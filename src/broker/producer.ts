/** Enqueueing: whole requests, of which all messages are stored or none. */

import { InvalidMessage, type Issue } from '../errors.ts';
import type { NewMessage, PreparedMessage } from '../message/envelope.ts';
import { newToken } from '../message/ids.ts';
import { areOver } from '../message/json.ts';
import { PUSH_POOL } from '../message/lane.ts';
import type { Spread, SpreadRequest } from '../shards/spread.ts';
import type { EnqueueAnswer, HandOff } from '../store/enqueue.ts';
import { type MessageInput, type Queues, validate } from './validate.ts';

/** The most messages one request may carry. */
export const MAX_BATCH = 1_000;

/** The most bytes one request may carry: quoted on its way to storage it doubles at worst, and 10 MB are refused there. */
export const MAX_REQUEST_BYTES = 4 * 1024 * 1024;

/** What the caller of an enqueue gets for each message: whether it was stored, or is a duplicate of one that was. */
export type Receipt = StoredReceipt | DuplicateReceipt;

interface StoredReceipt {
  id: string;
  queue: string;
  /** 'accepted': it is stored, and on its way to its shard; a dedup key that is taken is found when it arrives. */
  state: 'ready' | 'delayed' | 'accepted';
  duplicate: false;
}

/** Its dedup key was taken: the id is that of the first message, and this one was not enqueued. */
interface DuplicateReceipt {
  id: string;
  queue: string;
  state: 'duplicate';
  duplicate: true;
  /** The first message waits still, and has this body now. */
  replaced?: true;
}

export interface EnqueueResult {
  receipts: Receipt[];
  /** The caller should start a drain. */
  wake: boolean;
  /** Of several shards the names of those where. */
  woken?: readonly string[];
  /** It has to begin with this lease. */
  handOff?: HandOff;
  /** The request had been applied before. */
  replayed: boolean;
  /** In how many ms the first delayed message of a push queue is due. */
  dueInMs?: number;
}

/** Names a request, so that sending it again enqueues nothing twice. */
export interface IdempotencyKey {
  token: string;
  fingerprint: string;
  recognisedMs: number;
  /** Remembered with it: text without blanks. */
  note?: string;
  /** What it belongs to, at whose home it is accepted. Left out: its first message. */
  coordinator?: SpreadRequest['coordinator'];
}

/** Stores inputs for a caller, all of them or none. @throws InvalidMessage, StorageError, RequestMismatch */
export type StoreInputs = (inputs: MessageInput[], name?: IdempotencyKey) => Promise<EnqueueResult>;

/**
 * Validates messages and stores all of them or none.
 * @param traceparent goes with each message that has none of its own
 * @param request its idempotency key, where it has one, and the drain that it would wake, or begin
 * @throws InvalidMessage that lists each fault; StorageError; RequestMismatch
 */
export async function enqueueInputs(
  store: Spread,
  queues: Queues,
  inputs: MessageInput[],
  request: Partial<IdempotencyKey> & Pick<SpreadRequest, 'wake' | 'handOff'> = {},
  traceparent?: string,
): Promise<EnqueueResult> {
  if (inputs.length < 1 || inputs.length > MAX_BATCH) {
    const message = `must hold 1 to ${MAX_BATCH} messages`;
    throw new InvalidMessage([{ field: 'messages', code: 'size', message }]);
  }
  const messages: PreparedMessage[] = [];
  const issues: Issue[] = [];
  for (const input of inputs) {
    const validation = validate(input, queues, traceparent);
    const result = validation instanceof Promise ? await validation : validation;
    if ('message' in result) messages.push(result.message);
    else for (const issue of result.issues) issues.push(issue); // there may be more of them than a call takes arguments
  }
  if (areOver(messages, MAX_REQUEST_BYTES)) {
    const message = `must take at most ${MAX_REQUEST_BYTES} bytes together`;
    issues.push({ field: 'messages', code: 'too_large', message });
  }
  if (issues.length > 0) throw new InvalidMessage(issues);
  const places = messages.map(({ delayMs, notBefore = 0 }, index) => ({
    queue: inputs[index]?.queue?.name ?? '',
    dueAt: delayMs > 0 ? Number.POSITIVE_INFINITY : notBefore,
  }));
  return receiptsFor(places, store.enqueue({ messages, ...request }), dueInMs(inputs, messages));
}

function dueInMs(inputs: MessageInput[], messages: PreparedMessage[]): { dueInMs?: number } {
  let soonest = Number.POSITIVE_INFINITY;
  messages.forEach(({ delayMs, notBefore = 0 }, index) => {
    if (delayMs === 0 && notBefore === 0) return;
    const inMs = Math.max(delayMs, notBefore - Date.now());
    if (inMs > 0 && inputs[index]?.queue?.pool === PUSH_POOL) soonest = Math.min(soonest, inMs);
  });
  return soonest < Number.POSITIVE_INFINITY ? { dueInMs: soonest } : {};
}

/** Apart, so that inputs and messages are garbage while their request is under way: collecting it costs by what is still held. */
async function receiptsFor(
  places: { queue: string; dueAt: number }[],
  answer: Promise<EnqueueAnswer>,
  due: { dueInMs?: number },
): Promise<EnqueueResult> {
  const { ids, wake, replayed, duplicates, handOff, onTheWay, woken } = await answer;
  const now = Date.now();
  const receipts = places.map(({ queue, dueAt }, index) =>
    makeReceipt(queue, ids[index] as string, stateOf(dueAt > now, onTheWay?.has(index)), duplicates.get(index)),
  );
  return { receipts, wake, replayed, ...due, ...(handOff && { handOff }), ...(woken && { woken }) };
}

export const stateOf = (isLater: boolean, isOnTheWay = false): StoredReceipt['state'] =>
  isOnTheWay ? 'accepted' : isLater ? 'delayed' : 'ready';

/** @param first the message that holds its dedup key, where there is one */
export function makeReceipt(
  queue: string,
  id: string,
  state: StoredReceipt['state'],
  first: { id: string; what: 'duplicate' | 'replaced' } | undefined,
): Receipt {
  if (!first) return { id, queue, state, duplicate: false };
  const replaced = first.what === 'replaced' ? { replaced: true as const } : {};
  return { id: first.id, queue, state: 'duplicate', duplicate: true, ...replaced };
}

/**
 * A message that is enqueued with the ack of another: it has its id already.
 * @throws InvalidMessage
 */
export async function prepare(queues: Queues, input: MessageInput, traceparent?: string): Promise<NewMessage> {
  const result = await validate(input, queues, traceparent);
  if ('issues' in result) throw new InvalidMessage(result.issues);
  return { id: newToken(), ...result.message };
}

/** The queues that a message and those that follow on it name: whoever enqueues it must be let into each. */
export function queuesNamed(options: unknown): string[] {
  const { onSuccess, onFailure } = (options ?? {}) as Record<string, unknown>;
  return [onSuccess, onFailure].flat().flatMap((next) => {
    const { queue } = (next ?? {}) as { queue?: unknown };
    return typeof queue === 'string' ? [queue] : [];
  });
}
