// Bodies that JSON allows and a reader trips over: refused at every door, and in storage they harm their own message only.
import { createHash } from 'node:crypto';
import { Redis } from '@upstash/redis';
import { afterEach, describe, expect, test } from 'vitest';
import { runCli } from '../support/cli.ts';
import { deploy } from '../support/worker.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const TOKENS = JSON.stringify([
  { name: 'all', sha256: sha256('all'), scopes: ['enqueue', 'receive', 'admin'], queues: ['*'] },
]);
const deployed = deploy({ env: { SLUICE_TOKENS: TOKENS } });

/** The text goes out as it is: what is tested here, JSON.stringify would not write. */
async function send(path: string, text: string | Uint8Array<ArrayBuffer>, method = 'POST', type = 'application/json') {
  const headers = { authorization: 'Bearer all', 'content-type': type };
  const answer = await fetch(deployed().worker.url + path, { method, headers, body: text });
  // biome-ignore lint/suspicious/noExplicitAny: what it answers is what the tests look at
  return { status: answer.status, body: (await answer.json()) as any };
}
const get = async (path: string) => {
  const answer = await deployed().call(path, { method: 'GET', token: 'all' });
  // biome-ignore lint/suspicious/noExplicitAny: as above
  return { status: answer.status, body: (await answer.json()) as any };
};

function redis(): Redis {
  const { url, token } = deployed().stack.emulator;
  return new Redis({ url, token, automaticDeserialization: false });
}

const keyOf = async (ending: string) => (await redis().keys(`*${ending}`))[0] as string;
const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
const one = '/v1/queues/reports/messages';

afterEach(async () => {
  await send('/v1/queues/reports/purge', '{"states": ["ready", "delayed", "dead"]}');
  const left = await get('/v1/queues/reports');
  expect(left.body).toMatchObject({ ready: {}, leased: 0 });
});

/** Each place where a caller gives a value that is kept, with its place in the request. */
const DOORS: [door: string, path: string, field: string, method: string, request: (value: string) => string][] = [
  ['a message', one, 'body', 'POST', (value) => `{"body": ${value}}`],
  [
    'a batch',
    '/v1/messages',
    'messages[1].body',
    'POST',
    (value) => `{"messages": [{"queue": "reports", "body": 1}, {"queue": "reports", "body": ${value}}]}`,
  ],
  [
    'a message that follows',
    one,
    'onFailure.body',
    'POST',
    (value) => `{"body": 1, "onFailure": {"queue": "reports", "body": ${value}}}`,
  ],
  [
    'a schedule',
    '/v1/schedules/odd',
    'body',
    'PUT',
    (value) => `{"every": "1h", "queue": "reports", "body": ${value}}`,
  ],
  [
    'a result',
    '/v1/leases/reports.none.0123456789abcdef/settle',
    'settle.0.result',
    'POST',
    (value) => `{"settle": [{"id": "a", "outcome": "ack", "result": ${value}}]}`,
  ],
];

describe.each(DOORS)('%s', (door, path, field, method, request) => {
  const refused = async (value: string) => {
    const { status, body } = await send(door === 'a result' ? await leaseOf() : path, request(value), method);
    return { status, issues: body.errors?.map((issue: { field: string; code: string }) => [issue.field, issue.code]) };
  };

  test.each([1_001, 5_100, 100_000])('that is nested %i levels deep is refused with its field', async (levels) => {
    expect(await refused(nested(levels))).toEqual({ status: 422, issues: [[field, 'too_deep']] });
    expect(await refused(`{"a": [${nested(levels)}]}`)).toEqual({ status: 422, issues: [[field, 'too_deep']] });
  });

  test.each(['9007199254740993', '-12345678901234567890', '1e400', '1e-400', '0.1234567890123456789'])(
    'with the number %s, which would become another one, is refused with its place',
    async (number) => {
      expect(await refused(number)).toEqual({ status: 422, issues: [[field, 'inexact']] });
      const { status, issues } = await refused(`{"list": [1, {"n": ${number}}]}`);
      expect([status, issues]).toEqual([422, [[`${field}.list.1.n`, 'inexact']]]);
    },
  );
});

/** A lease of the queue, so that settling is not refused for its name. */
async function leaseOf(): Promise<string> {
  const { body } = await send('/v1/receive', '{"queues": ["reports"]}');
  return `/v1/leases/${body.lease}/settle`;
}

describe('a publication', () => {
  test('that is nested too deep is refused, and so is a number that would become another', async () => {
    await send('/v1/topics/odd/subscriptions/one', '{"queue": "reports"}', 'PUT');
    const deep = await send('/v1/topics/odd/messages', `{"type": "a", "body": ${nested(5_100)}}`);
    expect([deep.status, deep.body.errors.map(({ code }: { code: string }) => code)]).toEqual([422, ['too_deep']]);
    const inexact = await send('/v1/topics/odd/messages', '{"type": "a", "body": 1e999}');
    expect([inexact.status, inexact.body.errors]).toMatchObject([422, [{ field: 'body', code: 'inexact' }]]);
    await deployed().call('/v1/topics/odd', { method: 'DELETE', token: 'all' });
  });
});

describe('a body', () => {
  test.each([
    nested(1_000),
    '{"a": 0.30000000000000004, "b": 1e22, "c": 1.7976931348623157e308, "d": 5e-324, "e": 863193122148925.25}',
    '{"a": 9007199254740994, "b": 0.10000000000000001, "c": 1.0000000000000000000, "d": -0.0}',
    '{"__proto__": {"a": 1}, "a": ":1e400,"}',
    '"\\ud800 \\u2028 \u2028"',
  ])('that can be kept is given out as it was sent: %.40s', async (text) => {
    expect((await send(one, `{"body": ${text}}`)).status).toBe(202);
    const { body } = await send('/v1/receive', '{"queues": ["reports"]}');
    expect(JSON.stringify(body.messages[0].body)).toBe(JSON.stringify(JSON.parse(text)));
    await send(`/v1/leases/${body.lease}/settle`, `{"settle": [{"id": "${body.messages[0].id}", "outcome": "ack"}]}`);
  });

  test.each(['application/json', 'application/json; charset=iso-8859-1'])(
    'that is not UTF-8 is no JSON, whatever %s says',
    async (type) => {
      const bytes = new Uint8Array([...Buffer.from('{"body": "caf'), 0xe9, ...Buffer.from('"}')]);
      const { status, body } = await send(one, bytes, 'POST', type);
      expect([status, body.code, body.detail]).toEqual([400, 'invalid_json', 'The body is not UTF-8']);
    },
  );

  test('with headers that no record can hold is refused', async () => {
    const { status, body } = await send(one, '{"body": 1, "headers": {"a": "b", "__proto__": "c"}}');
    expect([status, body.errors]).toMatchObject([422, [{ field: 'headers', code: 'invalid' }]]);
    const top = await send(one, '{"body": 1, "__proto__": {"delay": 1}}');
    expect([top.status, top.body.errors]).toMatchObject([422, [{ field: '__proto__', code: 'unknown_field' }]]);
  });
});

describe('a request with many faults', () => {
  const fields = (count: number) => Array.from({ length: count }, (_, i) => `"f${i}": 1`).join(', ');

  test.each([
    ['a message', one, `{"body": 1, ${fields(200_000)}}`, 200_000],
    ['a batch', '/v1/messages', `{"messages": [{"queue": "reports", "body": 1, ${fields(200_000)}}]}`, 200_000],
    ['around a batch', '/v1/messages', `{"messages": [], ${fields(150_000)}}`, 150_000],
    ['a receive', '/v1/receive', `{"queues": ["reports"], ${fields(100_000)}}`, 100_000],
  ])('names 20 of them, and counts the rest: %s', async (_, path, text, count) => {
    const { status, body } = await send(path, text);
    expect([status, body.errors.length, body.moreErrors]).toEqual([422, 20, count - 20]);
  });

  test('does not repeat a long name', async () => {
    const { status, body } = await send(one, `{"body": 1, "${'x'.repeat(100_000)}": 1}`);
    expect([status, body.errors[0].field.length]).toEqual([422, 200]);
  });

  test('at the sign-in, where anybody may call, is not read to its end', async () => {
    const answer = await fetch(`${deployed().worker.url}/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' },
      body: `{"token": "x", ${fields(1_000)}}`,
    });
    expect([answer.status, (await answer.text()).length < 1_000]).toEqual([413, true]);
  });
});

/** What a reader cannot write, or not read, in place of what was enqueued. */
const DAMAGED: [what: string, json: string][] = [
  ['nested too deep', `{"body":${nested(5_100)}}`],
  ['nested far too deep', `{"body":${nested(200_000)}}`],
  ['no JSON', '{"body":'],
  ['not what a message is', 'null'],
  ['raw bytes that are none', '{"raw":{"type":"","base64":"?"}}'],
];

describe.each(DAMAGED)('a stored message that is %s', (_, json) => {
  /** Three messages, of which the second is damaged. */
  async function three(options = ''): Promise<string[]> {
    const messages = [1, 2, 3].map((n) => `{"queue": "reports", "body": {"n": ${n}}${options}}`);
    const { body } = await send('/v1/messages', `{"messages": [${messages}]}`);
    const ids: string[] = body.messages.map(({ id }: { id: string }) => id);
    const key = await keyOf(`m:${ids[1]}`);
    const envelope = (await redis().get<string>(key)) as string;
    await redis().set(key, envelope.replace(/\n.*$/s, `\n${json}`));
    return ids;
  }

  test('is a dead letter when it is received, and its neighbours are given out', async () => {
    const [first, second, third] = await three();
    const { status, body } = await send('/v1/receive', '{"queues": ["reports"]}');
    expect([status, body.messages.map(({ id }: { id: string }) => id)]).toEqual([200, [first, third]]);
    const dead = await get('/v1/queues/reports/messages?state=dead');
    expect(dead.body.messages).toMatchObject([{ id: second, unreadable: true, failures: [{ kind: 'unreadable' }] }]);
    const acks = [first, third].map((id) => `{"id": "${id}", "outcome": "ack"}`);
    const settled = await send(`/v1/leases/${body.lease}/settle`, `{"settle": [${acks}]}`);
    expect(settled.body.settled).toMatchObject([{ status: 'acked' }, { status: 'acked' }]);
  });

  test.each([
    ['ready', ''],
    ['delayed', ', "delay": "1h"'],
  ])('and %s is unreadable in lists, by its id, and for the command line', async (state, options) => {
    const [first, second, third] = await three(options);
    const listed = await get(`/v1/queues/reports/messages?state=${state}`);
    expect(listed.body.messages).toMatchObject([
      { id: first, body: { n: 1 } },
      { id: second, unreadable: true },
      { id: third, body: { n: 3 } },
    ]);
    const byId = await get(`/v1/messages/${second}`);
    expect([byId.status, byId.body]).toMatchObject([200, { state, unreadable: true }]);
    const env = { SLUICE_URL: deployed().worker.url, SLUICE_TOKEN: 'all' };
    const peeked = await runCli(['peek', 'reports', '--state', state, '--json'], { env });
    expect(JSON.parse(peeked.out).messages).toMatchObject([{ id: first }, { id: second }, { id: third }]);
    expect((await runCli(['message', second ?? ''], { env })).code).toBe(0);
  });
});

describe('stored by another version', () => {
  test('a result that is nested too deep is unreadable, and the rest of it is answered', async () => {
    const { body: receipt } = await send(one, '{"body": 1, "resultTtl": "1h"}');
    const { body } = await send('/v1/receive', '{"queues": ["reports"]}');
    await send(
      `/v1/leases/${body.lease}/settle`,
      `{"settle": [{"id": "${receipt.id}", "outcome": "ack", "result": 7}]}`,
    );
    expect((await get(`/v1/messages/${receipt.id}`)).body).toMatchObject({ state: 'done', result: 7 });
    const key = await keyOf(`result:${receipt.id}`);
    const result = (await redis().get<string>(key)) as string;
    await redis().set(key, result.replace(/7$/, nested(5_100)));
    const { status, body: report } = await get(`/v1/messages/${receipt.id}`);
    expect([status, report]).toMatchObject([200, { state: 'done', queue: 'reports', unreadable: true }]);
  });

  test('a schedule that is nested too deep does not keep the others from being listed', async () => {
    await send('/v1/schedules/odd', '{"every": "1h", "queue": "reports", "body": 7}', 'PUT');
    await send('/v1/schedules/sound', '{"every": "1h", "queue": "reports", "body": 7}', 'PUT');
    const key = await keyOf('schedules');
    const record = (await redis().hget<string>(key, 'odd')) as string;
    await redis().hset(key, { odd: record.replace('"body":7', `"body":${nested(5_100)}`) });
    const listed = await get('/v1/schedules');
    expect(listed.status).toBe(200);
    expect(listed.body.schedules.map(({ id }: { id: string }) => id)).toContain('sound');
    expect((await get('/v1/schedules/odd')).status).not.toBe(500);
    for (const id of ['odd', 'sound']) await deployed().call(`/v1/schedules/${id}`, { method: 'DELETE', token: 'all' });
    expect((await get('/v1/schedules/odd')).status).toBe(404);
  });
});
