// Deliveries through the deployed bundle, to real servers that fail in every way: nothing is lost, nothing is done that was not taken.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Receiver, startReceiver } from '../../examples/demo/receiver.ts';
import type { MessageReport } from '../../src/broker/admin.ts';
import { deploy, eventually } from '../support/worker.ts';

const secret = () => `whsec_${randomBytes(32).toString('base64')}`;
const [old, fresh] = [secret(), secret()];
const deployed = deploy({ env: { WEBHOOK_OUT_SECRETS: `${fresh} ${old}` } });
const QUEUE = '/v1/queues/webhook.out/messages';

let receivers: Receiver[];
/** One that has not changed its secret yet. */
let late: Receiver;
beforeAll(async () => {
  receivers = await Promise.all(Array.from({ length: 8 }, () => startReceiver([fresh])));
  late = await startReceiver([old]);
});
afterAll(() => Promise.all([...receivers, late].map((one) => one.close())));

let turns = 0;
/** The tests take turns: a destination gets two deliveries at once. */
const receiver = () => receivers[turns++ % receivers.length] as Receiver;

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function send(destination: unknown, options: object = {}): Promise<string> {
  const body = { secret: 'of the body', name: 'größe-名前-🚀' };
  const answer = await deployed().call(QUEUE, { body: { body, destination, resultTtl: '1h', ...options } });
  const { id } = (await answer.json()) as { id: string };
  expect(answer.status).toBe(202);
  return id;
}

async function report(id: string): Promise<MessageReport> {
  return (await (await deployed().call(`/v1/messages/${id}`, { method: 'GET' })).json()) as MessageReport;
}

async function ended(id: string): Promise<MessageReport> {
  let last = await report(id);
  await eventually(`the end of ${id}`, async () => {
    last = await report(id);
    return last.state === 'done' || last.state === 'dead';
  });
  return last;
}

const arrived = () => [...receivers, late].flatMap((one) => one.arrived);
const arrivals = (id: string) => arrived().filter((one) => one.id === id);

describe.concurrent('a delivery that fails at first is tried again until it is taken', () => {
  test.each([
    ['500', 'fail=500', /HTTP 500 \(content-type: text\/plain\): answered 500/],
    ['429 without a Retry-After', 'fail=429', /HTTP 429/],
    ['429 with one that is junk', 'fail=429&retry-after=soon', /HTTP 429 \(retry-after: soon;/],
    ['503', 'fail=503', /HTTP 503/],
    ['a connection that breaks in the middle of the answer', 'fail=reset', /HTTP 500/],
    ['an answer that does not come in time', 'fail=hang', /timeout: no answer within 4000 ms/],
    ['404', 'fail=404', /HTTP 404/],
    ['a redirect', 'fail=302&location=/elsewhere', /HTTP 302 \(location: \/elsewhere/],
  ])('%s', async (_, query) => {
    const url = `${receiver().url}/again?${query}&times=1`;
    const id = await send({ url, timeout: query === 'fail=hang' ? '4s' : '10s' }); // its second answer may meet a busy machine
    expect(await ended(id)).toMatchObject({
      state: 'done',
      attempt: 2,
      result: { status: 200, ms: expect.any(Number) },
    });
    expect(arrivals(id).map(({ attempt, taken, verified }) => [attempt, taken, verified])).toEqual([
      [1, false, true],
      [2, true, true],
    ]);
  });

  test.each([
    ['seconds', () => '3'],
    ['a date', () => new Date(Date.now() + 4_000).toUTCString()],
  ])('not before the destination wants it, said in %s', async (_, retryAfter) => {
    const asked = retryAfter();
    const id = await send(`${receiver().url}/later?fail=429&times=1&retry-after=${encodeURIComponent(asked)}`);
    await ended(id);
    const [first, second] = arrivals(id);
    const firstAt = performance.timeOrigin + (first?.at ?? 0);
    const wantedAt = /^\d+$/.test(asked) ? firstAt + Number(asked) * 1_000 : Date.parse(asked);
    expect(performance.timeOrigin + (second?.at ?? 0)).toBeGreaterThan(wantedAt - 100); // two clocks, read apart
  });
});

describe.concurrent('a delivery that is never taken becomes a dead letter that says why', () => {
  test.each([301, 302, 303, 307, 308])('a redirect by %i is not followed and not done', async (status) => {
    const { url } = receiver();
    const id = await send(`${url}/?fail=${status}&location=${url}/elsewhere`, { maxAttempts: 1 });
    const { state, failures } = await ended(id);
    expect([state, failures[0]?.text]).toEqual(['dead', expect.stringContaining(`HTTP ${status} (location: http://`)]);
    expect(arrived().filter(({ path }) => path === '/elsewhere')).toEqual([]);
  });

  test.each([
    ['410', 'fail=410', /HTTP 410/],
    ['a marked refusal', 'fail=400&webhook-delivery=abort-message', /HTTP 400/],
    ['another', 'fail=500&webhook-delivery=disable', /HTTP 500/],
  ])('%s: at once, whatever attempts are left', async (_, query, says) => {
    const id = await send(`${receiver().url}/?${query}`);
    const { state, attempt, failures } = await ended(id);
    expect([state, attempt, failures]).toEqual(['dead', 1, [expect.objectContaining({ kind: 'refused' })]]);
    expect(failures[0]?.text).toMatch(says);
  });

  test.each([
    ['an answer without end', 'fail=endless', /^Undelivered: HTTP 500 .*x{200}/],
    ['an answer that trickles', 'fail=trickle', /HTTP 500 .*: a beginning and no end/],
    ['an answer that breaks off', 'fail=reset', /HTTP 500/],
  ])('%s: its beginning is kept', async (_, query, says) => {
    const { failures } = await ended(await send(`${receiver().url}/?${query}`, { maxAttempts: 1 }));
    expect(failures[0]?.text).toMatch(says);
    expect(failures[0]?.text.length).toBeLessThanOrEqual(500);
  });

  test('nobody listens', async () => {
    const { state, failures } = await ended(await send(`http://127.0.0.1:${await closedPort()}/`, { maxAttempts: 1 }));
    expect([state, failures[0]?.text]).toEqual(['dead', expect.stringContaining('no answer')]);
  });

  test('and can be redriven', async () => {
    const id = await send(`${receiver().url}/?fail=500&times=1`, { maxAttempts: 1 });
    expect(await ended(id)).toMatchObject({
      state: 'dead',
      destination: expect.stringContaining('/?fail=500&times=1'),
    });
    const redriven = await deployed().call('/v1/queues/webhook.out/dead/redrive', { body: { ids: [id] } });
    expect(await redriven.json()).toEqual({ messages: [{ id, status: 'redriven' }] });
    await eventually('its second attempt', () => arrivals(id).length === 2);
  });
});

test('what is sent: method, headers, body, and a signature that fits both secrets', async () => {
  const destination = {
    method: 'PUT',
    headers: { Authorization: 'Bearer abc', 'content-type': 'application/cloudevents+json' },
  };
  const forwarding = {
    Forwarded: 'for=10.0.0.1',
    via: '1.1 inside',
    'True-Client-IP': '10.0.0.1',
    'x-forwarded-for': '10.0.0.1',
    'x-http-method-override': 'DELETE',
  };
  const headers = {
    'x-github-event': 'push',
    'not a header': 'stays',
    cookie: 'a=b',
    'webhook-id': 'forged',
    ...forwarding,
  };
  const ids = await Promise.all([receiver(), late].map(({ url }) => send({ url, ...destination }, { headers })));
  for (const id of ids) {
    await ended(id);
    const [arrived] = arrivals(id);
    expect(arrived).toMatchObject({ id, attempt: 1, method: 'PUT', verified: true });
    expect(JSON.parse(arrived?.body ?? '')).toEqual({ secret: 'of the body', name: 'größe-名前-🚀' });
    expect(arrived?.headers).toMatchObject({
      authorization: 'Bearer abc',
      'content-type': 'application/cloudevents+json',
      'x-github-event': 'push',
      'user-agent': 'Sluice',
    });
    for (const name of ['cookie', ...Object.keys(forwarding)])
      expect(arrived?.headers).not.toHaveProperty(name.toLowerCase());
  }
});

test('messages to one origin are a lane of their own', async () => {
  const { url } = receiver();
  const id = await send(`${url}/a`, { delay: '1h' });
  expect(await report(id)).toMatchObject({ group: url, state: 'delayed' });
  const grouped = await send(`${url}/a`, { delay: '1h', group: 'acme' });
  expect(await report(grouped)).toMatchObject({ group: 'acme' });
});

test.each([
  ['/v1/queues/webhook.out/messages', {}, 'destination'],
  ['/v1/queues/webhook.out/messages', { destination: 'data:text/plain,x' }, 'destination'],
  ['/v1/queues/webhook.out/messages', { destination: { url: 'file:///etc/passwd' } }, 'destination.url'],
  ['/v1/queues/webhook.out/messages', { destination: { url: 'http://a@127.0.0.1/' } }, 'destination.url'],
  [
    '/v1/queues/webhook.out/messages',
    { destination: { url: 'http://127.0.0.1/', secret: 'other' } },
    'destination.secret',
  ],
  [
    '/v1/queues/webhook.out/messages',
    { destination: { url: 'http://127.0.0.1/', headers: { host: 'a' } } },
    'destination',
  ],
  ['/v1/queues/webhook.out/messages', { destination: { url: 'http://127.0.0.1/', metod: 'PUT' } }, 'destination.metod'],
  ['/v1/queues/github.review/messages', { destination: 'http://127.0.0.1/' }, 'destination'],
  ['/v1/queues/reports/messages', { destination: 'http://127.0.0.1/' }, 'destination'],
])('%s refuses %j', async (path, options, field) => {
  const answer = await deployed().call(path, { body: { body: 1, ...options } });
  const { errors } = (await answer.json()) as { errors: { field: string }[] };
  expect([answer.status, errors[0]?.field.startsWith(field)]).toEqual([422, true]);
});

test('the log names messages, and holds nothing of bodies, URLs and answers', () => {
  expect(deployed().logs.some((line) => line.includes('webhook.out'))).toBe(true);
  for (const line of deployed().logs) expect(line).not.toMatch(/of the body|127\.0\.0\.1|answered|whsec/);
});
