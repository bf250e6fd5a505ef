/** How long a standing backlog takes whose deliveries are slow: nothing more comes, so that nothing but cron, or whoever asks, begins. */
import { join } from 'node:path';
import { type Bundle, buildBundle } from '../../../src/dev/bundle.ts';
import { tokensSetting } from '../../../src/dev/stack.ts';
import { type LocalWorker, startWorker } from '../../../src/dev/worker.ts';
import { createSluice, defineQueue } from '../../../src/index.ts';
import { makeKeys } from '../../../src/redis/keys.ts';
import { freePort } from '../../support/redis-server.ts';
import { type Child, startChild } from '../child.ts';
import { bodyOf, type Place, pause } from '../contender.ts';
import { PREFIX, QUEUE, SETTINGS, type Settings } from '../contenders/sluice-settings.ts';
import type { StandingFigures } from '../figures.ts';
import { WAYS, type Way } from './ways.ts';

/** What a delivery takes at the receiver. */
const DELIVERY_MS = 100;
const TOKEN = 'bench';
const TICK_MS = 60_000;
const MOST_MS = 600_000;
const LOOK_MS = 200;
const BATCH = 1_000;
/** The fewer drains, the smaller a backlog says the same. */
const EACH = 2_000;

export interface StandingEffort {
  /** With the most drains. */
  messages: number;
  drains: number[];
}

interface Means {
  place: Place;
  bundle: Bundle;
  receiver: Child<{ url: string }>;
}

export async function measureStanding(
  place: Place,
  { messages, drains }: StandingEffort,
  say: (step: string) => void,
): Promise<StandingFigures[]> {
  const bundle = await buildBundle(join(import.meta.dirname, 'worker.ts'));
  const most = Math.max(...drains);
  const found: StandingFigures[] = [];
  for (const way of WAYS) {
    for (const count of drains) {
      const settings = way.settings(count, 'http://127.0.0.1:1');
      if (!settings) continue; // this Sluice has it not
      const size = count === most && way.name !== 'asked' ? messages : Math.min(messages, EACH * count);
      say(`${size} slow deliveries, ${count} drains, ${way.name}`);
      found.push(await withReceiver((receiver) => measureOne({ place, bundle, receiver }, way, count, size)));
    }
  }
  return found;
}

async function withReceiver<T>(work: (receiver: Child<{ url: string }>) => Promise<T>): Promise<T> {
  const file = join(import.meta.dirname, 'receiver-process.ts');
  const receiver = await startChild<{ url: string }>('the receiver', file, [String(DELIVERY_MS)]);
  try {
    return await work(receiver);
  } finally {
    receiver.end();
  }
}

async function measureOne(means: Means, way: Way, drains: number, messages: number): Promise<StandingFigures> {
  const { place, bundle, receiver } = means;
  await place.raw.flushall();
  await fill(place, messages);
  const port = await freePort();
  const env = {
    ...settingsOn(place),
    ...way.settings(drains, `http://127.0.0.1:${port}`),
    SLUICE_TOKENS: tokensSetting(TOKEN),
    RECEIVER: receiver.first.url,
  };
  const worker = await startWorker({ bundle, env, port, drainer: way.isBound, log: () => {} });
  try {
    const start = performance.now();
    const stop = begin(worker, way, drains);
    await untilDone(means, messages, start + MOST_MS);
    const seconds = (performance.now() - start) / 1_000;
    stop();
    const { distinct, doubled } = await receiver.ask<{ distinct: number; doubled: number }>({});
    return { way: way.name, told: way.told, drains, messages, seconds, lost: messages - distinct, doubled };
  } finally {
    await worker.kill();
  }
}

/** As a deployment has them, but for the connections and the concurrency, which are what is measured. */
function settingsOn({ emulator }: Place) {
  const { SLUICE_CONCURRENCY: _, SLUICE_LEASE_MS: _longer, ...settings } = SETTINGS;
  return { ...settings, UPSTASH_REDIS_REST_URL: emulator.url, UPSTASH_REDIS_REST_TOKEN: emulator.token } satisfies
    | Settings
    | object;
}

async function fill(place: Place, messages: number): Promise<void> {
  const queue = defineQueue(QUEUE, { kind: 'push' });
  const producer = createSluice({ queues: [queue] }).producer(settingsOn(place));
  for (let sent = 0; sent < messages; sent += BATCH) {
    const count = Math.min(BATCH, messages - sent);
    await producer.enqueueMany(Array.from({ length: count }, (_, i) => ({ queue, body: bodyOf(sent + i) })));
  }
}

/** @returns what ends it */
function begin(worker: LocalWorker, way: Way, drains: number): () => void {
  let isOver = false;
  const repeat = async (work: () => Promise<unknown>, everyMs: number) => {
    while (!isOver) {
      const next = pause(everyMs);
      await work().catch(() => {}); // what it leaves is the next one's
      await next;
    }
  };
  if (way.name === 'asked') {
    const ask = () =>
      fetch(`${worker.url}/v1/drain`, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` } }).then(
        (answer) => answer.text(),
      );
    for (let i = 0; i < drains; i++) void repeat(ask, LOOK_MS);
  } else void repeat(() => worker.tick(), TICK_MS);
  return () => {
    isOver = true;
  };
}

/** Each was delivered, and none is stored any more. @throws Error where that takes too long */
async function untilDone({ place, receiver }: Means, messages: number, deadline: number): Promise<void> {
  const { root } = makeKeys(PREFIX);
  for (;;) {
    const { distinct } = await receiver.ask<{ distinct: number }>({});
    if (distinct >= messages && !(await anyLike(place, `${root}m:*`))) return;
    if (performance.now() > deadline)
      throw new Error(`only ${distinct} of ${messages} were delivered in ${MOST_MS / 1_000} s`);
    await pause(LOOK_MS);
  }
}

/** Asked when few keys are left. */
async function anyLike({ raw }: Place, pattern: string): Promise<boolean> {
  let cursor = '0';
  do {
    const [next, keys] = await raw.scan(cursor, 'MATCH', pattern, 'COUNT', 1_000);
    if (keys.length > 0) return true;
    cursor = next;
  } while (cursor !== '0');
  return false;
}
