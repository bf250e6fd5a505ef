/** Rings of the demo: sites to crawl and proxies to go through, a few at a time. */
import type { Api } from './api.ts';

const RINGS: Record<string, string[]> = {
  crawl: Array.from({ length: 40 }, (_, i) => `https://site${i}.example/feed`),
  proxies: Array.from({ length: 6 }, (_, i) => `proxy-${i}.example:8080`),
};

export async function turnRings(api: Api, signal: AbortSignal, waits: (ms: number) => Promise<void>): Promise<void> {
  for (const [ring, items] of Object.entries(RINGS)) await api('PUT', `/v1/rings/${ring}/items`, { items });
  while (!signal.aborted) {
    for (const ring of Object.keys(RINGS)) await api('POST', `/v1/rings/${ring}/rotate`, { count: 3 });
    await waits(2_000);
  }
}
