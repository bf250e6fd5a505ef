// The HTTP API of the deployed bundle: what it takes, what it refuses, and that a refusal changes nothing.
import { createHash } from 'node:crypto';
import { Redis } from '@upstash/redis';
import { beforeEach, describe, expect, test } from 'vitest';
import { deploy, eventually } from '../support/worker.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const TOKENS = JSON.stringify([
  { name: 'all', sha256: sha256('all-token'), scopes: ['enqueue', 'admin'] },
  { name: 'producer', sha256: sha256('producer-token'), scopes: ['enqueue'] },
  { name: 'operator', sha256: sha256('operator-token'), scopes: ['admin'] },
  {
    name: 'mailer',
    sha256: sha256('mailer-token'),
    scopes: ['enqueue'],
    queues: ['confirmation.email', 'notification.*'],
  },
]);

const deployed = deploy({ env: { SLUICE_TOKENS: TOKENS } });
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  deployed().call(path, { body, headers, token: 'all-token' });

const good = { body: { to: 'ada@example.com', token: '42' } };
const one = '/v1/queues/confirmation.email/messages';

/** Every key and a digest of its value, but for the markers of requests. */
async function stored(): Promise<string[]> {
  const { url, token } = deployed().stack.emulator;
  const redis = new Redis({ url, token, automaticDeserialization: false });
  return (await redis.keys('*')).filter((key) => !/(awake|health)$/.test(key)).toSorted();
}

describe('what it takes', () => {
  test('one message: 202 with its id, queue and state, and it reaches its handler at once', async () => {
    const answer = await post(one, good);
    expect(answer.status).toBe(202);
    const receipt = (await answer.json()) as { id: string };
    expect(receipt).toEqual({
      id: expect.stringMatching(/^\w{20}$/),
      queue: 'confirmation.email',
      state: 'ready',
      duplicate: false,
    });
    const arrived = await deployed().outbox.arrival(receipt.id);
    expect(arrived).toMatchObject({ queue: 'confirmation.email', attempt: 1 });
  });

  test('a batch over several queues: 202 with a receipt for each, in order', async () => {
    const messages = [
      { queue: 'notification.email', body: { to: 'a@example.com', article: 'x' }, delay: '1h', group: 'a{b}:c/d e' },
      {
        queue: 'github.activity',
        body: { event: 'push' },
        priority: 9,
        maxAttempts: 2,
        ttl: '1d',
        headers: { a: 'b' },
      },
    ];
    const answer = await post('/v1/messages', { messages });
    expect(answer.status).toBe(202);
    expect(await answer.json()).toEqual({
      messages: [
        { id: expect.any(String), queue: 'notification.email', state: 'delayed', duplicate: false },
        { id: expect.any(String), queue: 'github.activity', state: 'ready', duplicate: false },
      ],
    });
  });

  test('LR8 the same Idempotency-Key: the same answer, and one message', async () => {
    const headers = { 'idempotency-key': 'order-7' };
    const first = await post(one, good, headers);
    const again = await post(one, good, headers);
    const receipt = (await first.json()) as { id: string };
    expect(await again.json()).toEqual(receipt);
    expect([first.headers.get('idempotent-replayed'), again.headers.get('idempotent-replayed')]).toEqual([
      null,
      'true',
    ]);
    await deployed().outbox.arrival(receipt.id);
    expect(deployed().outbox.deliveries.filter(({ id }) => id === receipt.id)).toHaveLength(1);
  });

  test('the same Idempotency-Key from another caller is another request', async () => {
    const headers = { 'idempotency-key': 'order-8' };
    const first = await post(one, good, headers);
    const other = await deployed().call(one, { body: good, headers, token: 'producer-token' });
    expect(((await other.json()) as { id: string }).id).not.toBe(((await first.json()) as { id: string }).id);
  });

  test('a token for some queues: those named, and those that begin as its pattern does', async () => {
    const article = { body: { to: 'a@example.com', article: 'x' }, delay: '1h' };
    const answers = [
      await deployed().call(one, { body: { ...good, delay: '1h' }, token: 'mailer-token' }),
      await deployed().call('/v1/queues/notification.email/messages', { body: article, token: 'mailer-token' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
  });

  test('a dedup key: 200 with the first id for the second, whatever the key holds, and its result can be asked for', async () => {
    const dedup = { key: 'order {7}\n☂', window: '1h' };
    const queue = '/v1/queues/github.activity/messages';
    const first = (await (await post(queue, { body: 1, dedup, resultTtl: '1h' })).json()) as { id: string };
    const second = await post(queue, { body: 2, dedup });
    expect([second.status, await second.json()]).toEqual([
      200,
      { id: first.id, queue: 'github.activity', state: 'duplicate', duplicate: true },
    ]);
    await deployed().outbox.arrival(first.id);
    const done = async () =>
      (await (
        await deployed().call(`/v1/messages/${first.id}`, { method: 'GET', token: 'all-token' })
      ).json()) as object;
    await eventually('its result is kept', async () => 'result' in (await done()));
    expect(await done()).toMatchObject({ id: first.id, state: 'done', attempt: 1, result: null });
  });

  test('health is open and says that storage answers', async () => {
    const answer = await deployed().call('/health', { method: 'GET', token: null });
    expect([answer.status, await answer.json()]).toEqual([200, { status: 'ok', warnings: [] }]);
  });

  test('drain and sweep by hand report what they did', async () => {
    const drained = await deployed().call('/v1/drain', { token: 'operator-token' });
    expect([drained.status, await drained.json()]).toMatchObject([200, { sweep: { fired: 0 } }]);
    const swept = await deployed().call('/v1/sweep', { token: 'operator-token' });
    expect([swept.status, await swept.json()]).toEqual([200, { fired: 0, requeued: 0, dead: 0, repaired: 0 }]);
  });
});

interface Refused {
  name: string;
  path?: string;
  method?: string;
  token?: string | null;
  headers?: Record<string, string>;
  body?: unknown;
  raw?: string;
  status: number;
  code: string;
  fields?: string[];
}

const refused: Refused[] = [
  { name: 'no token', token: null, body: good, status: 401, code: 'unauthorized' },
  { name: 'an unknown token', token: 'all-tokem', body: good, status: 401, code: 'unauthorized' },
  {
    name: 'another scheme',
    token: null,
    headers: { authorization: 'Basic YTpi' },
    body: good,
    status: 401,
    code: 'unauthorized',
  },
  { name: 'a token without the scope', token: 'operator-token', body: good, status: 403, code: 'forbidden' },
  {
    name: 'a token that is not for this queue',
    path: '/v1/queues/github.activity/messages',
    token: 'mailer-token',
    body: { body: 1 },
    status: 403,
    code: 'forbidden',
  },
  {
    name: 'a batch with one queue that the token is not for',
    path: '/v1/messages',
    token: 'mailer-token',
    body: {
      messages: [
        { queue: 'confirmation.email', ...good },
        { queue: 'github.activity', body: 1 },
      ],
    },
    status: 403,
    code: 'forbidden',
  },
  { name: 'drain without the scope', path: '/v1/drain', token: 'producer-token', status: 403, code: 'forbidden' },
  { name: 'sweep without a token', path: '/v1/sweep', token: null, status: 401, code: 'unauthorized' },
  {
    name: 'a queue that is not there',
    path: '/v1/queues/nowhere/messages',
    body: good,
    status: 404,
    code: 'unknown_queue',
  },
  {
    name: 'a bad queue name',
    path: '/v1/queues/a%7Bb%7D%0A:c/messages',
    body: good,
    status: 404,
    code: 'unknown_queue',
  },
  { name: 'a path that is not there', path: '/v2/messages', body: good, status: 404, code: 'not_found' },
  { name: 'a path with a slash behind it', path: '/v1/messages/', body: good, status: 404, code: 'not_found' },
  { name: 'the wrong method', method: 'PUT', status: 405, code: 'method_not_allowed' },
  {
    name: 'the wrong method for a batch',
    path: '/v1/messages',
    method: 'DELETE',
    status: 405,
    code: 'method_not_allowed',
  },
  { name: 'no body', raw: '', status: 400, code: 'invalid_json' },
  { name: 'broken JSON', raw: '{"body": ', status: 400, code: 'invalid_json' },
  { name: 'a list instead of an object', body: [good], status: 422, code: 'invalid_message', fields: [''] },
  { name: 'a message without a body', body: { priority: 1 }, status: 422, code: 'invalid_message', fields: ['body'] },
  {
    name: 'unknown fields',
    body: { ...good, prio: 1, Delay: 2 },
    status: 422,
    code: 'invalid_message',
    fields: ['prio', 'Delay'],
  },
  {
    name: 'a body against the schema',
    body: { body: { to: 'no' } },
    status: 422,
    code: 'invalid_message',
    fields: ['body.to', 'body.token'],
  },
  { name: 'priority 10', body: { ...good, priority: 10 }, status: 422, code: 'invalid_message', fields: ['priority'] },
  {
    name: 'priority 1.5',
    body: { ...good, priority: 1.5 },
    status: 422,
    code: 'invalid_message',
    fields: ['priority'],
  },
  {
    name: 'priority as text',
    body: { ...good, priority: '1' },
    status: 422,
    code: 'invalid_message',
    fields: ['priority'],
  },
  {
    name: 'TI4 a negative delay',
    body: { ...good, delay: -1 },
    status: 422,
    code: 'invalid_message',
    fields: ['delay'],
  },
  {
    name: 'a delay over a year',
    body: { ...good, delay: '366d' },
    status: 422,
    code: 'invalid_message',
    fields: ['delay'],
  },
  {
    name: 'a delay that is no duration',
    body: { ...good, delay: '5 minutes' },
    status: 422,
    code: 'invalid_message',
    fields: ['delay'],
  },
  {
    name: 'TI4 a delay beyond any number',
    raw: '{"body":{"to":"a@example.com","token":"1"},"delay":1e999}',
    status: 422,
    code: 'invalid_message',
    fields: ['delay'],
  },
  {
    name: 'an instant over a year away',
    body: { ...good, notBefore: '2200-01-01T00:00:00Z' },
    status: 422,
    code: 'invalid_message',
    fields: ['notBefore'],
  },
  { name: 'a ttl of nothing', body: { ...good, ttl: 0 }, status: 422, code: 'invalid_message', fields: ['ttl'] },
  {
    name: 'no attempts',
    body: { ...good, maxAttempts: 0 },
    status: 422,
    code: 'invalid_message',
    fields: ['maxAttempts'],
  },
  { name: 'an empty group', body: { ...good, group: '' }, status: 422, code: 'invalid_message', fields: ['group'] },
  {
    name: 'a group of 129 characters',
    body: { ...good, group: 'g'.repeat(129) },
    status: 422,
    code: 'invalid_message',
    fields: ['group'],
  },
  {
    name: 'a group of broken text',
    raw: '{"body":{"to":"a@example.com","token":"1"},"group":"\\ud800"}',
    status: 422,
    code: 'invalid_message',
    fields: ['group'],
  },
  {
    name: 'headers that are no texts',
    body: { ...good, headers: { a: 1 } },
    status: 422,
    code: 'invalid_message',
    fields: ['headers.a'],
  },
  {
    name: 'a body over 256 KiB',
    body: { body: { to: 'a@example.com', token: 'x'.repeat(263_000) } },
    status: 413,
    code: 'too_large',
    fields: ['body'],
  },
  { name: 'a request over 4 MiB', raw: 'x'.repeat(4_300_000), status: 413, code: 'too_large' },
  {
    name: 'an Idempotency-Key with a space',
    headers: { 'idempotency-key': 'a b' },
    body: good,
    status: 400,
    code: 'invalid_idempotency_key',
  },
  {
    name: 'no list of messages',
    path: '/v1/messages',
    body: good,
    status: 422,
    code: 'invalid_message',
    fields: ['body', 'messages'],
  },
  {
    name: 'an empty batch',
    path: '/v1/messages',
    body: { messages: [] },
    status: 422,
    code: 'invalid_message',
    fields: ['messages'],
  },
  {
    name: 'a batch of 1,001',
    path: '/v1/messages',
    body: { messages: Array.from({ length: 1_001 }, () => ({ queue: 'github.activity', body: 1 })) },
    status: 422,
    code: 'invalid_message',
    fields: ['messages'],
  },
  {
    name: 'a batch with faults: each is named, and nothing of it is stored',
    path: '/v1/messages',
    body: {
      messages: [
        { queue: 'github.activity', body: 1 },
        { queue: 'github.activity', body: 2, delay: -5 },
        { queue: 'github.activity' },
      ],
    },
    status: 422,
    code: 'invalid_message',
    fields: ['messages[1].delay', 'messages[2].body'],
  },
  {
    name: 'a batch with unknown queues and things that are no messages',
    path: '/v1/messages',
    body: { messages: [{ queue: 'nowhere', body: 1 }, 7, { body: 1 }] },
    status: 422,
    code: 'invalid_message',
    fields: ['messages[0].queue', 'messages[1].queue', 'messages[1].body', 'messages[2].queue'],
  },
];

describe('what it refuses', () => {
  beforeEach(() =>
    eventually('no drain is at work', async () => (await stored()).every((key) => !/(lane|lease):/.test(key))),
  );

  test.each(refused)(
    '$name',
    async ({ path = one, method = 'POST', token = 'all-token', headers = {}, body, raw, status, code, fields }) => {
      const before = await stored();
      const answer = await deployed().call(path, {
        method,
        token,
        headers,
        body,
        ...(raw === undefined ? {} : { raw }),
      });
      expect(answer.status).toBe(status);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      const problem = (await answer.json()) as { code: string; status: number; errors?: { field: string }[] };
      expect(problem).toMatchObject({ code, status, type: `urn:sluice:problem:${code}`, title: expect.any(String) });
      expect((problem.errors ?? []).map(({ field }) => field)).toEqual(fields ?? []);
      expect(await stored()).toEqual(before);
    },
  );

  test('a wrong method is told which are right', async () => {
    const answer = await deployed().call(one, { method: 'PUT' });
    expect(answer.headers.get('allow')).toBe('GET, POST');
  });

  test('a missing token is told how to come back', async () => {
    const answer = await deployed().call(one, { token: null, body: good });
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer /);
  });

  test('an Idempotency-Key used for something else', async () => {
    const headers = { 'idempotency-key': 'order-9' };
    await post(one, good, headers);
    const other = await post(one, { ...good, priority: 1 }, headers);
    expect([other.status, ((await other.json()) as { code: string }).code]).toEqual([422, 'idempotency_key_reused']);
  });
});

describe('a deployment without tokens', () => {
  const closed = deploy({ env: { SLUICE_TOKENS: '[]' } });

  test.each(['any', null])('is closed, and says that none is stored, to token %s', async (token) => {
    const answer = await closed().call(one, { body: good, token });
    expect([answer.status, await answer.json()]).toEqual([
      401,
      expect.objectContaining({ detail: 'This deployment has no token yet: its API is closed' }),
    ]);
  });
});

describe('a deployment with bad settings', () => {
  const broken = deploy({
    env: { SLUICE_BATCH: 'many', SLUICE_TOKENS: 'secret-but-no-json', SLUICE_TOKEN: 'secret-but-short' },
  });

  test('S10 names them, and no more; what is wrong with them is in its log, without their values', async () => {
    const answer = await broken().call('/health', { method: 'GET' });
    expect([answer.status, await answer.json()]).toEqual([
      500,
      expect.objectContaining({
        code: 'misconfigured',
        detail: 'Missing or wrong: SLUICE_TOKEN, SLUICE_TOKENS, SLUICE_BATCH; the log of the Worker says how',
      }),
    ]);
    await eventually('the log names both settings', () =>
      /SLUICE_TOKENS.*SLUICE_BATCH/s.test(broken().logs.join('\n')),
    );
    expect(broken().logs.join('\n')).not.toContain('secret-but');
  });
});
