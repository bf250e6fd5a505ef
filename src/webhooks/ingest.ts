/**
 * Ingest: a webhook becomes messages. Verify over the raw bytes, answer handshakes, then dedup and enqueue in one step of
 * storage. Nothing is promised to the sender before that is done.
 */

import type { EnqueueResult, Receipt } from '../broker/producer.ts';
import type { MessageInput } from '../broker/validate.ts';
import { parseRaw, toRaw } from '../message/raw.ts';
import type { AnyQueue } from '../queue/queue.ts';
import { deliveryKey, pickForwardedHeaders } from './delivery.ts';
import { greet, type HandshakeRequest, type Reply } from './handshake.ts';
import { Rejected, thrown } from './rejected.ts';
import type { WebhookRequest } from './scheme.ts';
import { readSettings, type Settings } from './settings.ts';
import type { AnySource, RouteTarget } from './source.ts';
import { verify } from './verify.ts';

/** What became of a request that was taken. */
export type IngestStatus = 'accepted' | 'duplicates' | 'ignored' | 'handshakes';

export interface IngestResult {
  taken: IngestStatus;
  reply: Reply;
  receipts: Receipt[];
}

export interface Ingest {
  /** The Worker's bindings. */
  env: object;
  queues: ReadonlyMap<string, AnyQueue>;
  /** @throws InvalidMessage, StorageError */
  enqueue(inputs: MessageInput[]): Promise<EnqueueResult>;
  nowMs: number;
}

/** @throws Rejected, InvalidMessage, StorageError */
export async function ingest(
  source: AnySource,
  { headers, bytes, ...request }: Pick<HandshakeRequest, 'method' | 'headers' | 'bytes' | 'search'>,
  { env, queues, enqueue, nowMs }: Ingest,
): Promise<IngestResult> {
  const raw = toRaw(bytes, headers.get('content-type') ?? '');
  let parsed: { body: unknown } | undefined;
  const body = () => {
    parsed ??= { body: parseRaw(raw) };
    return parsed.body;
  };
  const settings = readSettings(source, env, nowMs);
  const arrived = { ...request, headers, bytes, body, url: settings.url, nowMs };
  const ask = (proved?: string) => greet(source.handshakes, arrived, settings, proved);
  const early = await ask();
  if (early) return greeted(early);
  if (request.method !== 'POST') throw new Rejected('token');
  const { secret, id } = await proved(source, arrived, settings);
  const greeting = await ask(secret);
  if (greeting) return greeted(greeting);
  const kept = pickForwardedHeaders(source, headers);
  const targets = listTargets(source, body(), kept, queues);
  const { reply } = source;
  if (targets.length === 0) return { taken: 'ignored', reply, receipts: [] };
  const dedup = await makeDedup(source, arrived, id);
  const { receipts } = await enqueue(
    targets.map(({ queue, ...options }, place) => ({
      queue,
      body: body(),
      raw,
      options: { ...options, headers: kept, ...dedup(place) },
      path: '',
    })),
  );
  return { taken: receipts.every(({ duplicate }) => duplicate) ? 'duplicates' : 'accepted', reply, receipts };
}

const greeted = (reply: Reply): IngestResult => ({ taken: 'handshakes', reply, receipts: [] });

/** By what each message of a delivery is known when that comes again; by nothing where the source does not want it. */
async function makeDedup(source: AnySource, arrived: WebhookRequest, id: string | undefined) {
  const { windowMs: window } = source;
  if (window === 0) return () => ({});
  const key = await deliveryKey(source, arrived, id);
  // Whatever the queue says of keys: it must hold when the message is done, and never change one that waits.
  return (place: number) => ({ dedup: { key: `${key}.${place}`, window, mode: 'drop', release: false } });
}

/** @throws Rejected */
async function proved(
  source: AnySource,
  arrived: WebhookRequest,
  { closed, secrets }: Settings,
): Promise<{ secret: string; id?: string }> {
  if (closed) throw new Rejected('closed');
  const verdict = await verify(source.schemes, arrived, secrets);
  if ('reason' in verdict) throw new Rejected(verdict.reason);
  return verdict;
}

/** @returns each with this deployment's queue of that name, which has what its settings add. @throws Rejected */
function listTargets(
  source: AnySource,
  payload: unknown,
  headers: Record<string, string>,
  queues: Ingest['queues'],
): readonly RouteTarget[] {
  const { route } = source;
  try {
    const targets = typeof route === 'function' ? [route({ payload, headers }) ?? []].flat() : [{ queue: route }];
    return targets.map(({ queue: { name }, ...options }) => {
      const queue = queues.get(name);
      if (!queue) throw new Rejected('route', `queue ${name} is not here`);
      return { ...options, queue };
    });
  } catch (error) {
    throw thrown(error);
  }
}
