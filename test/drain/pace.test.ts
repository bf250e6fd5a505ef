// How much a drain takes ahead: of several shards each has its leases, and handlers that take their time bound all of them together.
import { expect, test } from 'vitest';
import { Pace } from '../../src/drain/pace.ts';
import type { DrainOptions } from '../../src/drain/report.ts';

const BATCH = 100;

/** After a second in which so many handlers ended, each after so long. */
function paceOf(shards: number, finished: number, runMs: number): Pace {
  const places = Array.from({ length: shards }, () => ({})) as unknown as DrainOptions['shards'];
  const pace = new Pace({ shards: places, concurrency: 400, connections: 40, leases: 1 });
  pace.begin(0);
  for (let i = 0; i < finished; i++) pace.noteFinished(runMs);
  pace.noteSync(1_000, 20, true);
  return pace;
}

test('quick handlers have a batch for the lease of each shard', () => {
  const ahead = (shards: number) => paceOf(shards, 10_000, 0).mostHeld(0, BATCH) - 40;
  expect([1, 2, 3].map(ahead)).toEqual([100, 200, 300]);
});

test('where handlers take long several shards have no more ahead than twice what is at work', () => {
  expect(paceOf(3, 10_000, 100).mostHeld(0, BATCH)).toBe(2 * 40 + 40);
});
