/** What the platform takes for a Worker: its requests, its logs, and a drainer that is a Durable Object. US dollars a month. Pure. */
import { DURABLE_OBJECTS, LOGS, WORKERS } from './prices.ts';

export function workers(requests: number, days: number): number {
  if (requests <= WORKERS.free * days) return 0;
  return WORKERS.price + Math.max(0, requests - WORKERS.included) * WORKERS.perRequest;
}

export interface Logs {
  gb: number;
  /** With Workers Paid; undefined where Workers Free does and keeps all. */
  price: number | undefined;
}

/** Of a record for each request, all of them kept. */
export function logs(requests: number, days: number): Logs {
  const gb = (requests * LOGS.recordBytes) / 1e9;
  if (requests <= WORKERS.free * days && gb <= LOGS.freeGbPerDay * days) return { gb, price: undefined };
  const kept = (gb * LOGS.keptDays) / days;
  const price =
    Math.max(0, gb - LOGS.includedGb) * LOGS.perGb + Math.max(0, kept - LOGS.includedGbMonths) * LOGS.perGbMonth;
  return { gb, price };
}

/** @param count objects that are at work all month; fewer hours cost less */
export function drainers(count: number, days: number): { gbSeconds: number; price: number } {
  const gbSeconds = count * days * 86_400 * DURABLE_OBJECTS.gb;
  return { gbSeconds, price: Math.max(0, gbSeconds - DURABLE_OBJECTS.includedGbSeconds) * DURABLE_OBJECTS.perGbSecond };
}
