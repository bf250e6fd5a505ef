/**
 * Published prices, in US dollars a month, read in November 2026. They change: look before you decide.
 *
 * Upstash Redis: https://upstash.com/docs/redis/overall/billing (the table of all plans).
 * QStash: https://upstash.com/pricing/qstash; Workers: https://developers.cloudflare.com/workers/platform/pricing/;
 * Cloudflare Queues: https://developers.cloudflare.com/queues/platform/pricing/.
 */
export const UPSTASH = {
  free: { commands: 500_000, bandwidthGb: 10 },
  perCommand: 0.2 / 100_000,
  freeBandwidthGb: 200,
  perGb: 0.03,
  /** Any number of commands; as many a second as all plans below 100 GB. */
  fixed: [
    { name: '250 MB', price: 10, bandwidthGb: 50 },
    { name: '1 GB', price: 20, bandwidthGb: 100 },
    { name: '5 GB', price: 100, bandwidthGb: 500 },
    { name: '10 GB', price: 200, bandwidthGb: 1_000 },
    { name: '50 GB', price: 400, bandwidthGb: 5_000 },
  ],
  commandsPerSecond: 10_000,
} as const;

/** By messages; what is delivered to an HTTP endpoint, retries included. */
export const QSTASH = {
  freePerDay: 1_000,
  perMessage: 1 / 100_000,
  fixed: [
    { perDay: 1_000_000, price: 180 },
    { perDay: 10_000_000, price: 420 },
  ],
} as const;

/** An operation is each 64 KB written, read or deleted: three for a message. Only on the paid plan of Workers. */
export const CLOUDFLARE_QUEUES = { operations: 3, included: 1_000_000, perOperation: 0.4 / 1_000_000 } as const;

/** The paid plan. CPU time beyond what it includes is not estimated. */
export const WORKERS = { free: 100_000, price: 5, included: 10_000_000, perRequest: 0.3 / 1_000_000 } as const;
