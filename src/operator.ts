/** Operating: what operators ask of queues and messages, over the store's operations. Every call is bounded. */
import { type Message, openEnvelope, parseEntry } from './message.ts';
import type { AnyQueue } from './queue.ts';
import type { Cancelled, Counts, Failure, Operations, Redriven, State, Stored } from './store/operations.ts';

export interface QueueReport extends Counts {
  queue: string;
  kind: 'drained' | 'pulled';
  priority: number;
  attempts: number;
  timeoutMs: number;
}

/** A message as operators see it. The body is there where it can be read. */
export interface MessageReport extends Partial<Omit<Message, 'id' | 'attempt'>> {
  id: string;
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
  /** @throws StorageError */
  cancel(id: string): Promise<Cancelled>;
  /** @throws StorageError */
  pause(queue: AnyQueue): Promise<void>;
  /** @throws StorageError */
  resume(queue: AnyQueue): Promise<void>;
  /** Leased messages stay with their consumers. @returns how many went, and whether there may be more. @throws StorageError */
  purge(queue: AnyQueue, states: Exclude<State, 'leased'>[]): Promise<{ purged: number; more: boolean }>;
  /** These dead letters, or so many of the oldest. @throws StorageError */
  redrive(queue: AnyQueue, which: { ids: string[] } | { limit: number }): Promise<{ id: string; status: Redriven }[]>;
}

/** How long one purge goes on; whoever asked for it asks again. */
const PURGE_MS = 5_000;
const REDRIVE_STEP = 200;

export function openOperator(operations: Operations, clock: () => number = Date.now): Operator {
  return {
    async queue(queue) {
      const { name, pool, priority, attempts, timeoutMs } = queue;
      const counts = await operations.count(name, pool);
      return { queue: name, kind: queue.handler ? 'drained' : 'pulled', priority, attempts, timeoutMs, ...counts };
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
    cancel: (id) => operations.cancel(id),
    pause: ({ name, pool }) => operations.pause(name, pool),
    resume: ({ name, pool }) => operations.resume(name, pool),
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
      const ids = 'ids' in which ? which.ids : await oldestDead(operations, name, pool, which.limit);
      const redriven: { id: string; status: Redriven }[] = [];
      for (let from = 0; from < ids.length; from += REDRIVE_STEP) {
        const step = ids.slice(from, from + REDRIVE_STEP);
        const statuses = await operations.redrive(name, step);
        redriven.push(...step.map((id, i) => ({ id, status: statuses[i] as Redriven })));
      }
      return redriven;
    },
  };
}

/** The ids are read first and then redriven by name: repeated after a lost answer, that moves none twice. */
async function oldestDead(operations: Operations, queue: string, pool: string, limit: number): Promise<string[]> {
  const { messages } = await operations.browse(queue, pool, 'dead', limit, '');
  return messages.map(({ entry }) => parseEntry(entry).id);
}

function reportOf(state: MessageReport['state'], { entry, at, envelope, failures }: Stored): MessageReport {
  const { id, attempt } = parseEntry(entry);
  const report: MessageReport = { id, state, attempt, failures, ...(at === undefined ? {} : { at }) };
  try {
    const { readAtAck: _, ...message } = openEnvelope(entry, envelope);
    return { ...message, ...report };
  } catch {
    return report; // its envelope is gone or damaged: what the store knows of it is all there is
  }
}
