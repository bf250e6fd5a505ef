// How long a message waits whose queue this deployment does not know: as long as it has waited, by whatever clock.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openDelivery } from '../../src/drain/deliver.ts';

const NOW = 1_800_000_000_000; // here; the server's clock is behind it by `ahead`

beforeEach(() => void vi.useFakeTimers({ now: NOW }));
afterEach(() => void vi.useRealTimers());

test.each([
  ['at first', 0, 0, 2_000],
  ['for less than the least wait', 1_900, 0, 2_000],
  ['for a minute', 60_000, 0, 60_000],
  ['for a minute by a clock that is behind', 60_000, 5_000, 60_000],
  ['for a minute by a clock that is ahead', 60_000, -5_000, 60_000],
  ['for an hour', 3_600_000, 0, 900_000],
])('it has waited %s', (_, waitedMs, ahead, delayMs) => {
  const envelope = `5:gone * 5 ${NOW - ahead - waitedMs} 0\n{"body":1}`;
  expect(openDelivery({ entry: '1.x', envelope }, new Map(), ahead)).toEqual({
    entry: '1.x',
    outcome: 'release',
    delayMs,
  });
});
