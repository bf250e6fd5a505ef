/** Stats for operators: what became of messages over the last hour or day, and since ever for whoever scrapes. */

import { type Percentiles, readPercentiles } from '../formats/histogram.ts';
import { addCounters, type Counters, type OutcomeName, parseCounters } from './counters.ts';
import type { StoredStats } from './store.ts';

export type Range = '1h' | '24h';

/** What happened in one step, or in all of them. */
export interface StatsCounters extends Record<OutcomeName, number> {
  /** From due to the start of the handler, at first deliveries; null where none was measured. */
  waitMs: Percentiles;
  /** Handler time; null where none was measured: consumers elsewhere report outcomes only. */
  runMs: Percentiles;
}

export interface StatsReport {
  /** Epoch ms, by the server's clock. */
  now: number;
  stepMs: number;
  /** The last sweep that found counters to roll up, or one of an idle system, which is noted every ten minutes. */
  lastSweepAt?: number;
  /** Each step, the present one last; `at` is its beginning. */
  points: (StatsCounters & { at: number })[];
  total: StatsCounters;
}

export interface Stats {
  /** @param queues '*' is all of them. @throws StorageError */
  report(range: Range, queues: string[]): Promise<StatsReport>;
  /** Of each queue over the last ten minutes that are over, in their order. @throws StorageError */
  recent(queues: string[]): Promise<StatsCounters[]>;
  /** Since ever: only ever growing. @throws StorageError */
  totals(queues: string[]): Promise<{ sweptAt?: number; counters: Map<string, Counters> }>;
}

const MINUTE_MS = 60_000;
const RANGES = {
  '1h': { tier: 1, stepMs: MINUTE_MS, count: 60 },
  '24h': { tier: 2, stepMs: 10 * MINUTE_MS, count: 144 },
} as const;
const RECENT = { tier: 1, count: 10 } as const;

export function openStatsReader(stored: StoredStats): Stats {
  return {
    async report(range, queues) {
      const { stepMs, ...wanted } = RANGES[range];
      const { now, sweptAt, steps } = await stored.steps(queues, wanted);
      const last = Math.floor(now / stepMs);
      const each = Array.from({ length: wanted.count }, (_, i) => {
        const step = last - wanted.count + 1 + i;
        return { at: step * stepMs, counters: parseCounters(steps.get(step) ?? '') };
      });
      return {
        now,
        stepMs,
        ...(sweptAt === undefined ? {} : { lastSweepAt: sweptAt }),
        points: each.map(({ at, counters }) => ({ at, ...told(counters) })),
        total: told(addCounters(each.map(({ counters }) => counters))),
      };
    },
    async recent(queues) {
      const texts = await stored.recent(queues, RECENT);
      return queues.map((queue) => told(parseCounters(texts.get(queue) ?? '')));
    },
    async totals(queues) {
      const { texts, ...rest } = await stored.totals(queues);
      return { ...rest, counters: new Map(queues.map((queue, i) => [queue, parseCounters(texts[i] ?? '')])) };
    },
  };
}

function told({ wait, run, ...outcomes }: Counters): StatsCounters {
  return { ...outcomes, waitMs: readPercentiles(wait), runMs: readPercentiles(run) };
}
