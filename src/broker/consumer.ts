/** Consuming from elsewhere: what receive and settle ask of the store. The lease is the consumer's; nothing is kept here. */

import { openEnvelope } from '../message/envelope.ts';
import { parseEntry } from '../message/ids.ts';
import type { Message } from '../message/message.ts';
import { DEFAULT_BACKOFF } from '../queue/queue.ts';
import type { Outcome, Settlement, Status } from '../store/encode-settlements.ts';
import type { Store } from '../store/store.ts';
import type { SyncAnswer, SyncRequest } from '../store/sync.ts';

export interface ReceiveRequest {
  lease: string;
  /** The idempotency key under which the lease begins, where the caller has given one: no other lease may begin under it. */
  claim?: string | undefined;
  /** Pull queues, in the order in which they are emptied. */
  queues: string[];
  max: number;
  visibilityMs: number;
  /** Messages that the lease has already. Left out: none. */
  holding?: number;
}

export interface ReceiveAnswer {
  /** When the messages come back to others, epoch ms. */
  expiresAt: number;
  messages: Omit<Message, 'maxAttempts'>[];
  /** In how many ms the next timer is due, where no message is ready. */
  nextInMs?: number;
  /** There are more messages for this call than fitted in its answer: they come with the next. */
  more?: true;
}

export interface SettleRequest {
  lease: string;
  settlements: {
    id: string;
    attempt?: number | undefined;
    outcome: Outcome;
    delay?: number | undefined;
    error?: string | undefined;
    result?: unknown;
  }[];
  extendMs?: number | undefined;
  /** The queues that the lease is for. Left out: that is not known, and it may be on any shard. */
  leasedFrom?: string[];
  /** Messages that the lease still has, as their number, or as `<attempt>.<id>` or the id of each. */
  more?: { queues: string[]; max: number; holding: number | readonly string[] };
}

export interface SettleAnswer extends Partial<ReceiveAnswer> {
  /** `unanswered`: its shard does not answer, and the settlement has to come again. */
  settled: { id: string; status: Exclude<Status, 'refused'> | 'unanswered' }[];
  /** The lease was swept: its messages are others' now, and the caller has to begin a new one. */
  lost?: true;
  /** Messages of this lease that were cancelled while the caller held them. */
  cancelled?: string[];
}

/** How a consumer's calls reach the store. */
export interface ConsumeOptions {
  store: Store;
  /** Called with each answer before it is used: schedules may be due, and messages of push queues ready. */
  onAnswer?(answer: SyncAnswer): Promise<void>;
}

/** A lease that is only settled keeps its expiry; one that takes more lasts this long again. */
export const VISIBILITY_MS = 30_000;

/** @throws StorageError; RequestMismatch where another lease has begun under the claim */
export async function receive(
  consuming: ConsumeOptions,
  { lease, claim, queues, max, visibilityMs, holding = 0 }: ReceiveRequest,
): Promise<ReceiveAnswer> {
  const ask = {
    lease,
    claim,
    leaseMs: visibilityMs,
    held: holding,
    want: max,
    pools: distinct(queues),
    settlements: [],
  };
  let answer = await sync(consuming, ask);
  if (answer.schedules && answer.taken.length === 0) answer = await sync(consuming, ask); // their messages are there by now
  if (answer.refused) throw answer.refused;
  return received(consuming, lease, answer, visibilityMs);
}

/** @throws StorageError, also where storage refused a part: what it did settle is `gone` when that is repeated */
export async function settle(
  consuming: ConsumeOptions,
  { lease, settlements, extendMs, more }: SettleRequest,
): Promise<SettleAnswer> {
  const leaseMs = extendMs ?? (more ? VISIBILITY_MS : 0);
  const answer = await sync(consuming, {
    lease,
    leaseMs,
    held: countHolding(more?.holding),
    want: more?.max ?? 0,
    pools: distinct(more?.queues ?? []),
    settlements: settlements.map(toSettlement),
  });
  if (answer.refused) throw answer.refused;
  const settled = settlements.map(({ id }, i) => ({ id, status: answer.statuses[i] as Exclude<Status, 'refused'> }));
  if (answer.lost) return { settled, lost: true };
  const cancelled = answer.cancelled.map((entry) => parseEntry(entry).id);
  const outcome = { settled, ...(cancelled.length > 0 ? { cancelled } : {}) };
  if (more) return { ...outcome, ...(await received(consuming, lease, answer, leaseMs)) };
  return leaseMs > 0 ? { ...outcome, expiresAt: answer.now + leaseMs } : outcome;
}

function countHolding(holding: number | readonly string[] = -1): number {
  return typeof holding === 'number' ? holding : holding.length;
}

async function sync({ store, onAnswer }: ConsumeOptions, request: SyncRequest): Promise<SyncAnswer> {
  const answer = await store.sync(request);
  await onAnswer?.(answer);
  return answer;
}

/** A queue that is named twice would be read twice, in vain. */
const distinct = (queues: string[]) => [...new Set(queues)];

function toSettlement({ id, attempt = 0, outcome, delay, error, result }: SettleRequest['settlements'][0]): Settlement {
  const backoffMs = outcome === 'retry' ? DEFAULT_BACKOFF.waitMs(Math.max(1, attempt), Math.random()) : 0;
  return {
    entry: `${attempt}.${id}`,
    outcome,
    delayMs: delay ?? backoffMs,
    // From elsewhere it is not known whether a result is kept or a dedup key goes: storage looks.
    ...(outcome === 'ack' ? { result: JSON.stringify(result ?? null) } : {}),
    ...(outcome === 'retry' || outcome === 'dead' ? { failure: { kind: 'failed', text: error ?? '' } } : {}),
  };
}

async function received(
  consuming: ConsumeOptions,
  lease: string,
  answer: SyncAnswer,
  leaseMs: number,
): Promise<ReceiveAnswer> {
  const messages: ReceiveAnswer['messages'] = [];
  const unreadable: Settlement[] = [];
  for (const { entry, envelope } of answer.taken) {
    try {
      const { maxAttempts: _, destination: __, ...message } = openEnvelope(entry, envelope).message;
      messages.push(message);
    } catch {
      const failure = { kind: 'unreadable' as const, text: 'its stored form cannot be read' };
      unreadable.push({ entry, outcome: 'dead', failure });
    }
  }
  if (unreadable.length > 0) {
    await sync(consuming, { lease, leaseMs: 0, held: -1, want: 0, pools: [], settlements: unreadable });
  }
  const nextInMs = messages.length === 0 && answer.nextDue ? Math.max(0, answer.nextDue - answer.now) : undefined;
  const more = answer.unseen ? { more: true as const } : {};
  return { expiresAt: answer.now + leaseMs, messages, ...(nextInMs === undefined ? {} : { nextInMs }), ...more };
}
