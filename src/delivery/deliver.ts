/** Delivery: gives one message to its queue's handler, and makes a settlement of how that ends. It knows nothing of leases or time. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { HeldBack, NonRetriableError, RetryAfterError } from '../errors.ts';
import { isDelay } from '../formats/duration.ts';
import { toJson } from '../formats/json.ts';
import { describe, isA, readFrames } from '../formats/thrown.ts';
import { logError } from '../log.ts';
import { type Envelope, type NewMessage, openEnvelope, parseHeader } from '../message/envelope.ts';
import type { HandlerContext } from '../queue/handler.ts';
import type { AnyQueue } from '../queue/queue.ts';
import { isOutOfSubrequests } from '../runtime/subrequests.ts';
import type { FailureKind, Settlement } from '../store/encode-settlements.ts';
import { type LazyController, openContext } from './context.ts';
import { DeliveryError } from './error.ts';
import { type Chain, openChain, type Prepare } from './transaction.ts';

/** A message out of a lease, ready to be handled. */
export interface Delivery extends Omit<Envelope, 'dueAt'> {
  entry: string;
  queue: AnyQueue;
  /** Since when it was due, by the local clock; only known at a first delivery. */
  dueAt: number | undefined;
}

/**
 * How long a message waits whose queue this deployment does not know, or has no secret for: a newer one that shares the traffic
 * with it may. As long as it has waited, up to a minute; then a sixteenth of that, so that a queue that left the code costs little.
 */
const OTHERS_LEAST_MS = 2_000;
const OTHERS_SOON_MS = 60_000;
const OTHERS_SHARE = 16;
const OTHERS_MOST_MS = 15 * 60_000;
/** The wait where a queue's own backoff throws, or gives what is no wait. */
const FALLBACK_WAIT_MS = 60_000;

/**
 * @param clockAheadMs by how much the local clock is ahead of the server's
 * @returns what to deliver, or the settlement of what cannot be.
 */
export function openDelivery(
  { entry, envelope }: { entry: string; envelope: string },
  queues: ReadonlyMap<string, AnyQueue>,
  clockAheadMs = 0,
): Delivery | Settlement {
  try {
    const header = parseHeader(envelope);
    const queue = queues.get(header.queue);
    if (!queue?.handler)
      return { entry, outcome: 'release', delayMs: waitForOthersMs(header.enqueuedAt + clockAheadMs) };
    const { message, readAtAck, dueAt } = openEnvelope(entry, envelope, header);
    const first = entry.startsWith('1.'); // of later ones the envelope does not tell when they were due
    return { entry, message, readAtAck, queue, dueAt: first ? dueAt + clockAheadMs : undefined };
  } catch {
    return { entry, outcome: 'dead', failure: { kind: 'unreadable', text: 'its stored form cannot be read' } };
  }
}

function waitForOthersMs(since: number): number {
  const waitedMs = Math.max(OTHERS_LEAST_MS, Date.now() - since);
  return Math.min(OTHERS_MOST_MS, waitedMs, Math.max(OTHERS_SOON_MS, Math.floor(waitedMs / OTHERS_SHARE)));
}

/**
 * Runs the handler to its end, at once where there is nothing to wait for: promises cost more than all else that a message
 * costs. Never throws: whatever the handler does becomes a settlement.
 */
export function deliver(
  delivery: Delivery,
  given: Pick<HandlerContext, 'env' | 'ring' | 'traceparent'> & { controller: LazyController },
  prepare: Prepare,
  random: () => number,
): Settlement | Promise<Settlement> {
  const { message, queue } = delivery;
  const { controller, ...ofAll } = given;
  const chain = openChain(prepare);
  const handle = (body: unknown): unknown =>
    queue.handler?.({ ...message, body }, openContext({ ...ofAll, enqueue: chain.enqueue }, controller));
  try {
    const body = checkedBody(queue, message.body);
    const result = body instanceof Promise ? body.then(handle) : handle(body);
    if (result === undefined && chain.close().length === 0) return acked(delivery, result, []);
    return awaited(delivery, result, chain, random);
  } catch (error) {
    return notDone(delivery, error, random);
  }
}

async function awaited(delivery: Delivery, pending: unknown, chain: Chain, random: () => number): Promise<Settlement> {
  try {
    const result = await pending;
    const chained = chain.close();
    return acked(delivery, result, chained.length === 0 ? [] : await Promise.all(chained));
  } catch (error) {
    return notDone(delivery, error, random);
  }
}

function acked({ entry, queue, readAtAck }: Delivery, result: unknown, chained: NewMessage[]): Settlement {
  const settlement: Settlement = { entry, outcome: 'ack' };
  if (chained.length > 0) settlement.chained = chained;
  if (readAtAck) settlement.result = resultText(result);
  if (hasBreaker(queue)) settlement.health = HEALTH.up;
  return settlement;
}

function notDone({ entry, message, queue }: Delivery, error: unknown, random: () => number): Settlement {
  if (isA(error, HeldBack)) {
    logError('delivery held back', { queue: queue.name, id: message.id, reason: error.message });
    return { entry, outcome: 'release', delayMs: waitForOthersMs(message.enqueuedAt) };
  }
  if (isA(error, DeliveryError)) return undelivered(entry, message.attempt, queue, error, random);
  const settlement = failed(entry, message.attempt, queue, error, random);
  return isOutOfSubrequests(error) ? { ...settlement, outOfSubrequests: true } : settlement;
}

/** Whether its deliveries speak of the health of where they go. */
const hasBreaker = ({ destination, policy }: AnyQueue) => destination !== undefined || policy.startsWith('gh=');

/** What a delivery shows of its destination, in the words of the circuit breakers. */
const HEALTH = { up: 'good', down: 'bad' } as const;

function undelivered(entry: string, attempt: number, queue: AnyQueue, error: DeliveryError, random: () => number) {
  const { outcome, endpoint, delayMs, disables } = error.end;
  const text = describe(error);
  const settlement: Settlement =
    outcome === 'dead'
      ? { entry, outcome, failure: { kind: 'refused', text } }
      : retry(entry, isDelay(delayMs) ? delayMs : waitMs(queue, attempt, random), 'failed', text);
  if (endpoint) settlement.health = HEALTH[endpoint];
  if (disables !== undefined) settlement.disables = disables;
  return settlement;
}

/** The longest result of a handler that is kept. */
const RESULT_BYTES = 64 * 1024;

/** As JSON; null for what JSON cannot hold, is too large or nested too deep. */
function resultText(result: unknown): string {
  const { text } = toJson(result);
  return text !== undefined && text.length <= RESULT_BYTES ? text : 'null';
}

/** A body is checked again on its way out: the schema may have changed since it came in, and it may transform. */
function checkedBody(queue: AnyQueue, body: unknown): unknown {
  const result = queue.schema?.['~standard'].validate(body);
  if (!result) return body;
  return result instanceof Promise ? result.then(requireValid) : requireValid(result);
}

function requireValid(checked: StandardSchemaV1.Result<unknown>): unknown {
  if (checked.issues)
    throw new NonRetriableError(`its body does not match the schema: ${checked.issues[0]?.message ?? ''}`);
  return checked.value;
}

function failed(entry: string, attempt: number, queue: AnyQueue, error: unknown, random: () => number): Settlement {
  const text = describe(error);
  if (isA(error, NonRetriableError)) return { entry, outcome: 'dead', failure: { kind: 'refused', text } };
  const asked = isA(error, RetryAfterError) ? error.delayMs : undefined;
  const settlement = retry(entry, isDelay(asked) ? asked : waitMs(queue, attempt, random), 'failed', text);
  // What is thrown on purpose says why, and a destination's answer comes from elsewhere: neither asks for a line of code.
  if (settlement.failure && !queue.destination && !isA(error, RetryAfterError))
    settlement.failure.stack = readFrames(error);
  return settlement;
}

export function timedOut({ entry, message, queue }: Delivery, random: () => number): Settlement {
  const delayMs = waitMs(queue, message.attempt, random);
  const settlement = retry(entry, delayMs, 'timeout', `not done after ${queue.timeoutMs} ms`);
  return hasBreaker(queue) ? { ...settlement, health: HEALTH.down } : settlement;
}

/** The settlement of a delivery that was aborted, or that its drain had to end. It counts as an attempt: the handler may have done its work. */
export function cutOff({ entry }: Delivery): Settlement {
  return retry(entry, 0, 'timeout', 'its drain had to end before it was done');
}

/** The wait by the queue's backoff, which may be the user's own code and give anything. */
function waitMs({ backoff }: AnyQueue, attempt: number, random: () => number): number {
  try {
    const wait = backoff.waitMs(attempt, random());
    return isDelay(wait) ? wait : FALLBACK_WAIT_MS;
  } catch {
    return FALLBACK_WAIT_MS;
  }
}

function retry(entry: string, delayMs: number, kind: FailureKind, text: string): Settlement {
  return { entry, outcome: 'retry', delayMs, failure: { kind, text } };
}
