// How long a call is recognised: no repetition of ours may come when its token is forgotten, whatever time-out is set.
import { expect, test } from 'vitest';
import { collectFeatures } from '../../src/engine/features.ts';
import { openEngine } from '../../src/engine.ts';
import { hooks } from '../../src/http/v1/hooks.ts';
import { defineQueue, defineSource } from '../../src/index.ts';
import { github } from '../../src/webhooks/providers.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

const queue = defineQueue('mail', { kind: 'pull' });
const source = defineSource('github', { provider: github, secret: 'SECRET', route: queue });

function engineOn(b: Bench, timeoutMs: number) {
  const env = {
    UPSTASH_REDIS_REST_URL: b.redises.emulator.url,
    UPSTASH_REDIS_REST_TOKEN: b.redises.emulator.token,
    SLUICE_PREFIX: b.prefix,
    SLUICE_REDIS_TIMEOUT_MS: String(timeoutMs),
  };
  return openEngine(env, new Map([[queue.name, queue]]), {
    sources: new Map([[source.name, source]]),
    features: collectFeatures([hooks]),
  });
}

/** How long the one token of the shard that `call` leaves is kept, ms: what has passed of that since, if the machine stood still, is part of it. */
async function keptMs(b: Bench, call: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await call();
  const tokens = Object.keys((await b.shard()).rest).filter((name) => name.startsWith('req:'));
  expect(tokens).toHaveLength(1);
  const leftMs = await b.redises.raw.pttl(b.root + tokens[0]);
  return leftMs + performance.now() - begun;
}

onEachRedis('a call is recognised for longer than it is repeated', (bench) => {
  test.each([1_000, 3_000, 20_000, 60_000])('an enqueue, with a time-out of %i ms', async (timeoutMs) => {
    const enqueue = async () => {
      const { receipts } = await engineOn(bench(), timeoutMs).enqueue([{ queue, body: 1, options: {}, path: '' }]);
      bench().alive.add(receipts[0]?.id ?? '');
    };
    expect(await keptMs(bench(), enqueue)).toBeGreaterThan(Math.max(59_000, 5 * timeoutMs + 9_000));
  });

  test.each([1_000, 3_000, 20_000, 60_000])('what became of a webhook, with a time-out of %i ms', async (timeoutMs) => {
    const { sources } = engineOn(bench(), timeoutMs).parts;
    sources?.count(source, 'accepted', () => {});
    const write = async () => sources?.report(); // what was counted
    expect(await keptMs(bench(), write)).toBeGreaterThan(Math.max(59_000, 5 * timeoutMs + 9_000));
  });
});
