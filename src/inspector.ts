/** Inspecting: what operators see of many queues at once, of leases, and of why messages died. Every call is bounded. */
import { type CauseGroup, groupCauses } from './causes.ts';
import { type QueueReport, reportOfQueue } from './operator.ts';
import type { AnyQueue } from './queue.ts';
import type { Breaker, Operations } from './store/operations.ts';

export interface LeaseReport {
  lease: string;
  /** A drain of the Worker, or a consumer elsewhere. */
  kind: 'drain' | 'consumer';
  /** Epoch ms. */
  expiresAt: number;
  /** Messages it holds. */
  held: number;
  /** Of the 20 newest it holds: how many of which queue. */
  queues: Record<string, number>;
}

export interface LeasePage {
  /** By the server's clock, epoch ms. */
  now: number;
  leases: LeaseReport[];
  cursor?: string;
  /** Whether a drain is at work or was just asked for. */
  awake: boolean;
  /** Until when the one idle drain sleeps, epoch ms. */
  sleepsUntil?: number;
}

export interface CauseReport {
  /** Dead letters of the queue. */
  dead: number;
  /** How many of them, the newest, were looked at. */
  looked: number;
  causes: CauseGroup[];
}

export interface Inspector {
  /** In their order. So many at once as a page has: 1,000. @throws StorageError */
  queues(queues: AnyQueue[]): Promise<QueueReport[]>;
  /** How many destinations of the queues that deliver to some failed last, by the state of their breakers. @throws StorageError */
  breakers(queues: AnyQueue[]): Promise<Map<string, Record<Breaker['state'], number>>>;
  /** Those that hold messages now, the next to expire first. @throws StorageError */
  leases(limit: number, cursor: string): Promise<LeasePage>;
  /** Why the newest thousand dead letters died. @throws StorageError */
  causes(queue: string): Promise<CauseReport>;
}

/** Queues that one script counts: a thousand are five requests, side by side. */
const COUNTED = 200;
const LETTERS = 1_000;
/** Of some 500 destinations each: more than these fail only where the network itself does. */
const BREAKER_PAGES = 4;

export function openInspector(operations: Operations): Inspector {
  return {
    async queues(queues) {
      const steps: AnyQueue[][] = [];
      for (let from = 0; from < queues.length; from += COUNTED) steps.push(queues.slice(from, from + COUNTED));
      const counts = (await Promise.all(steps.map((step) => operations.countAll(step)))).flat();
      return counts.map((count, i) => reportOfQueue(queues[i] as AnyQueue, count));
    },
    async breakers(queues) {
      const delivering = queues.filter(({ destination }) => destination);
      const counts = new Map(delivering.map(({ name }) => [name, { open: 0, probing: 0, closed: 0 }]));
      let cursor = delivering.length > 0 ? '0' : '';
      for (let page = 0; cursor !== '' && page < BREAKER_PAGES; page++) {
        const { breakers, cursor: next } = await operations.breakers(cursor);
        for (const { queue, state } of breakers) {
          const count = counts.get(queue);
          if (count) count[state]++;
        }
        cursor = next === '0' ? '' : next;
      }
      return counts;
    },
    async leases(limit, cursor) {
      const { cursor: next, leases, ...rest } = await operations.leases(limit, cursor);
      const reports = leases.map(({ newest, ...lease }): LeaseReport => {
        const kind = newest.some(([pool]) => pool === '*') ? 'drain' : 'consumer';
        return { ...lease, kind, queues: countsOf(newest.map(([, lane]) => queueOf(lane))) };
      });
      return { ...rest, leases: reports, ...(next === '' ? {} : { cursor: next }) };
    },
    async causes(queue) {
      const { dead, causes } = await operations.causes(queue, LETTERS);
      return { dead, looked: causes.length, causes: groupCauses(causes) };
    },
  };
}

/** `<priority>:<queue>` or `<priority>:<queue>/<group>`. */
const queueOf = (lane: string): string => lane.slice(2).split('/', 1)[0] ?? '';

function countsOf(names: string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries(counts);
}
