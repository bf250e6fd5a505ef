// Six connections: no delivery starts that would wait for one while its time runs.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DELIVERY_ENV } from '../../examples/demo/deliveries.ts';
import { eventually } from '../support/worker.ts';
import { boxed } from './deployed.ts';
import { type SlowReceiver, startSlowReceiver } from './slow-receiver.ts';

const PAID = { subrequests: 10_000, connections: 6, clock: 'frozen' } as const;
const DELIVERIES = 120;
const ANSWER_MS = 40;

const box = boxed(PAID, { env: { ...DELIVERY_ENV, SLUICE_DRAIN_REQUESTS: '9000', SLUICE_CONCURRENCY: '50' } });
let receiver: SlowReceiver;
beforeAll(async () => {
  receiver = await startSlowReceiver(ANSWER_MS);
});
afterAll(() => receiver.close());

test('120 deliveries to a slow receiver, 50 handlers allowed: each finds a connection as it starts, and so does storage', async () => {
  const { call, platform } = box();
  const messages = Array.from({ length: DELIVERIES }, (_, i) => ({
    queue: 'webhook.out',
    group: `receiver-${i}`, // each of them has two deliveries at once
    body: { i },
    destination: receiver.url,
  }));
  const posted = await call('/v1/messages', { messages });
  const { messages: stored } = (await posted.json()) as { messages: { id: string }[] };
  await eventually('the woken drain is over', () => platform.invocations.length === 1);
  expect(receiver.arrived.toSorted()).toEqual(stored.map(({ id }) => id).toSorted());
  expect(platform.invocations).toMatchObject([{ queued: 0, refused: 0 }]);
  expect(receiver.most()).toBe(5);
  const queue = await call('/v1/queues/webhook.out', undefined, { method: 'GET' });
  expect(await queue.json()).toMatchObject({ ready: {}, delayed: 0, leased: 0, dead: 0 });
});
