// Callbacks, keys that wait for quiet, limits of operators and cancelling what runs: over HTTP, through the deployed bundle.
import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { createClient } from '../../src/client/index.ts';
import { deploy, eventually } from '../support/worker.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const ALL = ['enqueue', 'receive', 'admin'];
const TOKENS = JSON.stringify([
  { name: 'all', sha256: sha256('all'), scopes: ALL },
  { name: 'reporter', sha256: sha256('reporter'), scopes: ALL, queues: ['reports', 'github.*'] },
]);
const deployed = deploy({ env: { SLUICE_TOKENS: TOKENS } });

type Json = Record<string, unknown>;
interface Receipt {
  id: string;
  state: string;
  duplicate: boolean;
  replaced?: true;
}
interface Held {
  lease: string;
  messages: { id: string; body: unknown }[];
}

const call = async <T = Json>(method: string, path: string, body?: unknown, token = 'all') => {
  const answer = await deployed().call(path, { method, token, ...(body === undefined ? {} : { body }) });
  return { status: answer.status, body: (await answer.json()) as T };
};
const put = (body: object, token?: string) => call<Receipt & Json>('POST', '/v1/queues/reports/messages', body, token);
const receive = async (max = 100) =>
  (await call<Held>('POST', '/v1/receive', { queues: ['reports'], max, visibility: '1m' })).body;
const settle = (lease: string, body: object) => call('POST', `/v1/leases/${lease}/settle`, body);
const settleAll = ({ lease, messages }: Held, outcome: 'ack' | 'dead') =>
  settle(lease, { settle: messages.map(({ id }) => ({ id, outcome })) });
const patch = (body: object) => call('PATCH', '/v1/queues/reports', body);
const counts = async (queue: string) =>
  (await call<{ ready: object; delayed: number }>('GET', `/v1/queues/${queue}`)).body;

beforeEach(async () => {
  await patch({ concurrency: null, rate: null });
  for (;;) {
    const held = await receive();
    if (held.messages.length === 0) break;
    await settleAll(held, 'ack');
  }
  await call('POST', '/v1/queues/reports/purge', { states: ['ready', 'delayed', 'dead'] });
});

describe('what follows on a message', () => {
  const callbacks = {
    onSuccess: { queue: 'github.review', body: { it: 'was done' }, priority: 1 },
    onFailure: [
      { queue: 'github.activity', body: { it: 'died' } },
      { queue: 'github.activity', body: { it: 'died, too' }, delay: 1 },
    ],
  };
  const arrived = (parent: string) => deployed().outbox.deliveries.filter(({ id }) => id.startsWith(`${parent}-`));

  test.each([
    ['ack', 1],
    ['dead', 2],
  ] as const)('comes with its end, and only with that: %s', async (outcome, count) => {
    const { id } = (await put({ body: 1, ...callbacks })).body;
    await settleAll(await receive(), outcome);
    await eventually('the callbacks arrive, because settling wakes a drain', () => arrived(id).length >= count);
    await call('POST', '/v1/drain');
    expect(arrived(id)).toHaveLength(count);
    for (const delivered of arrived(id)) expect(delivered.id).toMatch(outcome === 'ack' ? /-done1$/ : /-dead[23]-\d+$/);
  });

  test('is for queues of the token only: 403, and nothing is stored', async () => {
    const callback = { queue: 'confirmation.email', body: { to: 'ada@example.com', token: '42' } };
    expect((await put({ body: 1, onSuccess: callback })).status).toBe(202);
    await receive();
    for (const options of [{ onSuccess: callback }, { onFailure: [callbacks.onSuccess, callback] }]) {
      expect(await put({ body: 1, ...options }, 'reporter')).toMatchObject({
        status: 403,
        body: { code: 'forbidden' },
      });
      const batch = {
        messages: [
          { queue: 'reports', body: 1 },
          { queue: 'reports', body: 1, ...options },
        ],
      };
      expect((await call('POST', '/v1/messages', batch, 'reporter')).status).toBe(403);
    }
    expect((await counts('reports')).ready).toEqual({});
    expect((await put({ body: 1, ...callbacks }, 'reporter')).status).toBe(202);
  });

  test.each<[string, object, string]>([
    ['is followed itself', { onSuccess: { ...callbacks.onSuccess, onSuccess: callbacks.onSuccess } }, 'onSuccess'],
    ['is one of eleven', { onFailure: Array.from({ length: 11 }, () => callbacks.onSuccess) }, 'onFailure'],
    ['has no queue here', { onSuccess: { queue: 'nowhere', body: 1 } }, 'onSuccess.queue'],
    ['has a bad body', { onFailure: [{ queue: 'confirmation.email', body: { to: 1 } }] }, 'onFailure[0].body'],
  ])('is refused by its field where it %s', async (_, options, field) => {
    const { status, body } = await put({ body: 1, ...options });
    expect([status, body.code]).toEqual([422, 'invalid_message']);
    const fields = (body.errors as { field: string }[]).map((error) => error.field);
    expect(fields.every((name) => name.startsWith(field))).toBe(true);
    expect((await counts('reports')).ready).toEqual({});
  });

  test('may be a list of ten', async () => {
    const onFailure = Array.from({ length: 10 }, () => callbacks.onSuccess);
    expect((await put({ body: 1, onFailure })).status).toBe(202);
  });
});

describe('a key', () => {
  test('that debounces: each message takes the place of the one before, and the last is delivered', async () => {
    const dedup = { key: 'quiet', mode: 'debounce', window: 4_000 }; // each comes within it, on a busy machine too
    const first = (await put({ body: 1, dedup })).body;
    expect(first).toMatchObject({ state: 'delayed', duplicate: false });
    for (const body of [2, 3]) {
      const again = await put({ body, dedup });
      expect(again).toEqual({
        status: 200,
        body: { id: first.id, queue: 'reports', state: 'duplicate', duplicate: true, replaced: true },
      });
    }
    let held: Held = { lease: '', messages: [] };
    await eventually('it was quiet', async () => {
      held = await receive();
      return held.messages.length > 0;
    });
    expect(held.messages.map(({ id, body }) => ({ id, body }))).toEqual([{ id: first.id, body: 3 }]);
  });

  test('that throttles: one message in a window, also when the first is done long since', async () => {
    const dedup = { key: 'seldom', mode: 'throttle', window: '1m', release: true };
    const first = (await put({ body: 1, dedup })).body;
    expect(first).toMatchObject({ state: 'ready', duplicate: false });
    await settleAll(await receive(), 'ack');
    const second = await put({ body: 2, dedup });
    expect(second).toEqual({
      status: 200,
      body: { id: first.id, queue: 'reports', state: 'duplicate', duplicate: true },
    });
    expect((await receive()).messages).toEqual([]);
  });
});

describe('limits that an operator sets', () => {
  const enqueue = (count: number) =>
    call('POST', '/v1/messages', { messages: Array.from({ length: count }, () => ({ queue: 'reports', body: 1 })) });

  test('count for what waits already, and no longer when they are taken away', async () => {
    await enqueue(6);
    expect((await patch({ concurrency: 2 })).status).toBe(200);
    const two = await receive();
    expect(two.messages).toHaveLength(2);
    expect((await receive()).messages).toEqual([]);
    expect((await counts('reports')) as object).toMatchObject({
      limits: { concurrency: 2 },
      overrides: { concurrency: 2 },
    });
    await settleAll(two, 'ack');
    expect((await receive()).messages).toHaveLength(2);
    await patch({ concurrency: null });
    expect((await receive()).messages).toHaveLength(2);
    expect((await counts('reports')) as object).toMatchObject({ limits: {}, overrides: {} });
  });

  test('may be a rate', async () => {
    await enqueue(4);
    await patch({ rate: { limit: 3, per: '1d' } });
    expect((await receive()).messages).toHaveLength(3);
    expect((await receive()).messages).toEqual([]);
    await patch({ rate: null });
    expect((await receive()).messages).toHaveLength(1);
  });

  test.each([{ concurrency: 0 }, { concurrency: 1.5 }, { rate: { limit: 1 } }, { rate: { limit: 1, per: 99 } }, {}])(
    'are refused where they are none: %j',
    async (body) => {
      expect((await patch(body)).status).toBe(422);
      expect((await counts('reports')) as object).toMatchObject({ overrides: {} });
    },
  );
});

describe('a message that is cancelled while it is held', () => {
  test('is told to its consumer with what it settles next, and is gone', async () => {
    const [one = '', two = ''] = [(await put({ body: 1 })).body.id, (await put({ body: 2 })).body.id];
    const { lease } = await receive();
    expect((await call('DELETE', `/v1/messages/${one}`)).body).toMatchObject({ id: one, was: 'leased' });
    expect((await settle(lease, { extend: '1m' })).body).toMatchObject({ settled: [], cancelled: [one] });
    const { body } = await settle(lease, { settle: [one, two].map((id) => ({ id, outcome: 'ack' })) });
    expect(body.settled).toEqual([
      { id: one, status: 'gone' },
      { id: two, status: 'acked' },
    ]);
  });

  test('aborts the handler of a consumer', async () => {
    const { id } = (await put({ body: 1 })).body;
    const end = new AbortController();
    const begun = Promise.withResolvers<void>();
    const reason = Promise.withResolvers<unknown>();
    const consuming = createClient({ url: deployed().worker.url, token: 'all' }).consume(
      'reports',
      (_, { signal }) =>
        new Promise((resolve) => {
          begun.resolve();
          signal.addEventListener('abort', () => {
            reason.resolve((signal.reason as Error).message);
            resolve(undefined);
          });
        }),
      { signal: end.signal, visibility: '9s' }, // it is told with the next heartbeat
    );
    await begun.promise;
    await call('DELETE', `/v1/messages/${id}`);
    expect(await reason.promise).toBe('the message was cancelled');
    end.abort();
    await consuming;
    expect((await call('GET', `/v1/messages/${id}`)).status).toBe(404);
  });
});
