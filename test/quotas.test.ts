// The quotas of torture: each is filled and lifted in turn, and work that does not go on is told.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Limits } from '../src/dev/emulator/plan.ts';
import { watchQuotas } from './chaos/quotas.ts';
import { chanceFor } from './chaos/random.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** @param resumesAfterMs how long it takes until work goes on when there is no limit */
async function runFor(ms: number, { resumesAfterMs }: { resumesAfterMs: number }) {
  let limits: Limits = {};
  let over = false;
  let [refused, done, lifted] = [0, 0, 0];
  const isLimited = () => Object.values(limits).some((limit) => limit !== undefined);
  const asked: string[] = [];
  const emulator = {
    usage: async () => ({ commands: 1_000, bytes: 50_000 }),
    limit(changes: Limits) {
      limits = { ...limits, ...changes };
      if (isLimited()) asked.push(...Object.keys(changes));
      else lifted = performance.now();
    },
    met: () => ({ refused: isLimited() ? ++refused : refused, delayed: 0 }),
  };
  const quotas = watchQuotas({
    emulator: () => emulator as never,
    chance: chanceFor(1, 'quotas'),
    progress: () => [!isLimited() && performance.now() - lifted >= resumesAfterMs ? ++done : done],
  });
  const run = quotas.run(() => over);
  await vi.advanceTimersByTimeAsync(ms);
  over = true;
  await vi.advanceTimersByTimeAsync(60_000);
  await run;
  return { quotas, asked, limits };
}

test('each is filled in turn, lifted, and the time until work goes on is measured', async () => {
  const { quotas, asked, limits } = await runFor(60_000, { resumesAfterMs: 500 });
  for (const { filled, met, longestMs } of Object.values(quotas.figures())) {
    expect(filled).toBeGreaterThan(1);
    expect(met).toBeGreaterThan(filled);
    expect(longestMs).toBeGreaterThanOrEqual(500);
    expect(longestMs).toBeLessThan(600);
  }
  expect(quotas.stalled()).toBe(0);
  expect(new Set(asked)).toEqual(
    new Set(['monthlyCommands', 'capacityBytes', 'recordBytes', 'commandsPerSecond', 'scriptsWhenFull']),
  );
  expect(Object.values(limits).filter((limit) => limit !== undefined)).toEqual([]);
});

test('work that does not go on is told, however the run ends', async () => {
  const { quotas } = await runFor(80_000, { resumesAfterMs: Number.POSITIVE_INFINITY });
  expect(quotas.stalled()).toBe(2);
});

test('refusals inside scripts count, those of a fault do not', async () => {
  const { quotas } = await runFor(0, { resumesAfterMs: 0 });
  const seen = (error: string) => quotas.see({ command: [], result: undefined, error, startedAt: 0, endedAt: 0 });
  seen('ERR DB capacity quota exceeded');
  seen('ERR max single record size exceeded, once script: f00');
  quotas.see({ command: [], result: [['1'], 'OK'], startedAt: 0, endedAt: 0 });
  expect(quotas.insideScripts()).toBe(0);
  seen('ERR DB capacity quota exceeded. Threshold: 1 bytes, Usage: 2 bytes. See there');
  quotas.see({ command: [], result: ['1', 'ERR max single record size exceeded'], startedAt: 0, endedAt: 0 });
  expect(quotas.insideScripts()).toBe(2);
});
