/** Operating: what operators ask of queues and messages, over the store's operations. Every call is bounded. */

import { type Limits, limitsIn, type Rate, wordsOf } from './limits.ts';
import { DRAINED, type Message, openEnvelope, parseEntry } from './message.ts';
import type { AnyQueue } from './queue.ts';
import type { Breaker, Cancelled, Counts, Failure, Operations, Redriven, State, Stored } from './store/operations.ts';

export interface QueueReport extends Omit<Counts, 'limits'> {
  queue: string;
  kind: 'drained' | 'pulled';
  priority: number;
  attempts: number;
  timeoutMs: number;
  ordered: boolean;
  /** In force: those of operators over those of the definition. */
  limits: ReturnType<typeof limitsIn>;
  /** What operators set. */
  overrides: ReturnType<typeof limitsIn>;
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
  /** The URL it is delivered to, if it names one. */
  destination?: string;
  /** `done`: acked, and its result is kept. */
  state: State | 'done' | 'cancelled' | 'unseen' | 'gone';
  /** What its handler returned, or its consumer gave with the ack. */
  result?: unknown;
  attempt?: number;
  /** Due, end of its lease, dead since, or done at: epoch ms. */
  at?: number;
  failures: Failure[];
}

export interface Operator {
  /** @throws StorageError */
  queue(queue: AnyQueue): Promise<QueueReport>;
  /** @throws StorageError */
  messages(
    queue: AnyQueue,
    state: State,
    limit: number,
    cursor: string,
  ): Promise<{ messages: MessageReport[]; cursor?: string }>;
  /** @throws StorageError */
  message(id: string): Promise<MessageReport>;
  /** Destinations that failed last, a page of them; the cursor '0' begins. @throws StorageError */
  destinations(cursor: string): Promise<{ destinations: Breaker[]; cursor?: string }>;
  /** @throws StorageError */
  cancel(id: string): Promise<Cancelled>;
  /** @throws StorageError; RangeError for a limit that is none */
  override(queue: AnyQueue, overrides: Overrides): Promise<void>;
  /** Leased messages stay with their consumers. @returns how many went, and whether there may be more. @throws StorageError */
  purge(queue: AnyQueue, states: Exclude<State, 'leased'>[]): Promise<{ purged: number; more: boolean }>;
  /** These dead letters, or so many of the oldest; each is answered once. @throws StorageError */
  redrive(queue: AnyQueue, which: { ids: string[] } | { limit: number }): Promise<{ id: string; status: Redriven }[]>;
}

/** How long one purge goes on; whoever asked for it asks again. */
const PURGE_MS = 5_000;
const REDRIVE_STEP = 200;

export function openOperator(operations: Operations, clock: () => number = Date.now): Operator {
  return {
    async queue(queue) {
      return reportOfQueue(queue, await operations.count(queue.name, queue.pool));
    },
    async messages({ name, pool }, state, limit, cursor) {
      const page = await operations.browse(name, pool, state, limit, cursor);
      const messages = page.messages.map((stored) => reportOf(state, stored));
      return { messages, ...(page.cursor === '' ? {} : { cursor: page.cursor }) };
    },
    async message(id) {
      const { state, result, ...stored } = await operations.look(id);
      if (result) {
        const { queue, attempt, at, json } = result;
        return { id, state: 'done', queue, attempt, at, result: JSON.parse(json) as unknown, failures: [] };
      }
      return state === 'gone' || state === 'cancelled' ? { id, state, failures: [] } : reportOf(state, stored);
    },
    async destinations(from) {
      const { breakers, cursor } = await operations.breakers(from);
      return { destinations: breakers, ...(cursor === '0' ? {} : { cursor }) };
    },
    cancel: (id) => operations.cancel(id),
    async override({ name, pool }, { paused, concurrency, rate }) {
      if (paused === true) await operations.pause(name, pool);
      if (paused === false) await operations.resume(name, pool);
      if (concurrency === undefined && rate === undefined) return;
      await operations.limit(name, pool, {
        ...(concurrency === undefined ? {} : { concurrency: word(concurrency === null ? {} : { concurrency }) }),
        ...(rate === undefined ? {} : { rate: word(rate === null ? {} : { rate }) }),
      });
    },
    async purge({ name, pool }, states) {
      const end = clock() + PURGE_MS;
      let purged = 0;
      let step = { purged: 0, cursor: '0', more: true };
      while (step.more && clock() < end) {
        step = await operations.purge(name, pool, states, step.cursor);
        purged += step.purged;
      }
      return { purged, more: step.more };
    },
    async redrive({ name, pool }, which) {
      const ids = 'ids' in which ? [...new Set(which.ids)] : await oldestDead(operations, name, pool, which.limit);
      const redriven: { id: string; status: Redriven }[] = [];
      for (let from = 0; from < ids.length; from += REDRIVE_STEP) {
        const step = ids.slice(from, from + REDRIVE_STEP);
        const statuses = await operations.redrive(name, step, pool);
        redriven.push(...step.map((id, i) => ({ id, status: statuses[i] as Redriven })));
      }
      return redriven;
    },
  };
}

export function reportOfQueue(queue: AnyQueue, { limits, ...counts }: Counts): QueueReport {
  const { name, priority, attempts, timeoutMs, ordered, policy } = queue;
  const overrides = limitsIn(limits);
  return {
    queue: name,
    kind: queue.pool === DRAINED ? 'drained' : 'pulled',
    priority,
    attempts,
    timeoutMs,
    ordered,
    limits: { ...limitsIn(policy), ...overrides },
    overrides,
    ...counts,
  };
}

/** With the blank before it that storage wants. */
const word = (limits: Limits) =>
  wordsOf(limits, '', '%')
    .map((text) => ` ${text}`)
    .join('');

/** The ids are read first and then redriven by name: repeated after a lost answer, that moves none twice. */
async function oldestDead(operations: Operations, queue: string, pool: string, limit: number): Promise<string[]> {
  const { messages } = await operations.browse(queue, pool, 'dead', limit, '');
  return messages.map(({ entry }) => parseEntry(entry).id);
}

function reportOf(state: MessageReport['state'], { entry, at, envelope, failures }: Stored): MessageReport {
  const { id, attempt } = parseEntry(entry);
  const report: MessageReport = { id, state, attempt, failures, ...(at === undefined ? {} : { at }) };
  try {
    const { destination, ...message } = openEnvelope(entry, envelope).message;
    return { ...message, ...(destination && { destination: destination.url }), ...report };
  } catch {
    return report; // its envelope is gone or damaged: what the store knows of it is all there is
  }
}
