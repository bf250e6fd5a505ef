// What a user tests of a shop, by fake time alone. Each runs under Vitest and under node:test, so it asserts with node:assert.
import assert from 'node:assert/strict';
import { createTestSluice, type TestSluice } from 'sluice/testing';
import { GITHUB_SECRET, openShop, type Shop, type ShopEnv, webhookOf } from './shop.ts';

const MORNING = '2030-01-01T08:00:00.000Z';

type Scenario = (shop: Shop, tested: TestSluice<ShopEnv>) => Promise<void>;

/** In a shop of its own, on the morning of New Year's Day. */
export async function run(scenario: Scenario, env: Partial<ShopEnv> = {}): Promise<void> {
  const shop = openShop();
  const tested = await createTestSluice(shop.sluice, { env: { GITHUB_SECRET, ...env }, now: MORNING });
  try {
    await scenario(shop, tested);
  } finally {
    tested.close();
  }
}

const at = (time: string) => `2030-01-01T${time}.000Z`;
const call = ({ sluice, env }: TestSluice<ShopEnv>, method: string, path: string, body: object) =>
  sluice.fetch(
    new Request(`http://shop.example${path}`, {
      method,
      headers: { authorization: `Bearer ${env.SLUICE_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
    env,
  );

export const scenarios: Record<string, () => Promise<void>> = {
  'what is enqueued waits until it is drained': () =>
    run(async ({ sluice, mail, calls }, tested) => {
      await sluice.producer(tested.env).enqueue(mail, { to: 'ada' }, { group: 'a' });
      const [message] = await tested.enqueued(mail);
      assert.deepEqual(
        [message?.state, message?.body, message?.group, message?.attempt, message?.enqueuedAt],
        ['ready', { to: 'ada' }, 'a', 1, Date.parse(MORNING)],
      );
      assert.deepEqual(calls, []);
      assert.deepEqual(await tested.drain(), { delivered: 1, acked: 1, retried: 0, dead: 0, failed: [] });
      assert.deepEqual(calls, [['mail', { to: 'ada' }, MORNING]]);
      assert.deepEqual(await tested.enqueued(mail), []);
    }),

  'a request over HTTP enqueues and wakes nobody': () =>
    run(async ({ mail, calls }, tested) => {
      const answer = await call(tested, 'POST', '/v1/queues/mail/messages', { body: { to: 'ada' } });
      assert.equal(answer.status, 202);
      await tested.expectEnqueued(mail, { body: { to: 'ada' }, state: 'ready' });
      assert.deepEqual(calls, []);
      assert.equal((await call(tested, 'POST', '/v1/queues/mail/messages', { body: {} })).status, 422);
    }),

  'the more urgent comes first': () =>
    run(async ({ sluice, mail, alert, calls }, tested) => {
      await sluice.producer(tested.env).enqueue(mail, { to: 'ada' });
      await sluice.producer(tested.env).enqueue(mail, { to: 'bob' });
      await sluice.producer(tested.env).enqueue(alert, 'fire');
      await tested.drain();
      assert.deepEqual(
        calls.map(([, body]) => body),
        ['fire', { to: 'ada' }, { to: 'bob' }],
      );
    }),

  'a tick handles what is ready, and waits for nothing': () =>
    run(async ({ sluice, alert, calls }, tested) => {
      await sluice.producer(tested.env).enqueueMany([
        { queue: alert, body: 'now' },
        { queue: alert, body: 'soon', options: { delay: '300ms' } },
      ]);
      await sluice.tick(tested.env);
      assert.deepEqual(calls, [['alert', 'now', MORNING]]);
    }),

  'a delay of a day': () =>
    run(async ({ sluice, alert, calls }, tested) => {
      await sluice.producer(tested.env).enqueue(alert, 'later', { delay: '1d' });
      await tested.expectEnqueued(alert, { state: 'delayed', delay: '1d' });
      await tested.advance('23h59m59s');
      await tested.expectEnqueued(alert, { delay: '1s' });
      assert.equal(calls.filter(([queue]) => queue === 'alert').length, 0);
      await tested.advance('1s');
      assert.deepEqual(calls.at(-1), ['alert', 'later', '2030-01-02T08:00:00.000Z']);
      assert.equal(new Date(tested.now()).toISOString(), '2030-01-02T08:00:00.000Z');
    }),

  'a retry when the handler asks for one': () =>
    run(
      async ({ sluice, mail, calls }, tested) => {
        await sluice.producer(tested.env).enqueue(mail, { to: 'ada' });
        const { retried, failed } = await tested.drain();
        assert.deepEqual([retried, failed[0]?.text], [1, 'RetryAfterError: the mail service is busy']);
        await tested.expectEnqueued(mail, { body: { to: 'ada' }, attempt: 2, delay: '5m' });
        await tested.advance('10m');
        assert.deepEqual(
          calls.map(([, , time]) => time),
          [at('08:00:00'), at('08:05:00'), at('08:10:00')],
        );
        await tested.expectNotEnqueued(mail);
      },
      { refusals: 2 },
    ),

  'what failed together comes back in its order': () =>
    run(
      async ({ sluice, mail, calls }, tested) => {
        const all = Array.from({ length: 25 }, (_, i) => ({ to: String(i) }));
        for (const body of all.slice(0, 5)) await sluice.producer(tested.env).enqueue(mail, body);
        await sluice.producer(tested.env).enqueueMany(all.slice(5).map((body) => ({ queue: mail, body })));
        await tested.advance('5m');
        assert.deepEqual(
          calls.map(([, body]) => body),
          [...all, ...all],
        );
      },
      { refusals: 1 },
    ),

  'retries to death, and what follows on that': () =>
    run(async ({ sluice, charge, calls }, tested) => {
      const onFailure = { queue: 'alert', body: 'not paid' };
      await sluice.producer(tested.env).enqueue(charge, { order: 7 }, { onFailure });
      const { delivered, dead, failed } = await tested.advance('1m');
      assert.deepEqual([delivered, dead, failed.map(({ attempt }) => attempt)], [4, 1, [1, 2, 3]]);
      assert.deepEqual(calls, [
        ['charge', { order: 7 }, at('08:00:00')],
        ['charge', { order: 7 }, at('08:00:02')],
        ['charge', { order: 7 }, at('08:00:06')],
        ['alert', 'not paid', at('08:00:06')],
      ]);
      const [letter] = await tested.enqueued(charge, 'dead');
      assert.deepEqual(
        letter?.failures.map(({ text }) => text),
        Array(3).fill('Error: the card was declined'),
      );
    }),

  'what can never come true is dead at once': () =>
    run(async ({ sluice, refund }, tested) => {
      await sluice.producer(tested.env).enqueue(refund, { order: 7 });
      assert.equal((await tested.drain()).dead, 1);
      await tested.expectEnqueued(refund, { state: 'dead', body: { order: 7 } });
    }),

  'a schedule at nine': () =>
    run(async ({ calls }, tested) => {
      await tested.advance('59m');
      assert.deepEqual(calls, []);
      await tested.advance('2d');
      assert.deepEqual(
        calls,
        ['2030-01-01', '2030-01-02'].map((day) => ['mail', { to: 'staff', about: 'digest' }, `${day}T09:00:00.000Z`]),
      );
    }),

  'a webhook that comes in, and one that is forged': () =>
    run(async ({ sluice, alert, calls }, tested) => {
      assert.equal((await sluice.fetch(webhookOf('ping', { zen: 'a' }), tested.env)).status, 200);
      const forged = new Request(webhookOf('ping', { zen: 'b' }), { body: '{}', method: 'POST' });
      assert.equal((await sluice.fetch(forged, tested.env)).status, 401);
      await tested.expectEnqueued(alert, { body: { zen: 'a' } });
      await tested.drain();
      assert.equal(calls.length, 1);
    }),

  'a topic that is published to': () =>
    run(async ({ sluice, mail, alert }, tested) => {
      const path = '/v1/topics/orders/subscriptions/shipping';
      assert.equal((await call(tested, 'PUT', path, { queue: 'alert', events: ['order.*'] })).status, 200);
      await sluice.producer(tested.env).publish('orders', 'order.paid', { order: 7 });
      await sluice.producer(tested.env).publish('orders', 'user.new', { user: 1 });
      await tested.expectEnqueued(alert, { body: { order: 7 } });
      await tested.expectNotEnqueued(alert, { body: { user: 1 } });
      await tested.expectNotEnqueued(mail);
    }),

  'a consumer elsewhere that dies with its lease': () =>
    run(async ({ sluice, parcels }, tested) => {
      await sluice.producer(tested.env).enqueue(parcels, { parcel: 1 });
      await call(tested, 'POST', '/v1/receive', { queues: ['parcels'], visibility: '30s' });
      await tested.expectEnqueued(parcels, { state: 'leased' });
      await tested.advance('31s');
      await tested.expectEnqueued(parcels, { state: 'ready', attempt: 2 });
    }),

  'half an hour of what comes each minute, and retries between': () =>
    run(
      async ({ sluice, mail, calls }, tested) => {
        await call(tested, 'PUT', '/v1/schedules/beat', { cron: '* * * * *', queue: 'alert', body: 'beat' });
        await sluice.producer(tested.env).enqueue(mail, { to: 'ada' }, { delay: '30s', maxAttempts: 9 });
        await tested.advance('30m');
        const minute = (i: number) => at(`08:${String(i).padStart(2, '0')}:00`);
        const beats = Array.from({ length: 30 }, (_, i) => ['alert', 'beat', minute(i + 1)]);
        const tries = Array.from({ length: 6 }, (_, i) => [
          'mail',
          { to: 'ada' },
          minute(i * 5).replace(':00.', ':30.'),
        ]);
        assert.deepEqual(
          calls,
          [...beats, ...tries].sort(([, , a], [, , b]) => String(a).localeCompare(String(b))),
        );
      },
      { refusals: 9 },
    ),

  'a handler whose time is over': () =>
    run(async ({ sluice, slow, calls }, tested) => {
      await sluice.producer(tested.env).enqueue(slow, null);
      const draining = tested.drain();
      while (calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
      await tested.advance('15s');
      const { failed } = await draining;
      assert.deepEqual([failed[0]?.kind, failed[0]?.attempt], ['timeout', 1]);
      await tested.expectEnqueued(slow, { attempt: 2, state: 'delayed' });
    }),
};
