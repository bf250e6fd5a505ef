/** What other services would take for the same messages, in US dollars a month. Pure. */
import { CLOUDFLARE_QUEUES, QSTASH, VERCEL_QUEUES, WORKERS } from './prices.ts';

/** @param perDay messages, spread evenly */
export function qstash(perDay: number, days: number): number {
  if (perDay <= QSTASH.freePerDay) return 0;
  const fixed = QSTASH.fixed.find((plan) => plan.perDay >= perDay);
  return Math.min(perDay * days * QSTASH.perMessage, fixed?.price ?? Number.POSITIVE_INFINITY);
}

/** With the paid plan of Workers in it, where the free one does not do. */
export function cloudflareQueues(perDay: number, days: number, bytes: number): number {
  const operations = perDay * CLOUDFLARE_QUEUES.operations * chunks(bytes, CLOUDFLARE_QUEUES.bytes);
  if (operations <= CLOUDFLARE_QUEUES.freePerDay) return 0;
  return WORKERS.price + Math.max(0, operations * days - CLOUDFLARE_QUEUES.included) * CLOUDFLARE_QUEUES.perOperation;
}

/** Beside a plan of Vercel: what Hobby includes is free. */
export function vercelQueues(perDay: number, days: number, bytes: number): number {
  const operations = perDay * days * VERCEL_QUEUES.operations * chunks(bytes, VERCEL_QUEUES.bytes);
  return operations <= VERCEL_QUEUES.included ? 0 : operations * VERCEL_QUEUES.perOperation;
}

const chunks = (bytes: number, size: number) => Math.ceil(Math.max(1, bytes) / size);
