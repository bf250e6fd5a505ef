// A standing backlog on Workers Free, where no isolate stays warm: one tick, and drains that start others within their subrequests.
import { expect, test } from 'vitest';
import { eventually } from '../support/worker.ts';
import { boxed } from './deployed.ts';
import { FREE } from './limits.ts';

const MOST = 50;
const MESSAGES = 200;

const box = boxed(FREE, { knowsUrl: true, env: { SLUICE_DRAINERS: '4' } });

test('it is ended by one tick, each message delivered once, no invocation above what it may', async () => {
  const { call, platform, outbox, stack } = box();
  const { emulator, env } = stack;
  const messages = Array.from({ length: MESSAGES }, (_, i) => ({ queue: 'github.activity', body: { i } }));
  expect((await call('/v1/queues/github.activity/pause')).status).toBe(200);
  expect((await call('/v1/messages', { messages })).status).toBe(202);
  expect((await call('/v1/queues/github.activity/resume')).status).toBe(200);
  expect([emulator.url, outbox.deliveries]).toEqual([env.UPSTASH_REDIS_REST_URL, []]);
  await platform.tick();
  await eventually('all is delivered', () => outbox.deliveries.length >= MESSAGES);
  const numbers = outbox.deliveries.map(({ body }) => (body as { i: number }).i);
  expect(numbers.toSorted((a, b) => a - b)).toEqual(messages.map(({ body }) => body.i));
  const further = () => platform.invocations.filter(({ what }) => what.includes('/v1/drain/further')); // those that are over
  await eventually('drains were started', () => further().length >= MESSAGES / MOST - 1);
  expect(platform.invocations.filter(({ subrequests, refused }) => refused > 0 || subrequests > MOST)).toEqual([]);
});
