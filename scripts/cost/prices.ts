/**
 * Published prices, in US dollars a month, read in November 2026. They change: look before you decide.
 *
 * Upstash Redis: https://upstash.com/docs/redis/overall/billing (the table of all plans).
 * QStash: https://upstash.com/pricing/qstash; Workers: https://developers.cloudflare.com/workers/platform/pricing/;
 * Cloudflare Queues: https://developers.cloudflare.com/queues/platform/pricing/;
 * Durable Objects: https://developers.cloudflare.com/durable-objects/platform/pricing/;
 * logs: https://developers.cloudflare.com/workers/observability/logs/workers-logs/ (from December 2026);
 * Vercel Queues: https://vercel.com/docs/queues/pricing.
 */
export const UPSTASH = {
  free: { commands: 500_000, bandwidthGb: 10 },
  perCommand: 0.2 / 100_000,
  freeBandwidthGb: 200,
  perGb: 0.03,
  /** So many of an account cost nothing by themselves, each further one this. */
  databases: 10,
  perDatabase: 0.5,
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

/** By messages; what is delivered to an HTTP endpoint. Each attempt is billed. */
export const QSTASH = {
  freePerDay: 1_000,
  perMessage: 1 / 100_000,
  fixed: [
    { perDay: 1_000_000, price: 180 },
    { perDay: 10_000_000, price: 420 },
  ],
} as const;

/** An operation is each 64 KB written, read or deleted: three for a message. Free with Workers Free, where messages stay 24 hours. */
export const CLOUDFLARE_QUEUES = {
  operations: 3,
  bytes: 64_000,
  freePerDay: 10_000,
  included: 1_000_000,
  perOperation: 0.4 / 1_000_000,
} as const;

/** An operation is each 4 KiB sent, received or deleted; twice as much for a send with an idempotency key. Messages stay 24 hours. */
export const VERCEL_QUEUES = {
  operations: 3,
  bytes: 4_096,
  included: 1_000_000,
  perOperation: 0.6 / 1_000_000,
} as const;

/** The paid plan. CPU time beyond what it includes is not estimated. */
export const WORKERS = { free: 100_000, price: 5, included: 10_000_000, perRequest: 0.3 / 1_000_000 } as const;

/** Workers Logs, kept for 7 days. On Workers Free nothing more is kept on a day beyond `freeGbPerDay`. */
export const LOGS = {
  freeGbPerDay: 0.5,
  includedGb: 50,
  perGb: 0.25,
  keptDays: 7,
  includedGbMonths: 12,
  perGbMonth: 0.1,
  /** Of the record of one request: estimated, Cloudflare does not say. */
  recordBytes: 3_000,
} as const;

/** By wall-clock time of an object at work, which counts as 128 MB. */
export const DURABLE_OBJECTS = {
  gb: 0.128,
  includedGbSeconds: 400_000,
  perGbSecond: 12.5 / 1_000_000,
  freePerDay: 13_000,
} as const;
