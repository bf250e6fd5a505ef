// Whole engines on the shard of a bench, by the real clock, and what their handlers saw.

import { type Life, planLife } from '../../src/drain/life.ts';
import type { DrainReport } from '../../src/drain/report.ts';
import type { Features } from '../../src/engine/features.ts';
import { type Engine, openEngine } from '../../src/engine.ts';
import type { AnyQueue } from '../../src/index.ts';
import type { PreparedMessage } from '../../src/message/envelope.ts';
import { Invocation } from '../../src/runtime/invocation.ts';
import type { Bench } from '../support/bench.ts';

export function engineOn(
  bench: Bench,
  queues: AnyQueue[],
  settings: Record<string, number | string> = {},
  features: Features = {},
): Engine {
  const env = {
    UPSTASH_REDIS_REST_URL: bench.redises.emulator.url,
    UPSTASH_REDIS_REST_TOKEN: bench.redises.emulator.token,
    SLUICE_PREFIX: bench.prefix,
    SLUICE_DRAIN_REQUESTS: 45, // as on Workers Free
    ...settings,
  };
  return openEngine(env, new Map(queues.map((queue) => [queue.name, queue])), { features });
}

/**
 * A drain that takes messages for so long, as cron's does without its sweep.
 * @param apart of its life: one that does not sleep may have long to take what is there, and is over when it has that
 */
export function drainFor(
  { parts: { capacity, drains, waking, queues } }: Engine,
  timeMs: number,
  apart: Partial<Life> = {},
): Promise<DrainReport> {
  const invocation = new Invocation();
  const delivered = [...queues.values()].filter(({ handler }) => handler !== undefined);
  const timeoutsMs = delivered.map(({ timeoutMs }) => timeoutMs);
  const budget = capacity.budget({ ...planLife(timeMs, timeoutsMs), ...apart }, invocation);
  const onLeft = waking.leftBy(capacity.lives.fresh, invocation);
  return waking.run(invocation, (attention) => drains.run(budget, attention, { onLeft }));
}

/** Enqueues by the real clock. */
export async function enqueueNow(
  bench: Bench,
  ...messages: PreparedMessage[]
): Promise<{ ids: string[]; wake: boolean }> {
  const { ids, wake } = await bench.openStore().enqueue({ messages });
  bench.expectAlive(ids, messages);
  return { ids, wake };
}

/** Bodies of 250 kB, as many to a request as it may carry. */
export async function enqueueLarge(
  bench: Bench,
  count: number,
  options: Partial<PreparedMessage> = {},
): Promise<string[]> {
  const ids: string[] = [];
  for (let left = count; left > 0; left -= 12) {
    const messages = Array.from({ length: Math.min(12, left) }, () =>
      bench.message('work', 'x'.repeat(250_000), options),
    );
    ids.push(...(await enqueueNow(bench, ...messages)).ids);
  }
  return ids;
}

export const acked = (bench: Bench, ids: Iterable<string>): void => {
  for (const id of ids) bench.alive.delete(id);
};

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Nothing of what a handler does may end up here. */
export async function unhandledRejectionsOf(work: () => Promise<unknown>): Promise<unknown[]> {
  const found: unknown[] = [];
  const listen = (reason: unknown) => void found.push(reason);
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', listen);
  try {
    await work();
    await new Promise((resolve) => setImmediate(resolve)); // they are told after the microtasks
  } finally {
    process.off('unhandledRejection', listen);
    for (const other of others) process.on('unhandledRejection', other);
  }
  return found;
}
