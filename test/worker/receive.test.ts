// Consumers elsewhere: receive and settle over HTTP, through the deployed bundle.
import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { deploy, eventually } from '../support/worker.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const TOKENS = JSON.stringify([
  { name: 'all', sha256: sha256('all'), scopes: ['enqueue', 'receive', 'admin'] },
  { name: 'producer', sha256: sha256('producer'), scopes: ['enqueue'] },
  { name: 'other', sha256: sha256('other'), scopes: ['receive'], queues: ['mail.*'] },
]);
const deployed = deploy({ env: { SLUICE_TOKENS: TOKENS } });

interface Received {
  lease: string;
  expiresAt: number;
  messages: { id: string; attempt: number; body: unknown }[];
  nextInMs?: number;
}

const call = async <T = Received>(path: string, body: unknown, headers: Record<string, string> = {}, token = 'all') => {
  const answer = await deployed().call(path, { body, headers, token });
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as T };
};
const receive = async (body: object = {}, headers = {}) =>
  (await call('/v1/receive', { queues: ['reports'], ...body }, headers)).body;
const settle = async (lease: string, body: object) =>
  (
    await call<{ settled: { id: string; status: string }[]; lost?: true } & Partial<Received>>(
      `/v1/leases/${lease}/settle`,
      body,
    )
  ).body;

async function enqueue(count: number, options: object = {}): Promise<string[]> {
  const messages = Array.from({ length: count }, (_, i) => ({ queue: 'reports', body: { i }, ...options }));
  const { body } = await call<{ messages: { id: string }[] }>('/v1/messages', { messages });
  return body.messages.map(({ id }) => id);
}

describe('a consumer', () => {
  beforeEach(async () => {
    for (;;) {
      const { lease, messages } = await receive({ max: 100 });
      if (messages.length === 0) return;
      await settle(lease, { settle: messages.map(({ id }) => ({ id, outcome: 'ack' })) });
    }
  });

  test('gets messages in order with all that belongs to them, and settles them by id', async () => {
    const [first = '', second = '', third = ''] = await enqueue(3, { headers: { k: 'v' }, group: 'g' });
    const { lease, expiresAt, messages } = await receive({ max: 2, visibility: '1m' });
    expect(messages).toEqual(
      [first, second].map((id, i) => ({
        id,
        queue: 'reports',
        priority: 4,
        group: 'g',
        attempt: 1,
        body: { i },
        headers: { k: 'v' },
        enqueuedAt: expect.any(Number),
      })),
    );
    expect(Math.abs(expiresAt - Date.now() - 60_000)).toBeLessThan(20_000);
    const answer = await settle(lease, {
      settle: [
        { id: first, outcome: 'ack' },
        { id: second, attempt: 1, outcome: 'retry', delay: 0, error: 'no luck' },
      ],
      receive: { queues: ['reports'], max: 5, holding: 0 },
    });
    expect(answer.settled).toEqual([
      { id: first, status: 'acked' },
      { id: second, status: 'retried' },
    ]);
    expect(answer.messages?.map(({ id }) => id)).toEqual([third]);
  });

  test('with nothing there is told when to ask again, and does not wait for the answer', async () => {
    await enqueue(1, { delay: '1h' }); // no test behind this one meets it
    const before = Date.now();
    const { body, headers } = await call('/v1/receive', { queues: ['reports'] });
    expect(Date.now() - before).toBeLessThan(10_000);
    expect(body.messages).toEqual([]);
    expect(body.nextInMs).toBeGreaterThan(1_000);
    expect(Number(headers.get('retry-after'))).toBe(Math.ceil((body.nextInMs ?? 0) / 1_000));
  });

  test('LR2 that repeats a receive under the same Idempotency-Key gets the same messages in the same lease', async () => {
    await enqueue(5);
    const headers = { 'idempotency-key': 'receive-1' };
    const first = await receive({ max: 3 }, headers);
    const again = await receive({ max: 3 }, headers);
    expect(again.lease).toBe(first.lease);
    expect(again.messages).toEqual(first.messages);
    expect((await receive({ max: 5 })).messages).toHaveLength(2);
  });

  test('LR3 that repeats a settle with more gets the same messages, because it says what it holds', async () => {
    await enqueue(5);
    const { lease, messages } = await receive({ max: 2 });
    const request = {
      settle: [{ id: messages[0]?.id, outcome: 'ack' }],
      receive: { queues: ['reports'], max: 2, holding: 1 },
    };
    const first = await settle(lease, request);
    const again = await settle(lease, request);
    expect(again.messages).toEqual(first.messages);
    expect([first.settled[0]?.status, again.settled[0]?.status]).toEqual(['acked', 'gone']);
  });

  test('that comes too late settles nothing and is told so, and whoever has the message now is not disturbed', async () => {
    const [id] = await enqueue(1);
    const slow = await receive({ visibility: 1_000 });
    await eventually('the lease has expired', async () => {
      const swept = await deployed().call('/v1/sweep', { token: 'all' });
      return ((await swept.json()) as { requeued: number }).requeued === 1;
    });
    const more = { queues: ['reports'], max: 1, holding: 1 };
    expect(await settle(slow.lease, { receive: more })).toEqual({ settled: [], lost: true });
    const other = await receive();
    expect(other.messages).toMatchObject([{ id, attempt: 2 }]);
    for (const outcome of ['ack', 'retry', 'dead', 'release']) {
      expect((await settle(slow.lease, { settle: [{ id, outcome }], extend: '1m' })).settled).toEqual([
        { id, status: 'stale' },
      ]);
    }
    expect((await settle(other.lease, { settle: [{ id, attempt: 1, outcome: 'ack' }] })).settled[0]?.status).toBe(
      'stale',
    );
    expect((await settle(other.lease, { settle: [{ id, attempt: 2, outcome: 'ack' }] })).settled[0]?.status).toBe(
      'acked',
    );
  });

  test('is told of more than fits in an answer, which comes with the next; a max of 0 only asks for the lease', async () => {
    for (let i = 0; i < 4; i++) await enqueue(6, { body: 'x'.repeat(200_000) });
    const { lease, messages, more } = (await receive({ max: 24 })) as Received & { more?: true };
    expect([messages.length < 24, more]).toEqual([true, true]);
    const ask = (max: number) => settle(lease, { receive: { queues: ['reports'], max, holding: messages.length } });
    expect((await ask(0)).messages).toEqual([]);
    const rest = await ask(24);
    expect(messages.length + (rest.messages?.length ?? 0)).toBe(24);
    expect(rest).not.toHaveProperty('more');
  });

  test('gives a result with its ack, which is kept where the message has a resultTtl', async () => {
    const [id] = await enqueue(1, { resultTtl: '1h' });
    const { lease } = await receive();
    await settle(lease, { settle: [{ id, outcome: 'ack', result: { pages: 7 } }] });
    const answer = await deployed().call(`/v1/messages/${id}`, { method: 'GET', token: 'all' });
    expect(await answer.json()).toMatchObject({ id, state: 'done', attempt: 1, result: { pages: 7 } });
  });

  test('extends its lease, releases untouched, and refuses for good', async () => {
    const [released, refused] = await enqueue(2);
    const { lease, expiresAt } = await receive({ visibility: '30s' });
    const extended = await settle(lease, { extend: '10m' });
    expect((extended.expiresAt ?? 0) - expiresAt).toBeGreaterThan(500_000);
    const { settled } = await settle(lease, {
      settle: [
        { id: released, outcome: 'release' },
        { id: refused, outcome: 'dead', error: 'no' },
      ],
    });
    expect(settled.map(({ status }) => status)).toEqual(['released', 'dead']);
    expect((await receive()).messages).toMatchObject([{ id: released, attempt: 1 }]);
  });

  test('shares a queue with another: each message goes to one of them', async () => {
    const ids = await enqueue(60);
    const seen: string[][] = [[], []];
    await Promise.all(
      seen.map(async (mine) => {
        for (;;) {
          const { lease, messages } = await receive({ max: 7 });
          if (messages.length === 0) return;
          mine.push(...messages.map(({ id }) => id));
          await settle(lease, { settle: messages.map(({ id }) => ({ id, outcome: 'ack' })) });
        }
      }),
    );
    expect(seen.flat().toSorted()).toEqual(ids.toSorted());
    expect(seen.every((mine) => mine.length > 0)).toBe(true);
  });
});

const refused = [
  {
    name: 'no token',
    path: '/v1/receive',
    token: null,
    body: { queues: ['reports'] },
    status: 401,
    code: 'unauthorized',
    fields: [],
  },
  {
    name: 'the wrong scope',
    path: '/v1/receive',
    token: 'producer',
    body: { queues: ['reports'] },
    status: 403,
    code: 'forbidden',
    fields: [],
  },
  {
    name: 'a token for other queues',
    path: '/v1/receive',
    token: 'other',
    body: { queues: ['reports'] },
    status: 403,
    code: 'forbidden',
    fields: [],
  },
  {
    name: 'a queue that is not there',
    path: '/v1/receive',
    body: { queues: ['nowhere'] },
    status: 404,
    code: 'unknown_queue',
    fields: [],
  },
  {
    name: 'a push queue',
    path: '/v1/receive',
    body: { queues: ['github.activity'] },
    status: 409,
    code: 'not_a_pull_queue',
    fields: [],
  },
  { name: 'no queues', path: '/v1/receive', body: {}, status: 422, code: 'invalid_message', fields: ['queues'] },
  {
    name: 'too many wanted',
    path: '/v1/receive',
    body: { queues: ['reports'], max: 101, vis: 1 },
    status: 422,
    code: 'invalid_message',
    fields: ['max', 'vis'],
  },
  {
    name: 'a visibility of no time',
    path: '/v1/receive',
    body: { queues: ['reports'], visibility: 10 },
    status: 422,
    code: 'invalid_message',
    fields: ['visibility'],
  },
  {
    name: 'an outcome that there is not',
    path: '/v1/leases/x~reports/settle',
    body: { settle: [{ id: 'a', outcome: 'nack' }] },
    status: 422,
    code: 'invalid_message',
    fields: ['settle.0.outcome'],
  },
  {
    name: 'an id that is none',
    path: '/v1/leases/x~reports/settle',
    body: { settle: [{ id: 'a b', outcome: 'ack' }] },
    status: 422,
    code: 'invalid_message',
    fields: ['settle.0.id'],
  },
  {
    name: 'more without saying what is held',
    path: '/v1/leases/x~reports/settle',
    body: { receive: { queues: ['reports'] } },
    status: 422,
    code: 'invalid_message',
    fields: ['receive.holding'],
  },
  {
    name: 'the name of a lease that says no queue, as a drain has it',
    path: '/v1/leases/0NvMLqXc2dFgH4jKm6Np/settle',
    body: {},
    status: 404,
    code: 'not_found',
    fields: [],
  },
  {
    name: 'a token that is not for a queue of the lease',
    path: '/v1/leases/x~mail.out~reports/settle',
    token: 'other',
    body: { settle: [{ id: 'a', outcome: 'ack' }] },
    status: 403,
    code: 'forbidden',
    fields: [],
  },
  {
    name: 'a token that would extend a lease of another queue',
    path: '/v1/leases/x~reports/settle',
    token: 'other',
    body: { extend: '12h' },
    status: 403,
    code: 'forbidden',
    fields: [],
  },
  {
    name: 'more from a queue that the lease was not received from',
    path: '/v1/leases/x~letters/settle',
    body: { receive: { queues: ['reports'], holding: 0 } },
    status: 422,
    code: 'invalid_message',
    fields: ['receive.queues'],
  },
  {
    name: 'a lease that cannot be one',
    path: '/v1/leases/%7Bx%7D/settle',
    body: {},
    status: 404,
    code: 'not_found',
    fields: [],
  },
  { name: 'the wrong method', path: '/v1/receive', method: 'GET', status: 405, code: 'method_not_allowed', fields: [] },
];

describe('a consumer is refused', () => {
  test.each(refused)('$name', async ({ path, token = 'all', method = 'POST', body, status, code, fields }) => {
    const answer = await deployed().call(path, { token, method, ...(body ? { body } : {}) });
    const problem = (await answer.json()) as { code: string; errors?: { field: string }[] };
    expect([answer.status, problem.code, (problem.errors ?? []).map(({ field }) => field)]).toEqual([
      status,
      code,
      fields,
    ]);
  });
});
