// What is urgent goes first, on whatever shard it is, and at the rate of one shard: by a clock of its own, with shards that are lists in memory,
// so that each figure is the same on every machine.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openBudget } from '../../src/drain/budget.ts';
import { planLife } from '../../src/drain/life.ts';
import { drain } from '../../src/drain/loop.ts';
import type { DrainShard } from '../../src/drain/report.ts';
import { StorageError } from '../../src/errors.ts';
import { defineQueue, type QueueOptions } from '../../src/index.ts';
import type { Store } from '../../src/store/store.ts';
import type { SyncAnswer } from '../../src/store/sync.ts';

const SLOTS = 5;
/** There, and back. */
const TRIP_MS = 5;
const BACKLOG = 180;
const URGENT = 50;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** A shard that gives out the most urgent first, and tells how urgent the next is; what it gave it forgets. */
class ListedShard {
  readonly lanes = Array.from({ length: 10 }, () => [] as string[]);
  readonly shard: DrainShard;
  /** Until then it gives nothing out, as where its database takes no more writes. */
  refusesUntil = 0;

  constructor(name: string) {
    this.shard = { name, store: { sync: (request) => this.#sync(request) } as Store };
  }

  put(count: number, priority: number): void {
    const ids = Array.from({ length: count }, (_, i) => `${this.shard.name}-${priority}-${i}`);
    this.lanes[priority]?.push(...ids);
  }

  readonly #sync: Store['sync'] = async ({ want, settlements }) => {
    await pause(TRIP_MS);
    const taken: SyncAnswer['taken'] = [];
    const refused = want > 0 && Date.now() < this.refusesUntil ? new StorageError('refused', 'full') : undefined;
    for (const [priority, lane] of refused ? [] : this.lanes.entries()) {
      for (const id of lane.splice(0, want - taken.length)) {
        const envelope = `${priority}:work * 5 0 0\n{"body":{},"headers":{}}`;
        taken.push({ entry: `1.${id}`, envelope });
      }
    }
    const horizon = this.lanes.findIndex(({ length }) => length > 0);
    const statuses = settlements.map(() => 'acked' as const);
    const said = { lost: false, unseen: false, cancelled: [], transitions: [], wake: false, retried: false };
    const now = Date.now();
    const answer = { now, statuses, taken, ...said, ...(horizon >= 0 && { horizon }), ...(refused && { refused }) };
    await pause(TRIP_MS);
    return answer;
  };
}

async function drainAll(shards: ListedShard[], handler: NonNullable<QueueOptions['handler']>) {
  const work = defineQueue('work', { subrequests: 0, handler });
  const limits = { ...planLife(60_000, [15_000]), requests: 9_000, requestsPerDelivery: 0, messages: 1_000 };
  let hasEnded = false;
  const draining = drain({
    shards: shards.map(({ shard }) => shard) as [DrainShard, ...DrainShard[]],
    pool: '*',
    queues: new Map([['work', work]]),
    env: {},
    budget: openBudget({ ...limits, shards: shards.length }, Date.now),
    concurrency: SLOTS,
    connections: SLOTS,
    mostSyncs: SLOTS + 1,
    batch: 100,
    leases: 4,
    leaseMs: 30_000,
  }).finally(() => {
    hasEnded = true;
  });
  while (!hasEnded) await vi.advanceTimersByTimeAsync(1);
  return draining;
}

/** Less urgent ones wait on all shards but the last, to which fifty urgent ones come when so many of them have begun. */
async function compete(count: number, runMs: number, after: number) {
  const shards = Array.from({ length: count }, (_, place) => new ListedShard(`s${place}`));
  const others = Math.max(1, count - 1);
  for (const shard of shards.slice(0, others)) shard.put(BACKLOG / others, 5);
  const started: { priority: number; at: number }[] = [];
  let urgentFrom = 0;
  const handler: NonNullable<QueueOptions['handler']> = async ({ priority }) => {
    started.push({ priority, at: Date.now() });
    if (started.length === after) {
      shards.at(-1)?.put(URGENT, 0);
      urgentFrom = started.length;
    }
    await pause(runMs);
  };
  const beganAt = Date.now();
  const report = await drainAll(shards, handler);
  const last = started.findLastIndex(({ priority }) => priority === 0);
  const meanwhile = started.slice(urgentFrom, last);
  const first = meanwhile.findIndex(({ priority }) => priority === 0);
  const countOthers = (of: typeof started) => of.filter(({ priority }) => priority !== 0).length;
  return {
    acked: report.acked,
    /** Less urgent ones that began while urgent ones waited, and of these behind the first of them. */
    others: countOthers(meanwhile),
    othersBehind: countOthers(meanwhile.slice(first)),
    /** When the last urgent one began, since it was there; and when all had ended. */
    lastMs: (started[last]?.at ?? 0) - (started[urgentFrom - 1]?.at ?? 0),
    allMs: Date.now() - beganAt,
  };
}

test.each([
  [2, 20],
  [4, 20],
  [2, 100],
  [4, 100],
])('on %i shards, with handlers of %i ms', async (count, runMs) => {
  for (const after of [40, 42, 43, 48]) {
    const one = await compete(1, runMs, after);
    const several = await compete(count, runMs, after);
    expect([one.acked, several.acked]).toEqual([BACKLOG + URGENT, BACKLOG + URGENT]);
    expect(several.others).toBeLessThanOrEqual(25); // twice what is taken ahead for each of five slots, and a look
    expect(several.othersBehind).toBeLessThanOrEqual(5);
    expect(several.lastMs).toBeLessThanOrEqual(1.35 * one.lastMs);
    expect(one.allMs / several.allMs).toBeGreaterThanOrEqual(0.9);
  }
});

test('what a shard has that is urgent and refuses to give out holds up nothing of another, and comes when it takes writes again', async () => {
  const [other, full] = [new ListedShard('other'), new ListedShard('full')];
  other.put(BACKLOG, 5);
  full.put(URGENT, 0);
  const beganAt = Date.now();
  full.refusesUntil = beganAt + 5_000;
  const started: { priority: number; afterMs: number }[] = [];
  const report = await drainAll([full, other], async ({ priority }) => {
    started.push({ priority, afterMs: Date.now() - beganAt });
    await pause(100);
  });
  expect(report.acked).toBe(BACKLOG + URGENT);
  const last = (of: number) => started.findLast(({ priority }) => priority === of)?.afterMs;
  expect(last(5)).toBeLessThanOrEqual(4_200); // five at a time for 3.6 s, and some round trips
  expect(last(0)).toBeLessThanOrEqual(7_500); // one second at most, and one of handlers
});
