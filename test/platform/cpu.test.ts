// CPU on Workers Free: a backlog of 200 is delivered by cold ticks that have 30 ms each, and nothing twice.
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { startOutbox } from '../../examples/demo/outbox.ts';
import { type Stack, startStack } from '../../src/dev/stack.ts';
import { openEngine } from '../../src/engine.ts';
import { defineQueue } from '../../src/index.ts';
import { Invocation } from '../../src/runtime/invocation.ts';
import { builtOnce } from '../support/built-once.ts';
import { call } from './caller.ts';
import { FREE } from './limits.ts';
import { openPlatform } from './platform.ts';
import { TICK } from './wire.ts';

const MESSAGES = 200;
const CPU_MS = 30;
/** What the box uses on a machine with those 30 ms: one that takes longer over it at the moment takes longer over all. */
const BOX_MS = 15;
/** Of a tick with a full drain, about, five at a time. */
const FETCHES = 45;
const EMPTY = `export default { async scheduled(_, { OUTBOX_URL }) {
  const ask = async () => (await fetch(OUTBOX_URL, { method: 'POST', body: '{}' })).body?.cancel();
  for (let i = 0; i < ${FETCHES}; i += 5) await Promise.all([ask(), ask(), ask(), ask(), ask()]);
} };`;

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ bundle: await builtOnce(), env: { SLUICE_DRAIN_REQUESTS: '45' } });
}, 60_000);
afterAll(() => stack.close());

/** What a Worker uses that does nothing but so many fetches, at most: that is the box's, and not the Worker's. */
async function ofTheBox(env: Stack['env']): Promise<number> {
  const bundle = { mainModule: 'worker.js', modules: { 'worker.js': { type: 'esm' as const, contents: EMPTY } } };
  const box = await openPlatform({ ...FREE, bundle, env, cpuMs: 10_000 });
  for (let i = 0; i < 6; i++) await box.tick();
  await box.close();
  return Math.max(...box.invocations.map(({ cpuMs = 0 }) => cpuMs));
}

/** Without any Worker, so that none drains. */
async function enqueue(env: object): Promise<void> {
  const queue = defineQueue('github.activity', { kind: 'push', priority: 7 });
  const engine = openEngine(env, new Map([[queue.name, queue]])).under({ invocation: new Invocation() });
  const inputs = Array.from({ length: MESSAGES }, (_, i) => ({ queue, body: { i }, options: {}, path: '' }));
  await engine.enqueue(inputs);
}

// What else the machine does at the moment, to the caches say, is in the figures: it may try again.
test(`${MESSAGES} messages and cold ticks of ${CPU_MS} ms of CPU: all are delivered, each once`, {
  retry: 2,
}, async () => {
  // Of its own, for an earlier try that did not end may go on delivering.
  const outbox = await startOutbox(() => false);
  onTestFinished(() => outbox.close());
  const env = { ...stack.env, OUTBOX_URL: outbox.url, SLUICE_PREFIX: `cpu-${performance.now()}` };
  const boxMs = await ofTheBox(env);
  const limitMs = CPU_MS * Math.max(1, boxMs / BOX_MS);
  const platform = await openPlatform({ ...FREE, bundle: await builtOnce(), env, cpuMs: boxMs + limitMs });
  const backlog = async (tick: () => Promise<unknown>) => {
    outbox.deliveries.length = 0;
    await enqueue(env);
    for (let i = 0; i < 8 && outbox.deliveries.length < MESSAGES && platform.killed() === 0; i++) await tick();
  };
  // The first registers the schedules, and all of them warm the process, as the platform's are: without the limit.
  await backlog(() => call(platform.url + TICK, { method: 'POST' }));
  // Once one is killed the try has failed: the next would wait for what that one held under its lease.
  await backlog(() => platform.tick().catch(() => {}));
  await platform.close();
  const used = platform.invocations.map(({ cpuMs = 0 }) => Math.round(cpuMs - boxMs));
  console.log(
    `the box itself: up to ${Math.round(boxMs)} ms; ticks beyond that, of ${Math.round(limitMs)}: ${used.join(', ')} ms`,
  );
  expect(platform.killed()).toBe(0);
  const delivered = outbox.deliveries.map(({ body }) => (body as { i: number }).i);
  expect(delivered.toSorted((a, b) => a - b)).toEqual(Array.from({ length: MESSAGES }, (_, i) => i));
});
