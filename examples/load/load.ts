/**
 * A believable load for the dashboard: producers, and a consumer that does not always succeed. It is bounded: with much
 * waiting it pauses, and old dead letters go.
 */
import { apiOf } from './api.ts';
import { startConsumer } from './consumer.ts';
import { sendDeliveries } from './deliveries.ts';
import { PRODUCERS } from './producers.ts';
import { turnRings } from './rings.ts';
import { putSchedules } from './schedules.ts';
import { sendWebhooks } from './webhooks.ts';

export interface Load {
  stop(): Promise<void>;
}

/** More than this waiting, and nothing is added. */
const MOST_WAITING = 3_000;
/** More dead letters than this in one queue, and all of it go. */
const MOST_DEAD = 400;

interface Report {
  queue: string;
  ready: Record<string, number>;
  delayed: number;
  dead: number;
}

/** @param world where deliveries go: see world.ts */
export function startLoad(url: string, token: string, world: string): Load {
  const api = apiOf(url, token);
  const stopped = new AbortController();
  const waits = (ms: number) => wait(ms, stopped.signal);
  let room = true;

  async function produce({ everyMs, messages }: (typeof PRODUCERS)[number]): Promise<void> {
    for (let turn = 0; !stopped.signal.aborted; turn++) {
      if (room) await api('POST', '/v1/messages', { messages: messages(turn) });
      await waits(everyMs);
    }
  }

  async function keepBounds(): Promise<void> {
    while (!stopped.signal.aborted) {
      const { queues = [] } = ((await api('GET', '/v1/queues')) ?? {}) as { queues?: Report[] };
      const waiting = queues.flatMap(({ ready, delayed }) => [...Object.values(ready), delayed]);
      room = waiting.reduce((sum, count) => sum + count, 0) < MOST_WAITING;
      for (const { queue, dead } of queues) if (dead > MOST_DEAD) await api('DELETE', `/v1/queues/${queue}/dead`);
      await waits(5_000);
    }
  }

  const { signal } = stopped;
  const work = [
    ...PRODUCERS.map(produce),
    keepBounds(),
    startConsumer(api, signal, waits),
    turnRings(api, signal, waits),
    putSchedules(api),
    sendDeliveries(api, world, signal, waits),
    sendWebhooks(url, signal, waits, () => room),
  ];
  return {
    async stop() {
      stopped.abort();
      await Promise.allSettled(work);
    },
  };
}

/** Resolves early where the load is stopped. */
function wait(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
