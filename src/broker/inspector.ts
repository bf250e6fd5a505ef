/** Inspecting: what operators see of many queues at once, of leases, and of why messages died. Every call is bounded. */

import type { AnyQueue } from '../queue/queue.ts';
import { PARCEL_QUEUE } from '../shards/parcel.ts';
import type { AdminStore } from '../store/admin.ts';
import { type Breaker, COUNTED, WAITING_STEPS } from '../store/admin-queues.ts';
import { describeQueue, type NamedQueue, type QueueReport } from './admin.ts';
import { type CauseGroup, groupCauses } from './failure-groups.ts';

export interface LeaseReport {
  lease: string;
  /** Where it is. Left out where there is one shard. */
  shard?: string;
  /** A drain of the Worker, or a consumer elsewhere. */
  kind: 'drain' | 'consumer';
  /** Epoch ms. */
  expiresAt: number;
  /** Messages it holds. */
  held: number;
  /** Message count per queue, over the 20 newest messages of the lease. */
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
  /** Queues that hold messages and that only storage knows, as they left the code; sorted by name. @throws StorageError */
  unknown(): Promise<QueueReport[]>;
  /** A queue of this deployment, or one that storage has something of. @throws StorageError */
  named(queue: string): Promise<AnyQueue | NamedQueue | undefined>;
  /** How many destinations of the queues that deliver to some failed last, by the state of their breakers. @throws StorageError */
  breakers(queues: AnyQueue[]): Promise<Map<string, Record<Breaker['state'], number>>>;
  /** Those that hold messages now, the next to expire first. @throws StorageError */
  leases(limit: number, cursor: string): Promise<LeasePage>;
  /** Why the newest thousand dead letters died. @throws StorageError */
  causes(queue: string): Promise<CauseReport>;
}

/** Queues that only storage knows and that are looked into, whether they hold anything or not. */
const UNKNOWN = 2_000;
const LETTERS = 1_000;
/** Requests to storage of `unknown`, the most that a call makes. */
export const MOST_REQUESTS = 1 + UNKNOWN / COUNTED + WAITING_STEPS;
/** Of some 500 destinations each: more than these fail only where the network itself does. */
const BREAKER_PAGES = 4;

export function openInspector(adminStore: AdminStore, known: ReadonlyMap<string, AnyQueue> = new Map()): Inspector {
  const reports = async (queues: (AnyQueue | NamedQueue)[]) => {
    const counts = await adminStore.countAll(queues.map(({ name }) => name));
    return counts.map((count, i) => describeQueue(queues[i] as NamedQueue, count));
  };
  return {
    queues: reports,
    async unknown() {
      const names = (await adminStore.names()).filter(({ name }) => !known.has(name));
      const unknown = await reports(names.toSorted((a, b) => (a.name < b.name ? -1 : 1)).slice(0, UNKNOWN));
      return unknown.filter((report) => countHeld(report) > 0);
    },
    async named(queue) {
      return known.get(queue) ?? (await adminStore.names([queue])).find(({ name }) => name === queue);
    },
    async breakers(queues) {
      const delivering = queues.filter(({ destination }) => destination);
      const counts = new Map(delivering.map(({ name }) => [name, { open: 0, probing: 0, closed: 0 }]));
      let cursor = delivering.length > 0 ? '0' : '';
      for (let page = 0; cursor !== '' && page < BREAKER_PAGES; page++) {
        const { breakers, cursor: next } = await adminStore.breakers(cursor);
        for (const { queue, state } of breakers) {
          const count = counts.get(queue);
          if (count) count[state]++;
        }
        cursor = next === '0' ? '' : next;
      }
      return counts;
    },
    async leases(limit, cursor) {
      const { cursor: next, leases, ...rest } = await adminStore.leases(limit, cursor);
      const reports = leases.map(({ newest, ...lease }): LeaseReport => {
        const kind = newest.some(([pool]) => pool === '*') ? 'drain' : 'consumer';
        const names = newest.map(([, lane]) => parseQueue(lane)).filter((name) => name !== PARCEL_QUEUE);
        return { ...lease, kind, queues: countByName(names) };
      });
      return { ...rest, leases: reports, ...(next === '' ? {} : { cursor: next }) };
    },
    async causes(queue) {
      const { dead, causes } = await adminStore.causes(queue, LETTERS);
      return { dead, looked: causes.length, causes: groupCauses(causes) };
    },
  };
}

/** Messages that were counted, in whatever state. */
export function countHeld({ ready, delayed, leased, dead }: QueueReport): number {
  return Object.values(ready).reduce((sum, count) => sum + count, delayed + leased + dead);
}

/** `<priority>:<queue>` or `<priority>:<queue>/<group>`. */
const parseQueue = (lane: string): string => lane.slice(2).split('/', 1)[0] ?? '';

function countByName(names: string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries(counts);
}
