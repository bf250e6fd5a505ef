// The calls of operators: one for each of their routes, and what a request of each kind carries.
import { describe, expect, test } from 'vitest';
import { type Admin, BadName, createAdmin, purgeAll, readPages } from '../../src/client/admin.ts';
import { SluiceError } from '../../src/client/index.ts';
import { ROUTES } from '../../src/http/openapi/routes.ts';

const TOKEN = { url: 'http://x', token: 'secret-token' };

interface Sent {
  call: string;
  headers: Record<string, string>;
  body: unknown;
}

/** An admin client whose requests are noted, and answered in turn; without an answer by an empty object. */
function scripted(answers: Response[] = [], options: Parameters<typeof createAdmin>[0] = TOKEN) {
  const sent: Sent[] = [];
  const fetch = async (url: string, { method, headers, body }: { method: string; headers: object; body?: string }) => {
    const call = `${method} ${decodeURIComponent(url.replace('http://x', ''))}`;
    sent.push({ call, headers: headers as Record<string, string>, body: body && JSON.parse(body) });
    return answers[sent.length - 1] ?? Response.json({});
  };
  return { sent, admin: createAdmin({ ...options, fetch, repeat: { baseMs: 1 } }) };
}

const functionsOf = (value: object): unknown[] =>
  Object.values(value).flatMap((one) => (typeof one === 'function' ? [one] : functionsOf(one)));

const everything = ({ queues, messages, deadLetters, topics, schedules, rings, shards, session, ...system }: Admin) => [
  queues.list(),
  queues.get('{queue}'),
  queues.messages('{queue}'),
  queues.override('{queue}', { paused: true }),
  queues.pause('{queue}'),
  queues.resume('{queue}'),
  queues.purge('{queue}', {}),
  messages.get('{id}'),
  messages.cancel('{id}'),
  deadLetters.redrive('{queue}', { limit: 1 }),
  deadLetters.purge('{queue}'),
  deadLetters.causes('{queue}'),
  topics.list(),
  topics.get('{topic}'),
  topics.remove('{topic}'),
  topics.publish('{topic}', { type: 'a', body: 1 }),
  topics.subscribe('{topic}', '{subscription}', { queue: 'a' }),
  topics.enable('{topic}', '{subscription}'),
  topics.unsubscribe('{topic}', '{subscription}'),
  schedules.list(),
  schedules.get('{schedule}'),
  schedules.put('{schedule}', { cron: '* * * * *', queue: 'a', body: 1 }),
  schedules.remove('{schedule}'),
  schedules.run('{schedule}'),
  schedules.pause('{schedule}'),
  schedules.resume('{schedule}'),
  rings.list(),
  rings.get('{ring}'),
  rings.add('{ring}', ['a']),
  rings.remove('{ring}', ['a']),
  rings.rotate('{ring}', 1),
  rings.drop('{ring}'),
  shards.list(),
  shards.activate('{shard}'),
  shards.drain('{shard}'),
  shards.evacuate('{shard}'),
  shards.verify('{shard}'),
  shards.forget('{shard}'),
  shards.weigh('{shard}', 2),
  shards.pin('a', 'b'),
  shards.unpin('a'),
  session.begin('token'),
  session.get(),
  session.end(),
  system.health(),
  system.stats(),
  system.sources(),
  system.destinations(),
  system.leases(),
  system.audit(),
  system.sweep(),
  system.drain(),
];

test('each route of operators has a call, and each call a route', async () => {
  const { admin, sent } = scripted();
  const calls = everything(admin);
  await Promise.all(calls);
  expect(functionsOf(admin)).toHaveLength(calls.length);
  const consumers = ['enqueue', 'enqueueBatch', 'receive', 'settle'];
  const others = [
    'takeWebhook',
    'confirmWebhook',
    'permitWebhook',
    'getDocument',
    'getReference',
    'getMetrics',
    'getDrain',
    'furtherDrain',
  ];
  const wanted = ROUTES.filter(({ operationId }) => ![...consumers, ...others].includes(operationId));
  expect(sent.map(({ call }) => call).toSorted()).toEqual(
    wanted.map(({ method, path }) => `${method.toUpperCase()} ${path}`).toSorted(),
  );
});

describe('a request', () => {
  test('has the token, what is asked for and no more, and JSON where it may change something', async () => {
    const { admin, sent } = scripted();
    await admin.queues.list({ limit: 7, search: undefined, recent: 'true' });
    await admin.messages.cancel('a/b');
    await admin.rings.add('sites', ['a']);
    const authorization = 'Bearer secret-token';
    const json = { authorization, 'content-type': 'application/json' };
    expect(sent).toEqual([
      { call: 'GET /v1/queues?limit=7&recent=true', headers: { authorization }, body: undefined },
      { call: 'DELETE /v1/messages/a/b', headers: json, body: undefined },
      { call: 'PUT /v1/rings/sites/items', headers: json, body: { items: ['a'] } },
    ]);
  });

  test('of a session has no token, and is told from those of other sites by its type', async () => {
    const { admin, sent } = scripted([], { url: '', session: true });
    await admin.session.get();
    await admin.session.end();
    expect(sent).toEqual([
      { call: 'GET /session', headers: {}, body: undefined },
      { call: 'DELETE /session', headers: { 'content-type': 'application/json' }, body: undefined },
    ]);
  });

  test.each(['', '.', '..'])('whose name %j would lead elsewhere is not made', async (name) => {
    const { admin, sent } = scripted();
    await expect(admin.queues.pause(name)).rejects.toThrow(BadName);
    expect(sent).toEqual([]);
  });

  test('is made again where that changes nothing twice', async () => {
    const away = () => new Response('', { status: 503 });
    const read = scripted([away(), Response.json({ rings: [] })]);
    expect(await read.admin.rings.list()).toEqual({ rings: [] });
    expect(read.sent).toHaveLength(2);
    const fired = scripted([away()]);
    await expect(fired.admin.schedules.run('nightly')).rejects.toMatchObject({ status: 503 });
    expect(fired.sent).toHaveLength(1);
    const named = scripted([away()]);
    await named.admin.schedules.run('nightly', { idempotencyKey: 'k' });
    expect(named.sent.map(({ headers }) => headers['idempotency-key'])).toEqual(['k', 'k']);
  });

  test('ends with the reason of its signal', async () => {
    const reason = new Error('the page was left');
    const fetch = (_: string, { signal }: { signal: AbortSignal }) =>
      new Promise<Response>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const leaving = new AbortController();
    const asked = createAdmin({ ...TOKEN, fetch }).health({ signal: leaving.signal });
    leaving.abort(reason);
    await expect(asked).rejects.toBe(reason);
  });

  test('that is refused says what is wrong, in a sentence and field by field', async () => {
    const errors = [{ field: 'rate.per', code: 'invalid', message: 'must be a duration' }];
    const problem = { code: 'invalid_message', title: 'Not taken', detail: 'It is not taken; look', errors };
    const headers = { 'content-type': 'application/problem+json' };
    const { admin } = scripted([new Response(JSON.stringify(problem), { status: 422, headers })]);
    const error = await admin.queues.override('mail', {}).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SluiceError);
    expect(error).toMatchObject({
      status: 422,
      code: 'invalid_message',
      detail: 'It is not taken; look',
      issues: errors,
      message: 'invalid_message: It is not taken; look; rate.per must be a duration',
    });
  });
});

describe('what is answered in parts', () => {
  test('is read to its last page', async () => {
    const { admin, sent } = scripted([
      Response.json({ rings: [{ ring: 'a', length: 1 }], cursor: 'a' }),
      Response.json({ rings: [{ ring: 'b', length: 2 }] }),
    ]);
    const names: string[] = [];
    for await (const { rings } of readPages((cursor) => admin.rings.list({ cursor }))) {
      names.push(...rings.map(({ ring }) => ring));
    }
    expect(names).toEqual(['a', 'b']);
    expect(sent.map(({ call }) => call)).toEqual(['GET /v1/rings', 'GET /v1/rings?cursor=a']);
  });

  test('is purged while there is more, with a cursor or without', async () => {
    const { admin, sent } = scripted([
      Response.json({ purged: 5, more: true, cursor: '1:7 0' }),
      Response.json({ purged: 0, more: true }),
      Response.json({ purged: 4, more: false }),
    ]);
    const told: number[] = [];
    expect(
      await purgeAll(
        (from) => admin.queues.purge('mail', from),
        (gone) => told.push(gone),
      ),
    ).toBe(9);
    expect(told).toEqual([5, 5, 9]);
    expect(sent.map(({ body }) => body)).toEqual([{}, { cursor: '1:7 0' }, {}]);
  });
});
