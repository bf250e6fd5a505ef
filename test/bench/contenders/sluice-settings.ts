/** The settings both forms of Sluice run with. */
import { bodyOf } from '../contender.ts';

export const PREFIX = 'bench';
export const QUEUE = 'work';

/** As on Workers Paid. A handler that does nothing needs no connections, so as many run at once as at the peers. */
export const SETTINGS = {
  SLUICE_PREFIX: PREFIX,
  SLUICE_DRAIN_REQUESTS: '9000',
  SLUICE_CONCURRENCY: '100',
  SLUICE_BATCH: '100',
  // Longer than a drain: one that has nothing left to do would else sleep until the lease of another might lapse.
  SLUICE_LEASE_MS: '60000',
};

export const SETTINGS_TEXT =
  'SLUICE_BATCH 100 (its default), SLUICE_CONCURRENCY 100, SLUICE_DRAIN_REQUESTS 9000, SLUICE_LEASE_MS 60000';

/** The part of an envelope behind its header line. */
export const jsonOf = (n: number) => JSON.stringify({ body: bodyOf(n) });
