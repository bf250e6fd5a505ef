// Ticks on the platform as it is on Workers Free: each in an isolate that knows nothing of the one before.
import { expect, test } from 'vitest';
import { eventually } from '../support/worker.ts';
import { boxed } from './deployed.ts';
import { FREE } from './limits.ts';

const box = boxed(FREE);

test('a backlog is drained by ticks that stay within their subrequests, and each message is delivered once', async () => {
  const { call, platform, outbox } = box();
  const messages = Array.from({ length: 100 }, (_, i) => ({ queue: 'github.activity', body: { i } }));
  expect((await call('/v1/messages', { messages })).status).toBe(202);
  for (let i = 0; i < 3; i++) await platform.tick();
  await eventually('the drain that the request woke is over, too', () => platform.invocations.length === 4);
  expect(outbox.deliveries.map(({ body }) => (body as { i: number }).i).toSorted((a, b) => a - b)).toEqual(
    messages.map(({ body }) => body.i),
  );
  expect(platform.invocations.map(({ refused }) => refused)).toEqual([0, 0, 0, 0]);
});
