// Topics through the deployed bundle: from a publication to queues and to receivers elsewhere.
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Receiver, startReceiver } from '../../src/local/demo/receiver.ts';
import { tokensSetting } from '../../src/local/stack.ts';
import { deploy, eventually } from '../support/worker.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const secret = `whsec_${randomBytes(32).toString('base64')}`;
const ROOT = 'all-of-it';
const narrow = (name: string, queues: string[]) => ({
  name,
  sha256: sha256(name),
  scopes: ['enqueue', 'operate'],
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
