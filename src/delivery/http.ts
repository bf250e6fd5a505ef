/** Deliveries over HTTP: each to its destination, as the handler of its queue. What the destination answers becomes what a handler throws. */

import { chooseSend } from '#send';
import { BadSettings, HeldBack, NonRetriableError } from '../errors.ts';
import { type AddressRules, judgeUrl } from '../formats/address.ts';
import { type Bytes, utf8 } from '../formats/bytes.ts';
import { isA } from '../formats/thrown.ts';
import type { StoredDestination } from '../message/destination.ts';
import type { Message } from '../message/message.ts';
import { rawBytes } from '../message/raw.ts';
import { isSendable } from '../message/sent-headers.ts';
import type { Backoff } from '../queue/backoff.ts';
import { type DestinationPolicy, secretsFor } from '../queue/destination.ts';
import type { Handler } from '../queue/handler.ts';
import type { AnyQueue } from '../queue/queue.ts';
import { isOutOfSubrequests } from '../runtime/subrequests.ts';
import { DeliveryError } from './error.ts';
import { describeAnswer, endpointState, judgeAnswer, spreadAfterMs } from './response.ts';
import type { DeliveryAnswer, Send } from './send.ts';
import { parseKeys, signMessage } from './signature.ts';

type Outgoing = Message & { destination?: StoredDestination };

/**
 * The queues, those with a destination with a handler that delivers there.
 * @throws BadSettings where the rules refuse a queue's own url
 */
export function withSenders(
  queues: ReadonlyMap<string, AnyQueue>,
  rules: AddressRules,
  env: unknown = {},
  send = chooseSend(rules),
): Map<string, AnyQueue> {
  const equipped = [...queues].map(([name, queue]): [string, AnyQueue] => {
    const { destination: policy, backoff } = queue;
    if (!policy) return [name, queue];
    const judged = policy.url === undefined ? undefined : judgeUrl(policy.url, rules);
    if (judged && 'fault' in judged) throw new BadSettings(`queue ${name}: its destination's url ${judged.fault}`);
    const missingSecrets = Object.values(policy.secrets)
      .flat()
      .filter((secret) => !readKeys(env, secret));
    const destination = { ...policy, rules, missingSecrets };
    return [name, Object.freeze({ ...queue, destination, handler: sender(destination, backoff, send) })];
  });
  return new Map(equipped);
}

/** @returns a handler that ends with `{ status, ms }` where the destination took the message */
function sender(policy: DestinationPolicy, backoff: Backoff, send: Send): Handler<unknown> {
  return async (message: Outgoing, { env, signal }) => {
    const { url = policy.url, timeoutMs, secret } = message.destination ?? {};
    const judged = judgeUrl(url, policy.rules); // again: the rules may have changed since the message came in
    if ('fault' in judged) throw new NonRetriableError(`the destination's url ${judged.fault}`);
    const keys = keysFrom(env, secretsFor(policy, secret));
    const request = await requestFor(message, policy, judged.url, keys);
    const within = timeoutMs === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const startedAt = Date.now();
    const response = await send(judged.url, { ...request, signal: within }).catch((error) => {
      if (isOutOfSubrequests(error) || isA(error, HeldBack)) throw error; // it says nothing of the destination
      const [why, end] = within.aborted
        ? [`timeout: no answer within ${timeoutMs} ms`, 'timeout' as const]
        : [`no answer: ${error}`, 'network' as const];
      throw new DeliveryError(why, { outcome: 'retry', endpoint: endpointState(end) });
    });
    const verdict = judgeAnswer(response, Date.now());
    if (verdict.outcome === 'done') {
      await response.body?.cancel().catch(() => {});
      return { status: response.status, ms: Date.now() - startedAt };
    }
    const text = describeAnswer(response, await readBeginning(response));
    const { outcome, disables, afterMs } = verdict;
    const delayMs = afterMs === undefined ? undefined : askedDelayMs(afterMs, backoff, message.attempt);
    throw new DeliveryError(text, { outcome, endpoint: endpointState(response.status), delayMs, disables });
  };
}

/** Not earlier than asked, not earlier than its own backoff, and not in one moment with all the others. */
function askedDelayMs(afterMs: number, backoff: Backoff, attempt: number): number {
  const ownMs = backoff.waitMs(attempt, Math.random());
  return Math.ceil(Math.max(ownMs, spreadAfterMs(afterMs, Math.random())));
}

const readKeys = (env: unknown, name: string) => parseKeys((env as Record<string, unknown>)[name]);

/** @throws HeldBack where one is missing or none: nothing is sent unsigned that should be signed */
function keysFrom(env: unknown, names: string[] | undefined): Bytes[] {
  if (!names) throw new HeldBack("the queue has no such secret as the message's destination names");
  return names.flatMap((name) => {
    const keys = readKeys(env, name);
    if (!keys) throw new HeldBack(`the binding ${name} holds no secret: whsec_ and base64 of 24 to 64 bytes`);
    return keys;
  });
}

async function requestFor(message: Outgoing, policy: DestinationPolicy, url: URL, keys: Bytes[]) {
  const { id, attempt, destination } = message;
  const { type, bytes: body } = encodeContent(message);
  const timestamp = Math.floor(Date.now() / 1_000);
  const headers = new Headers();
  const ofQueue = !destination || policy.headersFor.includes(url.origin) ? policy.headers : {};
  const named = { 'content-type': type, 'user-agent': 'Sluice' };
  for (const set of [message.headers, named, ofQueue, destination?.headers ?? {}]) {
    // What was stored may be older than the rules, and messages carry what is not for destinations.
    for (const [name, value] of Object.entries(set)) if (isSendable(name, value)) headers.set(name, value);
  }
  headers.set('webhook-id', id);
  headers.set('webhook-timestamp', String(timestamp));
  if (keys.length > 0) headers.set('webhook-signature', await signMessage({ id, timestamp, body }, keys));
  headers.set('sluice-attempt', String(attempt));
  return { method: destination?.method ?? policy.method, headers, body };
}

/** What is sent: the same bytes on every attempt. */
function encodeContent({ body, raw }: Message): { type: string; bytes: Bytes } {
  if (raw) return { type: raw.type, bytes: rawBytes(raw) }; // a webhook goes on as it came in
  return { type: 'application/json', bytes: utf8(JSON.stringify(body)) };
}

/** The most that is read of an answer. */
const READ_BYTES = 4_096;
/** A slow body is not waited for any longer: the status has said what counts. */
const READ_MS = 1_000;

/** The beginning of the body, as far as it comes in time; the rest is not taken. */
async function readBeginning(response: DeliveryAnswer): Promise<string> {
  const reader = response.body?.getReader();
  if (!reader) return '';
  const decoder = new TextDecoder();
  const stop = () => void reader.cancel().catch(() => {});
  const timer = setTimeout(stop, READ_MS);
  let text = '';
  try {
    for (let bytes = 0; bytes < READ_BYTES; ) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value.subarray(0, READ_BYTES - bytes), { stream: true });
      bytes += value.length;
    }
  } catch {
    // it broke off: what there is has to do
  } finally {
    clearTimeout(timer);
    stop();
  }
  return text;
}
