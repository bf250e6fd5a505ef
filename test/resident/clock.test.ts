// The loop of a process that stays, where the clock of its machine jumps: after a suspend timers count on as if nothing had been.
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { run } from '../../src/adapters/node.ts';
import { createSluice, defineQueue } from '../../src/index.ts';
import { Bench, type Redises, startEmbedded } from '../support/bench.ts';
import { eventually } from '../support/worker.ts';

const HOUR_MS = 3_600_000;

let redises: Redises;
beforeAll(async () => {
  redises = await startEmbedded();
});
afterAll(() => redises.stop());

test('a loop is woken also where the instant that it waits for has passed meanwhile', async () => {
  const b = new Bench(redises);
  const seen: unknown[] = [];
  const jobs = defineQueue('jobs', { handler: ({ body }) => void seen.push(body) });
  const sluice = createSluice({ queues: [jobs] });
  const env = {
    UPSTASH_REDIS_REST_URL: redises.emulator.url,
    UPSTASH_REDIS_REST_TOKEN: redises.emulator.token,
    SLUICE_PREFIX: b.prefix,
  };
  const stopping = new AbortController();
  const running = run(sluice, { env, signal: stopping.signal });
  await sluice.producer(env).enqueue(jobs, 'much later', { delay: '1h' });
  await sluice.producer(env).enqueue(jobs, 'before');
  await eventually('it is handled and settled, and the loop waits for the other', async () => {
    return seen.length === 1 && Object.keys((await b.shard()).leases).length === 0;
  });
  const { now } = Date;
  const jump = vi.spyOn(Date, 'now').mockImplementation(() => now() + 2 * HOUR_MS);
  try {
    await sluice.producer(env).enqueue(jobs, 'after');
    await eventually('the loop has looked', () => seen.includes('after'), 2_000);
  } finally {
    jump.mockRestore();
    stopping.abort();
    await running;
  }
  expect(seen[0]).toBe('before');
});
