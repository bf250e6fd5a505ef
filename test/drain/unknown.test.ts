// How long a message waits whose queue this deployment does not know: by how long it has waited, by whatever clock.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openDelivery } from '../../src/delivery/deliver.ts';

const NOW = 1_800_000_000_000; // here; the server's clock is behind it by `ahead`

beforeEach(() => void vi.useFakeTimers({ now: NOW }));
afterEach(() => void vi.useRealTimers());

test.each([
  ['at first', 0, 0, 2_000],
  ['for less than the least wait', 1_900, 0, 2_000],
  ['for a minute', 60_000, 0, 60_000],
  ['for a minute by a clock that is behind', 60_000, 5_000, 60_000],
  ['for a minute by a clock that is ahead', 60_000, -5_000, 60_000],
  ['for a quarter of an hour', 900_000, 0, 60_000],
  ['for 32 minutes', 1_920_000, 0, 120_000],
  ['for a day', 86_400_000, 0, 900_000],
])('it has waited %s', (_, waitedMs, ahead, delayMs) => {
  const envelope = `5:gone * 5 ${NOW - ahead - waitedMs} 0\n{"body":1}`;
  expect(openDelivery({ entry: '1.x', envelope }, new Map(), ahead)).toEqual({
    entry: '1.x',
    outcome: 'release',
    delayMs,
  });
});

/** Drains of the old version meet it and put it off until the rollout is over; the next meeting delivers it. */
function metUntil(overMs: number): { lateMs: number; meetings: number } {
  const envelope = `5:gone * 5 ${NOW} 0\n{"body":1}`;
  for (let meetings = 1; ; meetings++) {
    const released = openDelivery({ entry: '1.x', envelope }, new Map());
    vi.setSystemTime(Date.now() + ('delayMs' in released ? (released.delayMs ?? 0) : 0));
    const lateMs = Date.now() - NOW - overMs;
    if (lateMs >= 0) return { lateMs, meetings };
  }
}

test.each([1, 5, 10, 30, 60, 240].map((minutes) => [minutes, Math.max(1, minutes / 16)]))(
  'S13 when a rollout of %i minutes is over, it waits %f minutes more at most',
  (minutes, most) => {
    expect(metUntil(minutes * 60_000).lateMs).toBeLessThanOrEqual(most * 60_000);
  },
);

test('a queue that left the code costs each of its messages no more than 160 looks in the first day', () => {
  expect(metUntil(86_400_000).meetings).toBeLessThanOrEqual(160);
});
