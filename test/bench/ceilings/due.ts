/** How long it takes until as many timers are moved that are due at once: by sweeps, from near and from afar. */
import { defineQueue } from '../../../src/index.ts';
import { formatLane } from '../../../src/message/lane.ts';
import type { Place } from '../contender.ts';
import { jsonOf } from '../contenders/sluice-settings.ts';
import { openFarPlace } from '../delay/place.ts';
import type { DueFigures } from '../figures.ts';
import { openApi } from './api.ts';

const QUEUE = 'due';
const BATCH = 1_000;
const PARALLEL = 4;
/** They come in so long ago, by a clock that is set back, and are due half as long ago. */
const AGO_MS = 3_600_000;
const MOST_MS = 300_000;

/** @param distances round trips, ms */
export async function moveDue(
  place: Place,
  count: number,
  distances: number[],
  say: (step: string) => void,
): Promise<DueFigures[]> {
  const far = await openFarPlace(place);
  const found: DueFigures[] = [];
  try {
    for (const ms of distances) {
      await place.raw.flushall();
      say(`${count} timers that are due at once: filling`);
      await fill(place, count);
      say(`${count} timers that are due at once, ${ms} ms to Redis and back`);
      await far.setRoundTrip(ms);
      found.push({ ms, count, ...(await sweepAll(far, count)) });
    }
  } finally {
    far.close();
  }
  return found;
}

const queue = defineQueue(QUEUE, { kind: 'pull' });

async function fill(place: Place, count: number): Promise<void> {
  const dueAt = Date.now() - AGO_MS / 2;
  let at = Date.now() - AGO_MS;
  const { engine } = openApi(place, { prefix: 'due', queues: [queue], clock: () => at++ });
  const message = (n: number) => {
    const common = { lane: formatLane(5, QUEUE), pool: QUEUE, maxAttempts: 5, ttlMs: 0 };
    return { ...common, delayMs: dueAt - at, json: jsonOf(n) };
  };
  let left = count;
  const some = async () => {
    while (left > 0) {
      const length = Math.min(BATCH, left);
      left -= length;
      await engine.store.enqueue({ messages: Array.from({ length }, (_, i) => message(left + i)) });
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, some));
}

/** Ticks of a deployment, one after the other, as cron makes them: none waits for the next minute here. */
async function sweepAll(far: Place, count: number): Promise<{ seconds: number; sweeps: number; moved: number }> {
  const { call } = openApi(far, { prefix: 'due', queues: [queue] });
  const start = performance.now();
  let [sweeps, moved] = [0, 0];
  while (moved < count && performance.now() - start < MOST_MS) {
    await call('POST', '/v1/sweep');
    sweeps += 1;
    const { ready } = await call<{ ready: Record<string, number> }>('GET', `/v1/queues/${QUEUE}`);
    moved = Object.values(ready).reduce((sum, each) => sum + each, 0);
  }
  return { seconds: (performance.now() - start) / 1_000, sweeps, moved };
}
