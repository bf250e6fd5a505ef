/** The settings both forms of Sluice run with. */
import { readConfig } from '../../../src/config/config.ts';
import { bodyOf } from '../contender.ts';

export const PREFIX = 'bench';
export const QUEUE = 'work';

export type Settings = Record<`SLUICE_${string}`, string>;

/** As on Workers Paid. A handler that does nothing needs no connections, so as many run at once as at the peers. */
export const SETTINGS = {
  SLUICE_PREFIX: PREFIX,
  SLUICE_DRAIN_REQUESTS: '9000',
  SLUICE_CONCURRENCY: '100',
  // Longer than a drain: one that has nothing left to do would else sleep until the lease of another might lapse.
  SLUICE_LEASE_MS: '60000',
};

/** How one Sluice that is measured differs from another. */
export interface Variant {
  /** At once in one process, as BullMQ has its concurrency. */
  drains?: number;
  settings?: Settings;
}

/** In words: of a batch and leases also what they are where nothing is set. */
export function settingsText(settings: Settings = {}): string {
  const { SLUICE_PREFIX: _, ...told } = { ...SETTINGS, ...settings };
  const standard = (['SLUICE_BATCH', 'SLUICE_LEASES'] as const).flatMap((name) => {
    const value = name in told ? undefined : standardOf(name);
    return value === undefined ? [] : [`${name} ${value} (its default)`];
  });
  return [...standard, ...Object.entries(told).map(([name, value]) => `${name} ${value}`)].join(', ');
}

/** @returns undefined where this Sluice has no such setting */
export const standardOf = (name: keyof Settings) => configOf({})[name];

/** @returns whether this Sluice has the setting, and takes this value */
export function takesSetting(name: keyof Settings, value: string): boolean {
  try {
    return String(configOf({ [name]: value })[name]) === value;
  } catch {
    return false; // out of its range
  }
}

const configOf = (settings: Settings): Record<string, unknown> =>
  readConfig({
    ...SETTINGS,
    ...settings,
    UPSTASH_REDIS_REST_URL: 'http://127.0.0.1',
    UPSTASH_REDIS_REST_TOKEN: 'bench',
  });

/** The part of an envelope behind its header line. */
export const jsonOf = (n: number) => JSON.stringify({ body: bodyOf(n) });
