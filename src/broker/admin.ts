/** Operating: what operators ask of queues and messages, over the store's part for them. Every call is bounded. */

import { InvalidMessage } from '../errors.ts';
import { readJson } from '../formats/json.ts';
import { openEnvelope } from '../message/envelope.ts';
import { parseEntry } from '../message/ids.ts';
import { PUSH_POOL } from '../message/lane.ts';
import type { Message } from '../message/message.ts';
import type { Partition } from '../queue/contract.ts';
import { encodeRateAndConcurrency, type Limits, parseLimits, type Rate } from '../queue/limits.ts';
import type { AnyQueue } from '../queue/queue.ts';
import type { AdminStore } from '../store/admin.ts';
import type { Cancelled, Redriven, State, Stored } from '../store/admin-messages.ts';
import type { Breaker, Counts } from '../store/admin-queues.ts';
import type { Failure } from '../store/failure.ts';

/** What most calls need to know of a queue, and all that is known of one that only storage has: it left the code. */
export type NamedQueue = Pick<AnyQueue, 'name' | 'pool'>;

export interface QueueReport extends Omit<Counts, 'limits'>, Partial<DefinitionReport> {
  queue: string;
  /** `unknown`: only storage has it. */
  kind: 'push' | 'pull' | 'unknown';
  /** In force: those of operators over those of the definition. */
  limits: ReturnType<typeof parseLimits>;
  /** What operators set. */
  overrides: ReturnType<typeof parseLimits>;
  /** Bindings that should hold the secrets of its destination, and do not: nothing is sent without them. */
  missingSecrets?: string[];
}

/** What stands in a queue's definition. */
interface DefinitionReport {
  priority: number;
  attempts: number;
  timeoutMs: number;
  ordered: boolean;
  /** How it is spread where there are several shards. */
  partition?: Partition;
}

/** What operators may set over a queue's definition; null takes a limit of theirs away. */
export interface Overrides {
  paused?: boolean | undefined;
  concurrency?: number | null | undefined;
  rate?: Rate | null | undefined;
}

/** A message as operators see it. The body is there where it can be read. */
export interface MessageReport extends Partial<Omit<Message, 'id' | 'attempt'>> {
  id: string;
  /** The URL it is delivered to, if it names one, and the method if it names that. */
  destination?: string;
  method?: string;
  /** `done`: acked, and its result is kept. */
  state: State | 'done' | 'cancelled' | 'unseen';
  /** What is stored of it is damaged, or nested too deep to be written: it is not shown. */
  unreadable?: true;
  /** What its handler returned, or its consumer gave with the ack. */
  result?: unknown;
  attempt?: number;
  /** Due, end of its lease, dead since, or done at: epoch ms. */
  at?: number;
  failures: Failure[];
}

/** There is no such message, or it is done and nothing of it is kept. */
export interface GoneReport {
  id: string;
  state: 'gone';
  failures: [];
}

export interface Admin {
  /** @throws StorageError */
  queue(queue: AnyQueue | NamedQueue): Promise<QueueReport>;
  /** @throws StorageError */
  messages(
    queue: NamedQueue,
    state: State,
    limit: number,
    cursor: string,
  ): Promise<{ messages: MessageReport[]; cursor?: string }>;
  /** @throws StorageError */
  message(id: string): Promise<MessageReport | GoneReport>;
  /** Destinations that failed last, a page of them; the cursor '0' begins. @throws StorageError */
  destinations(cursor: string): Promise<{ destinations: Breaker[]; cursor?: string }>;
  /** @throws StorageError */
  cancel(id: string): Promise<Cancelled>;
  /** @throws StorageError; RangeError for a limit that is none; InvalidMessage where no limit of the queue could be kept */
  override(queue: AnyQueue | NamedQueue, overrides: Overrides): Promise<void>;
  /** Leased messages stay with their consumers. @param from the cursor of a call before, '0' begins. @throws StorageError */
  purge(queue: NamedQueue, states: Exclude<State, 'leased'>[], from?: string): Promise<Purged>;
  /** These dead letters, or so many of the oldest; each is answered once. @throws StorageError */
  redrive(queue: NamedQueue, which: { ids: string[] } | { limit: number }): Promise<{ id: string; status: Redriven }[]>;
}

export interface Purged {
  /** How many went. */
  purged: number;
  /** There may be more: whoever asked for it asks again, with the cursor. */
  more: boolean;
  cursor?: string;
}

/** How long one purge goes on. */
const PURGE_MS = 5_000;
const REDRIVE_STEP = 200;

/** @param mostSteps requests to storage of one purge: platforms limit those of an invocation */
export function openAdmin(adminStore: AdminStore, mostSteps: number, clock: () => number = Date.now): Admin {
  return {
    async queue(queue) {
      return describeQueue(queue, await adminStore.count(queue.name));
    },
    async messages({ name }, state, limit, cursor) {
      const page = await adminStore.browse(name, state, limit, cursor);
      const messages = page.messages.map((stored) => describeMessage(state, stored));
      return { messages, ...(page.cursor === '' ? {} : { cursor: page.cursor }) };
    },
    async message(id) {
      const { state, result, ...stored } = await adminStore.look(id);
      if (result) {
        const { queue, attempt, at, json } = result;
        return { id, state: 'done', queue, attempt, at, ...readable(json), failures: [] };
      }
      if (state === 'gone') return { id, state, failures: [] };
      return state === 'cancelled' ? { id, state, failures: [] } : describeMessage(state, stored);
    },
    async destinations(from) {
      const { breakers, cursor } = await adminStore.breakers(from);
      return { destinations: breakers, ...(cursor === '0' ? {} : { cursor }) };
    },
    cancel: (id) => adminStore.cancel(id),
    async override(queue, { paused, concurrency, rate }) {
      const { name, pool } = queue;
      refuseLimitAnywhere(queue, concurrency ?? rate);
      if (paused === true) await adminStore.pause(name, pool);
      if (paused === false) await adminStore.resume(name, pool);
      if (concurrency === undefined && rate === undefined) return;
      await adminStore.limit(name, pool, {
        ...(concurrency === undefined ? {} : { concurrency: word(concurrency === null ? {} : { concurrency }) }),
        ...(rate === undefined ? {} : { rate: word(rate === null ? {} : { rate }) }),
      });
    },
    async purge({ name }, states, from = '0') {
      const end = clock() + PURGE_MS;
      let purged = 0;
      let step = { purged: 0, cursor: from, more: true };
      for (let steps = 0; step.more && steps < mostSteps && clock() < end; steps++) {
        step = await adminStore.purge(name, states, step.cursor);
        purged += step.purged;
      }
      return { purged, more: step.more, ...(step.more ? { cursor: step.cursor } : {}) };
    },
    async redrive({ name, pool }, which) {
      const ids = 'ids' in which ? [...new Set(which.ids)] : await oldestDead(adminStore, name, which.limit);
      const redriven: { id: string; status: Redriven }[] = [];
      for (let from = 0; from < ids.length; from += REDRIVE_STEP) {
        const step = ids.slice(from, from + REDRIVE_STEP);
        const statuses = await adminStore.redrive(name, step, pool);
        redriven.push(...step.map((id, i) => ({ id, status: statuses[i] as Redriven })));
      }
      return redriven;
    },
  };
}

/** Each shard would keep it for itself: so many times as much as was said. @throws InvalidMessage */
function refuseLimitAnywhere(queue: AnyQueue | NamedQueue, limit: unknown): void {
  if (!limit || !('partition' in queue) || queue.partition !== 'any') return;
  const message = 'cannot be limited: the queue is anywhere, and no shard knows what the others have at work';
  throw new InvalidMessage([{ field: 'queue', code: 'partitioned', message }]);
}

export function describeQueue(queue: AnyQueue | NamedQueue, { limits, ...counts }: Counts): QueueReport {
  const overrides = parseLimits(limits);
  if (!('policy' in queue)) return { queue: queue.name, kind: 'unknown', limits: overrides, overrides, ...counts };
  const { name, pool, priority, attempts, timeoutMs, ordered, partition, policy, destination } = queue;
  const lacks = destination?.missingSecrets?.length ? { missingSecrets: [...destination.missingSecrets] } : {};
  const kind = pool === PUSH_POOL ? 'push' : 'pull';
  const inForce = { ...parseLimits(policy), ...overrides };
  const defined = { priority, attempts, timeoutMs, ordered, ...(partition && { partition }) };
  return { queue: name, kind, ...defined, limits: inForce, overrides, ...lacks, ...counts };
}

/** With the blank before it that storage wants. */
const word = (limits: Limits) =>
  encodeRateAndConcurrency(limits, '', '%')
    .map((text) => ` ${text}`)
    .join('');

/** The ids are read first and then redriven by name: repeated after a lost answer, that moves none twice. */
async function oldestDead(adminStore: AdminStore, queue: string, limit: number): Promise<string[]> {
  const { messages } = await adminStore.browse(queue, 'dead', limit, '', false);
  return messages.map(({ entry }) => parseEntry(entry).id);
}

function describeMessage(state: MessageReport['state'], { entry, at, envelope, failures }: Stored): MessageReport {
  const { id, attempt } = parseEntry(entry);
  const report: MessageReport = { id, state, attempt, failures, ...(at === undefined ? {} : { at }) };
  try {
    const { destination, ...message } = openEnvelope(entry, envelope).message;
    const { url, method } = destination ?? {};
    return { ...message, ...(url && { destination: url }), ...(method && { method }), ...report };
  } catch {
    // What the store knows of it is all there is.
    return envelope === '' ? report : { ...report, unreadable: true };
  }
}

function readable(json: string): { result: unknown } | { unreadable: true } {
  try {
    return { result: readJson(json) };
  } catch {
    return { unreadable: true };
  }
}
