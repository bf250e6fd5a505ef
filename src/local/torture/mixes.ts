/** The mixes of faults that a torture run can be given: what share of requests to Redis meets which, and how often the Worker dies. */
import type { SeededFaults } from '../emulator/faults.ts';

interface Mix {
  rates: SeededFaults['rates'];
  /** See lives.ts. */
  killEveryMs: number;
}

export const MIXES = {
  none: { rates: {}, killEveryMs: Number.POSITIVE_INFINITY },
  light: {
    rates: { 'drop-reply': 0.02, reset: 0.01, 'delay-after': 0.01, 'flush-scripts': 0.001 },
    killEveryMs: 10_000,
  },
  heavy: {
    rates: {
      'drop-reply': 0.3,
      reset: 0.02,
      truncate: 0.02,
      'delay-before': 0.015,
      'delay-after': 0.015,
      'status-before': 0.015,
      'status-after': 0.015,
      'flush-scripts': 0.01,
    },
    killEveryMs: 3_000,
  },
} satisfies Record<string, Mix>;

export type MixName = keyof typeof MIXES;
