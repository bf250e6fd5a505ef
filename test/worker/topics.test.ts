// Topics through the deployed bundle: from a publication to queues and to receivers elsewhere.
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Receiver, startReceiver } from '../../examples/demo/receiver.ts';
import { tokensSetting } from '../../src/dev/stack.ts';
import { deploy, eventually } from '../support/worker.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const secret = `whsec_${randomBytes(32).toString('base64')}`;
const ROOT = 'all-of-it';
const narrow = (name: string, queues: string[]) => ({
  name,
  sha256: sha256(name),
  scopes: ['enqueue', 'admin'],
  queues,
});
const deployed = deploy({
  env: {
    WEBHOOK_OUT_SECRETS: secret,
    SLUICE_TOKENS: JSON.stringify([
      ...(JSON.parse(tokensSetting(ROOT)) as object[]),
      narrow('invoices', ['invoices', 'reports']),
      narrow('only-topic', ['invoices']),
      narrow('only-queue', ['reports']),
    ]),
  },
});

let receivers: Receiver[];
beforeAll(async () => {
  receivers = await Promise.all([startReceiver([secret]), startReceiver([secret])]);
});
afterAll(() => Promise.all(receivers.map((receiver) => receiver.close())));

const at = (rest: string) => `/v1/topics/${rest}`;
const as = (token: string) => ({ token });
const put = (rest: string, body: unknown, token = ROOT) => deployed().call(at(rest), { method: 'PUT', body, token });
const publish = (topic: string, body: unknown, token = ROOT, headers = {}) =>
  deployed().call(at(`${topic}/messages`), { body, token, headers });

test('one publication reaches two receivers and a queue, each with its own retries and its own dead letter', async () => {
  const [good, bad] = receivers as [Receiver, Receiver];
  const partner = { url: `${good.url}/hook`, headers: { authorization: 'Bearer very-secret' } };
  await put('orders/subscriptions/good', { queue: 'webhook.out', destination: partner });
  await put('orders/subscriptions/bad', { queue: 'webhook.out', destination: `${bad.url}/?fail=410` });
  await put('orders/subscriptions/reports', { queue: 'reports', events: ['order.shipped'] });
  const shown = await (await deployed().call(at('orders'), { method: 'GET', ...as(ROOT) })).text();
  expect(shown).not.toContain('very-secret');

  const published = { type: 'order.shipped', body: { order: 1 } };
  const answer = await publish('orders', published, ROOT, { 'idempotency-key': 'order-1' });
  const { messages } = (await answer.json()) as { messages: { id: string; subscription: string }[] };
  expect([answer.status, messages.map(({ subscription }) => subscription)]).toEqual([202, ['bad', 'good', 'reports']]);
  await eventually('both deliveries', () => good.arrived.length === 1 && bad.arrived.length === 1);
  expect(good.arrived[0]).toMatchObject({ verified: true, body: '{"order":1}' });
  expect(good.arrived[0]?.headers).toMatchObject({
    'sluice-event': 'order.shipped',
    'sluice-topic': 'orders',
    authorization: 'Bearer very-secret',
  });
  const stateOf = async (i: number) => {
    const message = await deployed().call(`/v1/messages/${messages[i]?.id}`, { method: 'GET', ...as(ROOT) });
    return ((await message.json()) as { state: string }).state;
  };
  await eventually('the dead letter', async () => (await stateOf(0)) === 'dead');
  const received = await deployed().call('/v1/receive', { body: { queues: ['reports'] }, ...as(ROOT) });
  expect(await received.json()).toMatchObject({ messages: [{ id: messages[2]?.id, body: { order: 1 } }] });

  await deployed().call(at('orders/subscriptions/good'), { method: 'DELETE', ...as(ROOT) });
  const again = await publish('orders', published, ROOT, { 'idempotency-key': 'order-1' });
  expect([again.headers.get('idempotent-replayed'), await again.json()]).toEqual(['true', { messages }]);
  expect(good.arrived).toHaveLength(1);
});

test.each([
  ['410', 'fail=410', 'HTTP 410'],
  ['a marked answer', 'fail=500&webhook-delivery=disable', 'webhook-delivery: disable'],
])('a receiver that answers %s is left alone, alone, until its subscription is enabled', async (_, query, reason) => {
  const [good, bad] = receivers as [Receiver, Receiver];
  const topic = `left-${query.length}`;
  const path = `/${topic}`;
  const subscription = {
    queue: 'webhook.out',
    destination: { url: `${bad.url}${path}?${query}`, headers: { 'x-key': 'very-secret' } },
  };
  await put(`${topic}/subscriptions/bad`, subscription);
  await put(`${topic}/subscriptions/good`, { queue: 'webhook.out', destination: `${good.url}${path}` });
  const subscribed = async () => {
    const answer = await deployed().call(at(topic), { method: 'GET', ...as(ROOT) });
    const { subscriptions } = (await answer.json()) as { subscriptions: { id: string; disabled?: object }[] };
    return new Map(subscriptions.map(({ id, disabled }) => [id, disabled]));
  };
  const published = async () => {
    const answer = await publish(topic, { type: 'a', body: 1 });
    const { messages } = (await answer.json()) as { messages: { id: string; subscription: string }[] };
    return [answer.status, ...messages.map(({ subscription: to }) => to)];
  };
  const disabledOnes = () =>
    deployed().logs.filter((line) => line.includes('subscription disabled') && line.includes(topic));

  expect(await published()).toEqual([202, 'bad', 'good']);
  await eventually('it is disabled', async () => (await subscribed()).get('bad') !== undefined);
  expect([...(await subscribed())]).toEqual([
    ['bad', { at: expect.any(Number), reason }],
    ['good', undefined],
  ]);
  expect(await published()).toEqual([202, 'good']);
  await eventually('the other gets both', () => good.arrived.filter((one) => one.path === path).length === 2);
  expect(bad.arrived.filter((one) => one.path.startsWith(path))).toHaveLength(1);

  const enabled = await deployed().call(at(`${topic}/subscriptions/bad/enable`), as(ROOT));
  expect([enabled.status, await enabled.json()]).toEqual([
    200,
    {
      ...subscription,
      id: 'bad',
      events: ['*'],
      destination: { ...subscription.destination, headers: { 'x-key': '***' } },
    },
  ]);
  expect(await published()).toEqual([202, 'bad', 'good']);
  await eventually('it is disabled again', async () => (await subscribed()).get('bad') !== undefined);
  const second = bad.arrived.filter((one) => one.path.startsWith(path))[1];
  expect(second?.headers).toMatchObject({
    'x-key': 'very-secret',
    'sluice-topic': topic,
    'sluice-subscription': 'bad',
  });

  await eventually('it was said each time', () => disabledOnes().length === 2);
  for (const line of disabledOnes()) {
    expect(line).toContain(JSON.stringify({ topic, subscription: 'bad', queue: 'webhook.out', reason }).slice(1, -1));
    expect(line).not.toMatch(/127\.0\.0\.1|very-secret/);
  }
});

test('what is not there cannot be enabled', async () => {
  await put('there/subscriptions/a', { queue: 'reports' });
  const enable = (rest: string, token = ROOT) => deployed().call(at(rest), { token });
  const codes = [
    await enable('there/subscriptions/b/enable'),
    await enable('nowhere/subscriptions/a/enable'),
    await enable('there/subscriptions/a/enable', 'only-topic'),
  ].map(async (answer) => [answer.status, ((await answer.json()) as { code: string }).code]);
  expect(await Promise.all(codes)).toEqual([
    [404, 'unknown_subscription'],
    [404, 'unknown_subscription'],
    [403, 'forbidden'],
  ]);
});

test('a token publishes where its patterns fit the topic and every queue concerned', async () => {
  const statuses = async (...answers: Promise<Response>[]) => (await Promise.all(answers)).map(({ status }) => status);
  const books = { queue: 'reports', events: ['a'] };
  expect(
    await statuses(
      put('invoices/subscriptions/books', books, 'only-topic'),
      put('invoices/subscriptions/books', books, 'only-queue'),
      put('other/subscriptions/books', books, 'invoices'),
    ),
  ).toEqual([403, 403, 403]);
  expect((await put('invoices/subscriptions/books', books, 'invoices')).status).toBe(200);
  const event = { type: 'a', body: 1 };
  const key = { 'idempotency-key': 'k' };
  expect(
    await statuses(publish('invoices', event, 'only-topic', key), publish('invoices', event, 'only-queue', key)),
  ).toEqual([403, 403]);
  expect((await publish('invoices', event, 'invoices', key)).status).toBe(202);
  await put('invoices/subscriptions/mail', { queue: 'github.review', events: ['a'] });
  expect((await publish('invoices', event, 'invoices', key)).status).toBe(202); // the first answer
  expect((await publish('invoices', event, 'invoices')).status).toBe(403);
  const listed = await deployed().call('/v1/topics', { method: 'GET', ...as('invoices') });
  expect(await listed.json()).toEqual({ topics: [{ topic: 'invoices', subscriptions: 2 }] });
});

test('a body that does not fit the request so many times is refused, and nobody gets it', async () => {
  for (let i = 0; i < 17; i++) await put(`large/subscriptions/s${i}`, { queue: 'reports' });
  const answer = await publish('large', { type: 'a', body: 'x'.repeat(255 * 1_024) });
  expect([answer.status, await answer.json()]).toEqual([413, expect.objectContaining({ code: 'too_large' })]);
});
