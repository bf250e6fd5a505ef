/** What the document says of stats. */
import * as z from 'zod/mini';
import { describe } from '../openapi/describe.ts';
import type { Operations } from '../openapi/operation.ts';
import { count, instant } from '../openapi/primitives.ts';

const OF_STATS = {
  dead: 'Those that nobody settled, too: lapsed or expired for the last time.',
  leaseExpired: 'Leases that expired: the message comes again.',
  discarded: 'Dead letters that were too many, or too old, to be kept.',
  waitMs: 'From due to the start of the handler, at first deliveries. null where nothing was measured.',
  runMs: 'Handler time. null where nothing was measured: consumers elsewhere report outcomes only.',
};

const percentile = z.nullable(count);
const percentiles = z.object({ p50: percentile, p95: percentile, p99: percentile });
const StatsCounters = z.object({
  acked: count,
  retried: count,
  dead: count,
  released: count,
  leaseExpired: count,
  discarded: count,
  waitMs: percentiles,
  runMs: percentiles,
});
const StatsPoint = z.extend(StatsCounters, { at: instant });
const StatsReport = z.object({
  now: instant,
  stepMs: count,
  lastSweepAt: z.optional(instant),
  points: z.array(StatsPoint),
  total: StatsCounters,
});

describe(StatsCounters, OF_STATS);
describe(StatsPoint, { ...OF_STATS, at: 'Beginning of the step, epoch ms.' });
describe(StatsReport, {
  points: 'Every step, the present one last.',
  lastSweepAt:
    'When a sweep last ran. On a busy system a minute ago; one that finds nothing to count is noted every ten minutes only.',
});

export const answers = { StatsCounters, StatsPoint, StatsReport };

export const operations = {
  getStats: {
    tag: 'admin',
    summary: 'What became of messages over the last hour or day',
    description: 'Of one queue, or of all that the token is for. Deliveries that ended a moment ago are in it.',
    query: {
      range: '`1h` in steps of a minute, `24h` in steps of ten.',
      queue: 'Only this one. Left out: all that the token is for.',
    },
    answers: [{ status: 200, description: 'Every step of the range, and all together.', schema: StatsReport }],
    problems: ['unknown_queue', 'invalid_message'],
  },
} satisfies Operations;
