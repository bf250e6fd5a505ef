// Operators: what they see is what is there, and what they do is done once. Through the deployed bundle.
import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { deploy, eventually } from '../support/worker.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const TOKENS = JSON.stringify([
  { name: 'all', sha256: sha256('all'), scopes: ['enqueue', 'receive', 'admin'] },
  { name: 'mailer', sha256: sha256('mailer'), scopes: ['admin'], queues: ['notification.*'] },
  { name: 'producer', sha256: sha256('producer'), scopes: ['enqueue'] },
]);
const deployed = deploy({ env: { SLUICE_TOKENS: TOKENS } });

type Json = Record<string, unknown>;
const call = async <T = Json>(method: string, path: string, body?: unknown, token = 'all') => {
  const answer = await deployed().call(path, { method, token, ...(body === undefined ? {} : { body }) });
  return { status: answer.status, body: (await answer.json()) as T };
};
const reports = (path = '') => `/v1/queues/reports${path}`;

async function enqueue(count: number, options: object = {}, queue = 'reports'): Promise<string[]> {
  const messages = Array.from({ length: count }, (_, i) => ({ queue, body: { i }, ...options }));
  const { body } = await call<{ messages: { id: string }[] }>('POST', '/v1/messages', { messages });
  return body.messages.map(({ id }) => id);
}

const receive = async (max: number) =>
  (await call<{ lease: string; messages: { id: string }[] }>('POST', '/v1/receive', { queues: ['reports'], max })).body;

/** Puts messages in every state. */
async function fill() {
  const dead = await enqueue(3);
  const { lease, messages } = await receive(3);
  const settle = messages.map(({ id }) => ({ id, outcome: 'dead', error: 'no luck' }));
  await call('POST', `/v1/leases/${lease}/settle`, { settle });
  const leased = await enqueue(2);
  await receive(2);
  const ready = [...(await enqueue(3, { priority: 2 })), ...(await enqueue(2, { group: 'g' }))];
  const delayed = await enqueue(2, { delay: '1h' });
  return { ready, delayed, leased, dead };
}

beforeEach(async () => {
  await call('POST', reports('/resume'));
  await eventually('the queue is empty', async () => {
    await call('POST', reports('/purge'), { states: ['ready', 'delayed', 'dead'] });
    const { messages } = (
      await call<{ messages: { id: string }[] }>('GET', reports('/messages?state=leased&limit=100'))
    ).body;
    for (const { id } of messages) await call('DELETE', `/v1/messages/${id}`);
    return messages.length === 0;
  });
});

describe('an operator sees', () => {
  test('a queue with its counts per state and priority, and the age of the oldest', async () => {
    await fill();
    const { body } = await call('GET', reports());
    expect(body).toEqual({
      queue: 'reports',
      kind: 'pull',
      priority: 4,
      attempts: 5,
      timeoutMs: 15_000,
      ordered: false,
      limits: {},
      overrides: {},
      ready: { 2: 3, 4: 2 },
      delayed: 2,
      leased: 2,
      dead: 3,
      oldestReadyAt: expect.any(Number),
      paused: false,
      complete: true,
      oldestComplete: true,
    });
    expect(Math.abs(Number(body.oldestReadyAt) - Date.now())).toBeLessThan(10_000);
  });

  test('all queues, or those its token is for', async () => {
    const names = async (token: string) =>
      (await call<{ queues: { queue: string }[] }>('GET', '/v1/queues', undefined, token)).body.queues.map(
        ({ queue }) => queue,
      );
    expect(await names('all')).toEqual(
      expect.arrayContaining(['confirmation.email', 'notification.email', 'reports', 'github.activity']),
    );
    expect(await names('mailer')).toEqual(['notification.email']);
  });

  test.each(['ready', 'delayed', 'leased', 'dead'] as const)('the %s messages, page by page', async (state) => {
    const ids = (await fill())[state];
    const seen: Json[] = [];
    let cursor: string | undefined = '';
    while (cursor !== undefined) {
      const query = `?state=${state}&limit=2&cursor=${encodeURIComponent(cursor)}`;
      const page: { messages: Json[]; cursor?: string } = (
        await call<{ messages: Json[] }>('GET', reports(`/messages${query}`))
      ).body;
      seen.push(...page.messages);
      cursor = page.cursor;
    }
    expect(seen.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
    if (state === 'ready') expect(seen.map(({ id }) => id)).toEqual(ids); // urgent lanes first, each from its head
    for (const message of seen) {
      expect(message).toMatchObject({ queue: 'reports', state, body: { i: expect.any(Number) }, attempt: 1 });
    }
  });

  test('one message with its errors', async () => {
    const { dead, delayed } = await fill();
    const { body } = await call('GET', `/v1/messages/${dead[0]}`);
    expect(body).toMatchObject({
      id: dead[0],
      state: 'dead',
      body: { i: 0 },
      failures: [{ attempt: 1, kind: 'failed', text: 'no luck', at: expect.any(Number) }],
    });
    const later = (await call('GET', `/v1/messages/${delayed[0]}`)).body;
    expect(Math.abs(Number(later.at) - Date.now() - 3_600_000)).toBeLessThan(10_000);
  });
});

describe('an operator', () => {
  test('cancels a message wherever it is, and is told where that was', async () => {
    const { ready, delayed, leased, dead } = await fill();
    const was = async (id = '') => (await call('DELETE', `/v1/messages/${id}`)).body.was;
    expect([await was(ready[0]), await was(delayed[0]), await was(leased[0]), await was(dead[0])]).toEqual([
      'ready',
      'delayed',
      'leased',
      'dead',
    ]);
    expect((await call('DELETE', `/v1/messages/${ready[0]}`)).status).toBe(404);
    expect((await call('GET', reports())).body).toMatchObject({
      ready: { 2: 2, 4: 2 },
      delayed: 1,
      leased: 1,
      dead: 2,
    });
  });

  test('pauses and resumes a queue that the Worker drains', async () => {
    const queue = '/v1/queues/github.activity';
    expect((await call('POST', `${queue}/pause`)).body).toEqual({ queue: 'github.activity', paused: true });
    const [id = ''] = await enqueue(1, {}, 'github.activity');
    const [other = ''] = await enqueue(1, {}, 'github.review');
    await deployed().outbox.arrival(other);
    expect((await call('GET', queue)).body).toMatchObject({ paused: true, ready: { 7: 1 } });
    expect(deployed().outbox.deliveries.map((delivered) => delivered.id)).not.toContain(id);
    await call('POST', `${queue}/resume`);
    await deployed().outbox.arrival(id);
  });

  test("is refused another token's message and its kept result", async () => {
    const [id = ''] = await enqueue(1, { resultTtl: '1h' });
    const { lease } = await receive(1);
    expect((await call('GET', `/v1/messages/${id}`, undefined, 'mailer')).status).toBe(403);
    await call('POST', `/v1/leases/${lease}/settle`, { settle: [{ id, outcome: 'ack', result: 'secret' }] });
    expect((await call('GET', `/v1/messages/${id}`, undefined, 'mailer')).status).toBe(403);
    expect((await call('GET', `/v1/messages/${id}`)).body).toMatchObject({
      state: 'done',
      queue: 'reports',
      result: 'secret',
    });
  });

  test('overrides: paused, and not', async () => {
    expect((await call('PATCH', reports(), { paused: true })).body).toEqual({ queue: 'reports', paused: true });
    await enqueue(1);
    expect((await receive(1)).messages).toEqual([]);
    expect((await call('PATCH', reports(), { paused: false })).body).toEqual({ queue: 'reports', paused: false });
    expect((await receive(1)).messages).toHaveLength(1);
  });

  test('purges what waits, and leaves what is leased', async () => {
    await fill();
    expect((await call('POST', reports('/purge'), {})).body).toEqual({ purged: 7, more: false });
    expect((await call('GET', reports())).body).toMatchObject({ ready: {}, delayed: 0, leased: 2, dead: 3 });
    expect((await call('DELETE', reports('/dead'))).body).toEqual({ purged: 3, more: false });
  });

  test('redrives dead letters by id, or the oldest so many; repeated, none moves twice', async () => {
    const { dead } = await fill();
    const redrive = async (body: object) => (await call('POST', reports('/dead/redrive'), body)).body;
    expect(await redrive({ ids: [dead[1], 'nobody'] })).toEqual({
      messages: [
        { id: dead[1], status: 'redriven' },
        { id: 'nobody', status: 'gone' },
      ],
    });
    expect(await redrive({ ids: [dead[1]] })).toEqual({ messages: [{ id: dead[1], status: 'gone' }] });
    expect(await redrive({ limit: 5 })).toEqual({
      messages: [
        { id: dead[0], status: 'redriven' },
        { id: dead[2], status: 'redriven' },
      ],
    });
  });

  test('audits', async () => {
    expect(await call('GET', '/v1/audit?repair=true')).toEqual({ status: 200, body: { findings: [] } });
  });
});

const refused: [string, string, string, unknown, string, number, string, string[]][] = [
  ['no scope', 'GET', '/v1/queues', undefined, 'producer', 403, 'forbidden', []],
  ["another token's queue", 'GET', '/v1/queues/reports', undefined, 'mailer', 403, 'forbidden', []],
  ["another token's queue, to purge", 'POST', '/v1/queues/reports/purge', {}, 'mailer', 403, 'forbidden', []],
  ['a queue that is not there', 'POST', '/v1/queues/nowhere/pause', undefined, 'all', 404, 'unknown_queue', []],
  ['a message that is not there', 'GET', '/v1/messages/nobody', undefined, 'all', 404, 'unknown_message', []],
  ['an id that is none', 'DELETE', '/v1/messages/a%20b', undefined, 'all', 404, 'unknown_message', []],
  [
    'a state that there is not',
    'GET',
    '/v1/queues/reports/messages?state=lost&limit=0&x=1',
    undefined,
    'all',
    422,
    'invalid_message',
    ['state', 'limit', 'x'],
  ],
  [
    'a limit of nothing',
    'POST',
    '/v1/queues/reports/dead/redrive',
    { limit: 0 },
    'all',
    422,
    'invalid_message',
    ['limit'],
  ],
  [
    'states that there are not',
    'POST',
    '/v1/queues/reports/purge',
    { states: ['leased'] },
    'all',
    422,
    'invalid_message',
    ['states.0'],
  ],
  ['a token for some queues, to audit all', 'GET', '/v1/audit', undefined, 'mailer', 403, 'forbidden', []],
  ['a token for some queues, to sweep all', 'POST', '/v1/sweep', undefined, 'mailer', 403, 'forbidden', []],
  [
    'a policy that there is not',
    'PATCH',
    '/v1/queues/reports',
    { pausd: 1 },
    'all',
    422,
    'invalid_message',
    ['pausd', 'paused'],
  ],
  ['the wrong method', 'PUT', '/v1/queues/reports', undefined, 'all', 405, 'method_not_allowed', []],
];

describe('an operator is refused', () => {
  test.each(refused)('%s', async (_, method, path, body, token, status, code, fields) => {
    const answer = await call<{ code: string; errors?: { field: string }[] }>(method, path, body, token);
    const names = (answer.body.errors ?? []).map(({ field }) => field);
    expect([answer.status, answer.body.code, names]).toEqual([status, code, fields]);
  });
});
