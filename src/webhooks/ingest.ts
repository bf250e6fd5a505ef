/**
 * Ingest: a webhook becomes messages. Verify over the raw bytes, answer handshakes, then dedup and enqueue in one step of
 * storage. Nothing is promised to the sender before that is done.
 */
import type { Draft } from '../complete.ts';
import { InvalidMessage, StorageError } from '../errors.ts';
import type { Enqueued, Receipt } from '../producer.ts';
import type { AnyQueue } from '../queue.ts';
import { parseRaw, toRaw } from '../raw.ts';
import { deliveryKey, keptHeaders } from './delivery.ts';
import { type Reply, subscription } from './handshake.ts';
import type { Arrived } from './scheme.ts';
import { type Settings, settingsOf, tokensOf } from './settings.ts';
import type { AnySource, Target } from './source.ts';
import { placeOf, verify } from './verify.ts';

/** Why a request was not taken. Few and fixed: they are counted. */
export const REASONS = [
  'signature', // missing, misspelt or wrong
  'timestamp', // signed, but too long ago or in the future
  'token', // of a subscription
  'closed', // no secret is set, or one that cannot be used, or no URL where it is signed
  'too_large',
  'encoding', // the body is compressed
  'schema', // of a pulled queue: nobody would check the body by it later
  'route', // the function threw, or named a queue that is not here
  'storage',
] as const;
export type Reason = (typeof REASONS)[number];

/** Not taken. Storage and schema have errors of their own. */
export class Rejected extends Error {
  override readonly name = 'Rejected';
  readonly reason: Reason;

  /** @param cause what was wrong with a route, without its text: that may hold the payload */
  constructor(reason: Reason, cause?: string) {
    super(`rejected: ${reason}`, { cause });
    this.reason = reason;
  }
}

/** What became of a request that was taken. */
export type Taken = 'accepted' | 'duplicates' | 'ignored' | 'handshakes';

export interface Ingested {
  taken: Taken;
  reply: Reply;
  receipts: Receipt[];
  /** The caller should start a drain. */
  wake: boolean;
}

export interface Ingest {
  /** The Worker's bindings. */
  env: object;
  queues: ReadonlyMap<string, AnyQueue>;
  /** @throws InvalidMessage, StorageError */
  enqueue(drafts: Draft[]): Promise<Enqueued>;
  nowMs: number;
}

/** @throws Rejected, InvalidMessage, StorageError */
export async function ingest(
  source: AnySource,
  { headers, bytes, search }: Pick<Arrived, 'headers' | 'bytes' | 'search'>,
  { env, queues, enqueue, nowMs }: Ingest,
): Promise<Ingested> {
  const raw = toRaw(bytes, headers.get('content-type') ?? '');
  let parsed: { body: unknown } | undefined;
  const body = () => {
    parsed ??= { body: parseRaw(raw) };
    return parsed.body;
  };
  const settings = settingsOf(source, env, nowMs);
  const arrived = { headers, bytes, body, url: settings.url, search, nowMs };
  const { secret, id } = await proved(source, arrived, settings);
  const greeting = await source.handshake?.(body(), secret);
  if (greeting) return { taken: 'handshakes', reply: greeting, receipts: [], wake: false };
  const kept = keptHeaders(source, headers);
  const targets = targetsOf(source, body(), kept, queues);
  const { reply } = source;
  if (targets.length === 0) return { taken: 'ignored', reply, receipts: [], wake: false };
  const key = await deliveryKey(source, arrived, id);
  const { receipts, wake } = await enqueue(
    targets.map(({ queue, ...options }, place) => ({
      queue,
      body: body(),
      raw,
      // Whatever the queue says of keys: it must hold when the message is done, and never change one that waits.
      options: {
        ...options,
        headers: kept,
        dedup: { key: `${key}.${place}`, window: source.windowMs, mode: 'drop', release: false },
      },
      at: '',
    })),
  );
  return { taken: receipts.every(({ duplicate }) => duplicate) ? 'duplicates' : 'accepted', reply, receipts, wake };
}

/** A provider's question by GET. @throws Rejected */
export async function subscribe(
  source: AnySource,
  search: string,
  { env, nowMs }: Pick<Ingest, 'env' | 'nowMs'>,
): Promise<Reply> {
  const tokens = tokensOf(source, env, nowMs);
  if (tokens.length === 0) throw new Rejected('closed');
  const reply = await subscription(new URLSearchParams(search), async (token) => (await placeOf(token, tokens)) >= 0);
  if (!reply) throw new Rejected('token');
  return reply;
}

/** Why an error kept a request from being taken. */
export function reasonOf(error: unknown): Reason | undefined {
  if (error instanceof Rejected) return error.reason;
  if (error instanceof StorageError) return 'storage';
  if (!(error instanceof InvalidMessage)) return undefined;
  if (error.issues.some(({ code }) => code === 'too_large')) return 'too_large';
  return error.issues.every(({ field }) => field.startsWith('body')) ? 'schema' : 'route';
}

/** @throws Rejected */
async function proved(
  source: AnySource,
  arrived: Arrived,
  { closed, secrets }: Settings,
): Promise<{ secret: string; id?: string }> {
  if (closed) throw new Rejected('closed');
  const verdict = await verify(source.schemes, arrived, secrets);
  if ('reason' in verdict) throw new Rejected(verdict.reason);
  return verdict;
}

/** @throws Rejected */
function targetsOf(
  source: AnySource,
  payload: unknown,
  headers: Record<string, string>,
  queues: Ingest['queues'],
): readonly Target[] {
  const targets = routed(source, payload, headers);
  for (const { queue } of targets) {
    if (queues.get(queue.name) !== queue) throw new Rejected('route', `queue ${queue.name} is not here`);
  }
  return targets;
}

function routed({ route }: AnySource, payload: unknown, headers: Record<string, string>): readonly Target[] {
  if (typeof route !== 'function') return [{ queue: route }];
  try {
    return [route({ payload, headers }) ?? []].flat();
  } catch (error) {
    throw new Rejected('route', error instanceof Error ? error.name : typeof error);
  }
}
