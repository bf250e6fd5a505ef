/** What operators see where ten thousand leases hold messages, and how long it takes. */
import { defineQueue } from '../../../src/index.ts';
import { formatLane, PUSH_POOL } from '../../../src/message/lane.ts';
import type { Place } from '../contender.ts';
import { jsonOf } from '../contenders/sluice-settings.ts';
import type { LeaseFigures } from '../figures.ts';
import { type Api, openApi } from './api.ts';

const QUEUE = 'held';
const HOUR_MS = 3_600_000;
const PARALLEL = 32;
const BATCH = 1_000;
const TRIES = 5;

export async function lookAtLeases(
  place: Place,
  counts: number[],
  say: (step: string) => void,
): Promise<LeaseFigures[]> {
  await place.raw.flushall();
  const found: LeaseFigures[] = [];
  for (const count of counts) {
    say(`${count} leases, each with a message`);
    const queue = defineQueue(QUEUE, { subrequests: 0, handler: () => {} });
    const api = openApi(place, { prefix: `leases${count}`, queues: [queue] });
    await hold(api, count);
    found.push({ leases: count, ...(await look(api)) });
  }
  return found;
}

async function hold({ engine: { store } }: Api, count: number): Promise<void> {
  const common = { lane: formatLane(5, QUEUE), pool: PUSH_POOL, maxAttempts: 5, delayMs: 0, ttlMs: 0 };
  for (let sent = 0; sent < count; sent += BATCH) {
    const length = Math.min(BATCH, count - sent);
    await store.enqueue({ messages: Array.from({ length }, (_, i) => ({ ...common, json: jsonOf(sent + i) })) });
  }
  let next = 0;
  const some = async () => {
    while (next < count) {
      const request = { lease: `held${next++}`, leaseMs: HOUR_MS, held: 0, want: 1, pools: [PUSH_POOL] };
      await store.sync({ ...request, settlements: [] });
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, some));
}

interface Counts {
  leased: number;
  complete: boolean;
}

async function look({ call }: Api): Promise<Omit<LeaseFigures, 'leases'>> {
  const counts = await timed(() => call<Counts>('GET', `/v1/queues/${QUEUE}`), TRIES);
  const browsed = await timed(() => call('GET', `/v1/queues/${QUEUE}/messages?state=leased&limit=100`), TRIES);
  const audited = await timed(() => auditWhole(call), 1);
  const { leased, complete } = counts.value;
  return { countsMs: counts.ms, leased, complete, browseMs: browsed.ms, auditMs: audited.ms, ...audited.value };
}

/** A deep one, whose findings are all that there is to find: nothing is wrong here. */
async function auditWhole(call: Api['call']): Promise<Pick<LeaseFigures, 'pages' | 'findings' | 'incomplete'>> {
  let [cursor, pages, findings] = ['', 0, 0];
  const incomplete = new Set<string>();
  do {
    const query = new URLSearchParams({ deep: 'true', ...(cursor === '' ? {} : { cursor }) });
    const page = await call<{ findings: unknown[]; incomplete?: string[]; cursor?: string }>(
      'GET',
      `/v1/audit?${query}`,
    );
    cursor = page.cursor ?? '';
    pages += 1;
    findings += page.findings.length;
    for (const gap of page.incomplete ?? []) incomplete.add(gap);
  } while (cursor !== '');
  return { pages, findings, incomplete: [...incomplete] };
}

/** @returns the median, and the last answer */
async function timed<T>(work: () => Promise<T>, tries: number): Promise<{ value: T; ms: number }> {
  const times: number[] = [];
  let value = undefined as T;
  for (let i = 0; i < tries; i++) {
    const start = performance.now();
    value = await work();
    times.push(performance.now() - start);
  }
  return { value, ms: times.toSorted((a, b) => a - b)[Math.floor(tries / 2)] ?? 0 };
}
