/** The mixes of faults that a torture run can be given: what share of requests to Redis meets which, and how often the Worker dies. */
import type { SeededFaults } from '../../src/dev/emulator/faults.ts';

interface Mix {
  rates: SeededFaults['rates'];
  /** The longest delay. Above STORAGE_TIMEOUT_MS a request runs after its own repeat; above the lease, after a lapse too. */
  delayMs: number;
  /** See lives.ts. */
  killEveryMs: number;
  /** See quotas.ts. */
  hasQuotas: boolean;
}

/** After which every client in a run counts a request to storage as unanswered. */
export const STORAGE_TIMEOUT_MS = 600;

export const MIXES = {
  none: { rates: {}, delayMs: 0, killEveryMs: Number.POSITIVE_INFINITY, hasQuotas: false },
  light: {
    rates: { 'drop-reply': 0.02, reset: 0.01, 'delay-after': 0.01, 'flush-scripts': 0.001 },
    delayMs: 100,
    killEveryMs: 10_000,
    hasQuotas: true,
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
      'refuse-inside': 0.02,
    },
    delayMs: 4_000,
    killEveryMs: 3_000,
    hasQuotas: true,
  },
} satisfies Record<string, Mix>;

export type MixName = keyof typeof MIXES;
