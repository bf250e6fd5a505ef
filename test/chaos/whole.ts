/**
 * Whole requests: what is accepted together is there together in the end, though it may become visible shard by shard.
 *
 * Pure. Judged by keys, since a producer that never got its answer knows no ids. A message is there where it was stored under an id of
 * its own, or where an earlier one with its dedup key stands for it.
 */

/** Of requests whose messages were not all stored at one instant. */
export interface Spread {
  requests: number;
  /** From the first to the last message, ms. */
  p50Ms: number;
  p99Ms: number;
  longestMs: number;
}

export interface WholeRequests {
  begun(request: number, keys: string[]): void;
  stored(key: string, at: number): void;
  met(keys: string[]): void;
  has(key: string): boolean;
  /** Whether an earlier message stands for it, and it is not there itself. */
  isStoodFor(key: string): boolean;
  /** @returns of each request that is there in part, a key that is missing */
  halves(): string[];
  spread(): Spread;
}

export function followRequestsWhole(): WholeRequests {
  const requests = new Map<number, string[]>();
  const storedAt = new Map<string, number>();
  const stoodFor = new Set<string>();
  const has = (key: string) => storedAt.has(key) || stoodFor.has(key);
  return {
    begun: (request, keys) => void requests.set(request, keys),
    stored(key, at) {
      if (!storedAt.has(key)) storedAt.set(key, at);
    },
    met(keys) {
      for (const key of keys) stoodFor.add(key);
    },
    has,
    isStoodFor: (key) => stoodFor.has(key) && !storedAt.has(key),
    halves: () =>
      [...requests.values()].flatMap((keys) => (keys.some(has) ? (keys.find((key) => !has(key)) ?? []) : [])),
    spread() {
      const spreads = [...requests.values()].flatMap((keys) => {
        const instants = keys.flatMap((key) => storedAt.get(key) ?? []);
        const ms = instants.length === 0 ? 0 : Math.max(...instants) - Math.min(...instants);
        return ms > 0 ? [ms] : [];
      });
      spreads.sort((a, b) => a - b);
      const at = (share: number) => spreads[Math.min(spreads.length - 1, Math.floor(share * spreads.length))] ?? 0;
      return { requests: spreads.length, p50Ms: at(0.5), p99Ms: at(0.99), longestMs: at(1) };
    },
  };
}
