// Beside Vitest's fake timers, all of them: whoever installs them first, both may move the time.
import { createTestSluice } from 'sluice/testing';
import { afterEach, expect, test, vi } from 'vitest';
import { GITHUB_SECRET, openShop } from './shop.ts';

const env = { GITHUB_SECRET };
const MORNING = new Date('2030-01-01T08:00:00.000Z');
afterEach(() => {
  vi.useRealTimers();
});

test('installed before: the test begins at their time, and goes with them', async () => {
  vi.useFakeTimers({ now: MORNING });
  const { sluice, mail, alert, calls } = openShop();
  const tested = await createTestSluice(sluice, { env: { ...env, refusals: 1 } });
  await sluice.producer(tested.env).enqueue(alert, 'later', { delay: '1h' });
  vi.advanceTimersByTime(3_600_000);
  await sluice.producer(tested.env).enqueue(mail, { to: 'ada' });
  await tested.drain();
  await tested.advance('5m');
  const [digest, ada] = [{ to: 'staff', about: 'digest' }, { to: 'ada' }];
  expect(calls).toEqual([
    ['alert', 'later', '2030-01-01T09:00:00.000Z'],
    ['mail', ada, '2030-01-01T09:00:00.000Z'],
    ['mail', digest, '2030-01-01T09:00:00.000Z'],
    ['mail', ada, '2030-01-01T09:05:00.000Z'],
    ['mail', digest, '2030-01-01T09:05:00.000Z'],
  ]);
  tested.close();
  expect(Date.now()).toBe(MORNING.getTime() + 3_600_000);
});

test('installed afterwards: the time is theirs from then on', async () => {
  const { sluice, alert, calls } = openShop();
  const tested = await createTestSluice(sluice, { env });
  vi.useFakeTimers({ now: MORNING });
  await sluice.producer(tested.env).enqueue(alert, 'later', { delay: '10m' });
  await tested.advance('5m');
  expect(await tested.enqueued(alert, 'delayed')).toHaveLength(1);
  vi.advanceTimersByTime(300_000);
  await tested.drain();
  expect(calls.map(([, body]) => body)).toContain('later');
  expect(tested.now()).toBe(MORNING.getTime() + 600_000);
  vi.useRealTimers();
  tested.close();
  // Years less than theirs. The two clocks part by all for which the machine has stood still in the life of this process.
  expect(Math.abs(Date.now() - performance.timeOrigin - performance.now())).toBeLessThan(86_400_000);
});
