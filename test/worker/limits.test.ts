// Limits and hostile input, through the deployed bundle: refused with a problem, never a 500, and nothing of it is stored.
import { request } from 'node:http';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEmbeddedRedis } from '../../src/dev/emulator/embedded.ts';
import { limitRate } from '../../src/http/rate-limit.ts';
import { readShard } from '../support/shard.ts';
import { deploy } from '../support/worker.ts';

const embedded = await startEmbeddedRedis();
const raw = new Redis(embedded.url);
afterAll(async () => {
  raw.disconnect();
  await embedded.close();
});
const deployed = deploy({ redis: embedded.url, env: { SLUICE_DRAIN_MS: '1000' } }); // or POST /v1/drain waits for a timer

const ROOT = '{sluice}:';
const stored = () => readShard(raw, ROOT);

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** The path goes out as it is: fetch would resolve its dots first. */
function send(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
  repeats = 20,
): Promise<Answer> {
  const { worker, stack } = deployed();
  const { hostname, port } = new URL(worker.url);
  const authorization = `Bearer ${stack.token}`;
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, method, path, headers: { authorization, ...headers } }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk) => (text += chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
      answer.on('error', reject);
    });
    // A refusal may come, and the connection close, while the body is still on its way: what was said is lost then.
    sent.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EPIPE' && repeats > 0 ? resolve(send(method, path, body, headers, repeats - 1)) : reject(error),
    );
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    // Node says it by itself, but not for DELETE.
    if (text !== undefined && !('transfer-encoding' in headers))
      sent.setHeader('content-length', Buffer.byteLength(text));
    sent.end(text);
  });
}

/** What is wrong with it as a refusal, if anything. */
function unlikeRefusal(what: string, { status, headers, text }: Answer): string[] {
  const problem = headers['content-type'] === 'application/problem+json' && 'code' in JSON.parse(text);
  return status >= 400 && status < 500 && problem ? [] : [`${what}: ${status} ${text.slice(0, 200)}`];
}

/** Every route of docs/api.md, with a body that it takes. */
const routes: { method: string; path: string; body?: unknown }[] = [
  { method: 'POST', path: '/v1/queues/{queue}/messages', body: { body: 1 } },
  { method: 'POST', path: '/v1/messages', body: { messages: [{ queue: 'reports', body: 1 }] } },
  { method: 'POST', path: '/v1/receive', body: { queues: ['reports'], visibility: '12h' } },
  { method: 'POST', path: '/v1/leases/{lease}/settle', body: { settle: [{ id: 'a', outcome: 'ack' }] } },
  { method: 'GET', path: '/v1/queues' },
  { method: 'GET', path: '/v1/queues/{queue}' },
  { method: 'GET', path: '/v1/queues/{queue}/messages' },
  { method: 'GET', path: '/v1/messages/{id}' },
  { method: 'DELETE', path: '/v1/messages/{id}' },
  { method: 'POST', path: '/v1/queues/{queue}/pause' },
  { method: 'POST', path: '/v1/queues/{queue}/resume' },
  { method: 'POST', path: '/v1/queues/{queue}/purge', body: {} },
  { method: 'POST', path: '/v1/queues/{queue}/dead/redrive', body: { limit: 10 } },
  { method: 'DELETE', path: '/v1/queues/{queue}/dead' },
  { method: 'GET', path: '/v1/rings' },
  { method: 'GET', path: '/v1/rings/{ring}' },
  { method: 'PUT', path: '/v1/rings/{ring}/items', body: { items: ['a'] } },
  { method: 'DELETE', path: '/v1/rings/{ring}/items', body: { items: ['a'] } },
  { method: 'POST', path: '/v1/rings/{ring}/rotate', body: {} },
  { method: 'DELETE', path: '/v1/rings/{ring}' },
  { method: 'POST', path: '/hooks/{source}' },
  { method: 'GET', path: '/hooks/{source}' },
  { method: 'OPTIONS', path: '/hooks/{source}' },
  { method: 'GET', path: '/v1/sources' },
  { method: 'GET', path: '/v1/queues/{queue}/dead/causes' },
  { method: 'GET', path: '/v1/leases' },
  { method: 'GET', path: '/session' },
  { method: 'GET', path: '/v1/audit' },
  { method: 'GET', path: '/v1/destinations' },
  { method: 'GET', path: '/v1/topics' },
  { method: 'GET', path: '/v1/topics/{topic}' },
  { method: 'DELETE', path: '/v1/topics/{topic}' },
  { method: 'PUT', path: '/v1/topics/{topic}/subscriptions/{subscription}', body: { queue: 'reports' } },
  { method: 'DELETE', path: '/v1/topics/{topic}/subscriptions/{subscription}' },
  { method: 'POST', path: '/v1/topics/{topic}/messages', body: { type: 'a', body: 1 } },
  { method: 'GET', path: '/v1/schedules' },
  { method: 'GET', path: '/v1/schedules/{schedule}' },
  { method: 'PUT', path: '/v1/schedules/{schedule}', body: { every: '1h', queue: 'nowhere', body: 1 } },
  { method: 'DELETE', path: '/v1/schedules/{schedule}' },
  { method: 'POST', path: '/v1/schedules/{schedule}/run' },
  { method: 'POST', path: '/v1/schedules/{schedule}/pause' },
  { method: 'POST', path: '/v1/schedules/{schedule}/resume' },
  { method: 'GET', path: '/v1/stats' },
  { method: 'GET', path: '/metrics' },
  { method: 'POST', path: '/v1/drain' },
  { method: 'POST', path: '/v1/sweep' },
  { method: 'GET', path: '/health' },
];

/** As they stand in a URL. */
const hostile: Record<string, string> = {
  'two dots': '..',
  'two dots, encoded': '%2e%2e',
  'dots and slashes, encoded': '..%2F..%2Fhealth',
  'a zero byte': '%00',
  'a zero byte behind a name': 'reports%00',
  'a brace': '%7B',
  'a hash tag': '%7Bother%7D:',
  'a line feed': 'a%0Ab',
  'a line feed behind a name': 'reports%0A',
  'CR LF and a header': 'a%0D%0Ax-injected:%201',
  'a space': 'a%20b',
  'five thousand characters': 'x'.repeat(5_000),
  'sixty-five characters': 'x'.repeat(65),
  unicode: encodeURIComponent('größe-名前-🚀'),
  'a look-alike': encodeURIComponent('rеports'),
  'no UTF-8': '%ff%fe',
  'an overlong slash': '%c0%af',
  'a broken escape': '%zz',
  'half an escape': 'a%',
  'a pattern': '*',
  'a prototype': '__proto__',
  'a member of all objects': 'constructor',
  quotes: '%22%27%60',
  Lua: "');redis.call('FLUSHALL')--",
};

/** Messages in every state, so that there is something to touch. */
beforeAll(async () => {
  const put = async (messages: object[]) => {
    const answer = await send('POST', '/v1/messages', { messages: messages.map((m) => ({ queue: 'reports', ...m })) });
    expect(answer.status).toBe(202);
  };
  const receive = async (max: number) =>
    JSON.parse((await send('POST', '/v1/receive', { queues: ['reports'], max, visibility: '12h' })).text) as {
      lease: string;
      messages: { id: string }[];
    };
  await put([{ body: 1 }, { body: 2 }]);
  const { lease, messages } = await receive(2);
  const settle = messages.map(({ id }) => ({ id, outcome: 'dead' }));
  await send('POST', `/v1/leases/${lease}/settle`, { settle });
  await put([{ body: 3 }]);
  await receive(1);
  await put([{ body: 4 }, { body: 5, group: 'a' }, { body: 6, delay: '12h' }]);
  const { lanes, leases, dead } = await stored();
  expect([lanes, leases, dead.reports].map((place) => Object.keys(place ?? {}).length)).toEqual([2, 1, 2]);
}, 30_000);

describe('hostile values', () => {
  const texts = ['..', '\0', '{', '{other}:', 'a\nb', 'reports\0', 'x'.repeat(5_000), 'größe-名前-🚀', '*', ''];
  const withParameters = routes.filter(({ path }) => path.includes('{'));

  test.each(withParameters)('$method $path: each is refused, and nothing changes', async ({ method, path, body }) => {
    const before = await stored();
    const faults: string[] = [];
    for (const [name, value] of Object.entries(hostile)) {
      if (path.includes('{ring}') && value === 'constructor') continue; // a ring may have this name: its own test below
      const answer = await send(
        method,
        path.replace(/\{\w+\}/, () => value),
        body,
      );
      expect(answer.headers['x-injected']).toBeUndefined();
      if (path === '/hooks/{source}' && /^(\.|%2e){2}$/.test(value)) continue; // that is /, a static file
      // A lease that nobody has is not refused: what it settles is gone.
      const settled = path.includes('{lease}') && answer.status === 200;
      if (settled) expect([name, JSON.parse(answer.text).settled]).toEqual([name, [{ id: 'a', status: 'gone' }]]);
      else if (answer.text !== '{"removed":0}') faults.push(...unlikeRefusal(name, answer)); // a topic that is not there
    }
    expect(faults).toEqual([]);
    expect(await stored()).toEqual(before);
  });

  test.each(['state', 'limit', 'unknown', '__proto__', 'constructor'])(
    'GET /v1/queues/{queue}/messages?%s=: each is refused',
    async (field) => {
      const before = await stored();
      const faults: string[] = [];
      for (const [name, value] of Object.entries(hostile)) {
        faults.push(...unlikeRefusal(name, await send('GET', `/v1/queues/reports/messages?${field}=${value}`)));
      }
      expect(faults).toEqual([]);
      expect(await stored()).toEqual(before);
    },
  );

  test.each(['/v1/rings?cursor=', '/v1/rings?limit=', '/v1/rings/sites?cursor=', '/v1/rings/sites?limit='])(
    'GET %s: each is refused',
    async (path) => {
      const before = await stored();
      const faults: string[] = [];
      for (const [name, value] of Object.entries(hostile)) {
        if (path.includes('rings?cursor') && value === 'constructor') continue; // a name is a cursor
        faults.push(...unlikeRefusal(name, await send('GET', path + value)));
      }
      expect(faults).toEqual([]);
      expect(await stored()).toEqual(before);
    },
  );

  test('a ring by the name of a member of all objects is a ring like any other', async () => {
    const before = await stored();
    const ring = '/v1/rings/constructor';
    expect((await send('GET', ring)).status).toBe(404);
    expect((await send('PUT', `${ring}/items`, { items: ['__proto__', 'toString'] })).status).toBe(200);
    expect(JSON.parse((await send('POST', `${ring}/rotate`, { count: 9 })).text).items).toEqual([
      '__proto__',
      'toString',
    ]);
    expect((await send('DELETE', ring)).status).toBe(200);
    expect(await stored()).toEqual(before);
  });

  test.each(['limit', 'cursor', 'unknown'])('GET /v1/schedules?%s=: each is refused', async (field) => {
    const before = await stored();
    const faults: string[] = [];
    for (const [name, value] of Object.entries({ ...hostile, 'a negative number': '-1' })) {
      faults.push(...unlikeRefusal(name, await send('GET', `/v1/schedules?${field}=${value}`)));
    }
    expect(faults).toEqual([]);
    expect(await stored()).toEqual(before);
  });

  test.each(['range', 'queue', 'unknown', '__proto__'])('GET /v1/stats?%s=: each is refused', async (field) => {
    const before = await stored();
    const faults: string[] = [];
    for (const [name, value] of Object.entries(hostile)) {
      faults.push(...unlikeRefusal(name, await send('GET', `/v1/stats?${field}=${value}`)));
    }
    expect(faults).toEqual([]);
    expect(await stored()).toEqual(before);
  });

  test.each(['repair', 'deep', 'unknown'])('GET /v1/audit?%s=: each is refused', async (field) => {
    const before = await stored();
    const faults: string[] = [];
    for (const [name, value] of Object.entries(hostile)) {
      faults.push(...unlikeRefusal(name, await send('GET', `/v1/audit?${field}=${value}`)));
    }
    expect(faults).toEqual([]);
    expect(await stored()).toEqual(before);
  });

  test('a cursor of nonsense for the audit, or one of an audit of another depth, is refused', async () => {
    const before = await stored();
    const cursors = {
      ...nonsense,
      'of a deep one': 'deep%200',
      'of another kind': 'wide%200',
      'a name alone': 'shallow%20x',
    };
    const faults: string[] = [];
    for (const [name, cursor] of Object.entries(cursors)) {
      faults.push(...unlikeRefusal(name, await send('GET', `/v1/audit?cursor=${cursor}`)));
    }
    expect(faults).toEqual([]);
    expect(await stored()).toEqual(before);
    for (const cursor of [
      'shallow%2099999999999999999999',
      'shallow%200%20lane:9:nowhere%2099',
      'deep%200%20a%20b%207',
    ]) {
      const answer = await send('GET', `/v1/audit?deep=true&cursor=${cursor}`);
      expect([answer.status, answer.text]).toEqual([200, '{"findings":[]}']);
    }
  });

  test('a cursor of nonsense for a purge is refused', async () => {
    const before = await stored();
    for (const cursor of [...texts, null, 0, [], {}, '1:0', '1:0 x', '4:0 0', '- -1', ' 0']) {
      const answer = await send('POST', '/v1/queues/reports/purge', { cursor });
      expect([answer.status, JSON.parse(answer.text).code]).toEqual([422, 'invalid_message']);
    }
    expect(await stored()).toEqual(before);
    const astray = await send('POST', '/v1/queues/reports/purge', {
      cursor: '3:99999999999999999999 99999999999999999999',
    });
    expect([astray.status, astray.text]).toEqual([200, '{"purged":0,"more":false}']);
  });

  test.each(['/v1/leases?limit', '/v1/leases?cursor', '/v1/queues?limit', '/v1/queues?unknown'])(
    'GET %s=: each is refused',
    async (query) => {
      const before = await stored();
      const faults: string[] = [];
      for (const [name, value] of Object.entries(hostile)) {
        faults.push(...unlikeRefusal(name, await send('GET', `${query}=${value}`)));
      }
      expect(faults).toEqual([]);
      expect(await stored()).toEqual(before);
    },
  );

  test.each(['cursor', 'search'])('GET /v1/queues?%s=: refused, or no queue', async (field) => {
    const faults: string[] = [];
    for (const [name, value] of Object.entries(hostile)) {
      const answer = await send('GET', `/v1/queues?${field}=${value}`);
      const empty = answer.status === 200 && answer.text === '{"queues":[]}';
      if (!empty) faults.push(...unlikeRefusal(name, answer));
    }
    expect(faults).toEqual([]);
  });

  test('a token of nonsense to sign in with, or a cookie of nonsense, is no 500', async () => {
    const fromPage = { 'sec-fetch-site': 'same-origin', 'content-type': 'application/json', authorization: '' };
    for (const token of [...texts, null, [], {}, 1, 'x'.repeat(513)]) {
      const answer = await send('POST', '/session', { token }, fromPage);
      expect([401, 413, 422]).toContain(answer.status);
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
    for (const value of [...Object.values(hostile), `1900000000000.${'A'.repeat(43)}`, '.', '1e999.x']) {
      const cookie = `sluice=${value}; __Host-sluice=${value}`;
      expect((await send('GET', '/v1/queues', undefined, { cookie, authorization: '' })).status).toBe(401);
    }
  });

  const browse = (state: string, cursor: string) =>
    send('GET', `/v1/queues/reports/messages?state=${state}&cursor=${cursor}`);

  const nonsense: Record<string, string> = {
    ...hostile,
    'no number': 'nan',
    'a number beyond integers': '99999999999999999999',
    'a number beyond all': '1e999',
    'a negative one': '-1',
    'half a one': '1.5',
    hexadecimal: '0x10',
    'a lane and a place beyond integers': '1:0%204:reports%2099999999999999999999999',
    'a lane and a negative place': '1:0%204:reports%20-5',
    'a lane and no place': '1:0%204:reports%20x',
    'a lane alone': '4:reports%200',
    'a part that there is not': '4:0%204:reports%200',
    'a place in a lease beyond integers': '0%2099999999999999999999',
  };

  test.each(['ready', 'delayed', 'leased', 'dead'])(
    'a cursor of nonsense, state %s: refused, or an empty page that is the last',
    async (state) => {
      const faults: string[] = [];
      for (const [name, cursor] of Object.entries(nonsense)) {
        const answer = await browse(state, cursor);
        const empty = answer.status === 200 && answer.text === '{"messages":[]}';
        if (!empty) faults.push(...unlikeRefusal(name, answer));
      }
      expect(faults).toEqual([]);
    },
  );

  test.each([
    ['ready', '1:0%209:nowhere%200'],
    ['ready', '1:0%204:github.activity%200'],
    ['ready', '1:0%204:reports%20999999'],
    ['ready', '3:99999999999999999999%20-%200'],
    ['delayed', '999999'],
    ['leased', '999999%200'],
    ['leased', '0%20999999'],
    ['dead', '999999'],
  ])('a cursor for %s that leads astray, %s: at most messages of this queue', async (state, cursor) => {
    const answer = await browse(state, cursor);
    expect(answer.status).toBe(200);
    const { messages } = JSON.parse(answer.text) as { messages: { queue: string }[] };
    expect(messages.every(({ queue }) => queue === 'reports')).toBe(true);
    if (state !== 'ready') expect(messages).toEqual([]);
  });

  test('an Idempotency-Key that is not visible ASCII, or too long, is refused', async () => {
    const before = await stored();
    for (const key of ['a b', '\t', 'é', '\u0080', 'x'.repeat(256), 'x'.repeat(5_000)]) {
      for (const path of ['/v1/messages', '/v1/queues/reports/messages', '/v1/receive']) {
        const body = routes.find((route) => route.path === path.replace('reports', '{queue}'))?.body;
        const answer = await send('POST', path, body, { 'idempotency-key': key });
        expect([key, unlikeRefusal(path, answer)]).toEqual([key, []]);
      }
    }
    expect(await stored()).toEqual(before);
  });

  test('an Authorization header of nonsense is no 500', async () => {
    for (const authorization of ['Bearer', 'Bearer ', 'Bearer \u00ff', `Bearer ${'x'.repeat(5_000)}`, 'x', '{}']) {
      expect((await send('GET', '/v1/queues', undefined, { authorization })).status).toBe(401);
    }
  });

  const schedule = (fields: object) => ({ every: '1h', queue: 'reports', body: 1, ...fields });
  const inBodies: { name: string; path: string; method?: string; bodyOf: (text: unknown) => unknown }[] = [
    { name: 'a queue of a batch', path: '/v1/messages', bodyOf: (queue) => ({ messages: [{ queue, body: 1 }] }) },
    { name: 'a queue to receive', path: '/v1/receive', bodyOf: (queue) => ({ queues: [queue] }) },
    { name: 'a visibility', path: '/v1/receive', bodyOf: (visibility) => ({ queues: ['reports'], visibility }) },
    { name: 'a max', path: '/v1/receive', bodyOf: (max) => ({ queues: ['reports'], max }) },
    {
      name: 'an id to settle',
      path: '/v1/leases/a~reports/settle',
      bodyOf: (id) => ({ settle: [{ id, outcome: 'ack' }] }),
    },
    {
      name: 'an outcome',
      path: '/v1/leases/a~reports/settle',
      bodyOf: (outcome) => ({ settle: [{ id: 'a', outcome }] }),
    },
    { name: 'an extension', path: '/v1/leases/a~reports/settle', bodyOf: (extend) => ({ extend }) },
    {
      name: 'a queue to receive more from',
      path: '/v1/leases/a~reports/settle',
      bodyOf: (queue) => ({ receive: { queues: [queue], holding: 0 } }),
    },
    { name: 'states to purge', path: '/v1/queues/reports/purge', bodyOf: (state) => ({ states: [state] }) },
    { name: 'an id to redrive', path: '/v1/queues/reports/dead/redrive', bodyOf: (id) => ({ ids: [id] }) },
    { name: 'a limit to redrive', path: '/v1/queues/reports/dead/redrive', bodyOf: (limit) => ({ limit }) },
    { name: 'a count to rotate', path: '/v1/rings/sites/rotate', bodyOf: (count) => ({ count }) },
    {
      name: 'a destination',
      path: '/v1/queues/webhook.out/messages',
      bodyOf: (destination) => ({ body: 1, destination }),
    },
    {
      name: "a destination's url",
      path: '/v1/queues/webhook.out/messages',
      bodyOf: (url) => ({ body: 1, destination: { url } }),
    },
    { name: 'a type', path: '/v1/topics/reports/messages', bodyOf: (type) => ({ type, body: 1 }) },
    { name: 'a queue to subscribe', path: '/v1/topics/a/subscriptions/a', bodyOf: (queue) => ({ queue }) },
    { name: 'a delay', path: '/v1/queues/reports/messages', bodyOf: (delay) => ({ body: 1, delay }) },
    { name: 'an instant', path: '/v1/queues/reports/messages', bodyOf: (notBefore) => ({ body: 1, notBefore }) },
    { name: 'a time to live', path: '/v1/queues/reports/messages', bodyOf: (ttl) => ({ body: 1, ttl }) },
    { name: 'attempts', path: '/v1/queues/reports/messages', bodyOf: (maxAttempts) => ({ body: 1, maxAttempts }) },
    { name: 'a priority', path: '/v1/queues/reports/messages', bodyOf: (priority) => ({ body: 1, priority }) },
    ...Object.entries({
      'a cron expression': (cron: unknown) => ({ ...schedule({ cron }), every: undefined }),
      'a time zone': (tz: unknown) => ({ ...schedule({ cron: '0 9 * * *', tz }), every: undefined }),
      'an interval': (every: unknown) => schedule({ every }),
      'a queue of a schedule': (queue: unknown) => schedule({ queue }),
      'a catch-up': (catchUp: unknown) => schedule({ catchUp }),
      'a cap of catch-up': (all: unknown) => schedule({ catchUp: { all } }),
    }).map(([name, bodyOf]) => ({ name, path: '/v1/schedules/hostile', method: 'PUT', bodyOf })),
    { name: 'headers', path: '/v1/queues/reports/messages', bodyOf: (headers) => ({ body: 1, headers }) },
  ];

  test.each(inBodies)(
    '$name in a body: each is refused, and nothing changes',
    async ({ name, path, method = 'POST', bodyOf }) => {
      const before = await stored();
      const faults: string[] = [];
      for (const value of [...texts, null, [], -1, 1e300, true, ...(name === 'headers' ? [] : [{}])]) {
        const answer = await send(method, path, bodyOf(value));
        faults.push(...unlikeRefusal(JSON.stringify(value).slice(0, 40), answer));
      }
      expect(faults).toEqual([]);
      expect(await stored()).toEqual(before);
    },
  );
});

describe('how often a token may call', () => {
  const token = { name: 'ci', sha256: '', scopes: ['enqueue' as const], queues: ['*'] };

  test('without a rate-limiting binding: as often as it likes', async () => {
    await expect(limitRate({}, token)).resolves.toBeUndefined();
  });

  test('with one: what the binding says of this token, and when to come back', async () => {
    const asked: { key: string }[] = [];
    const limit = async (options: { key: string }) => ({ success: asked.push(options) < 3 });
    const env = { RATE_LIMITER: { limit } };
    await limitRate(env, token);
    await limitRate(env, token);
    await expect(limitRate(env, token)).rejects.toMatchObject({
      code: 'rate_limited',
      headers: { 'retry-after': '10' },
    });
    expect(asked).toEqual([{ key: 'ci' }, { key: 'ci' }, { key: 'ci' }]);
  });
});

describe('other origins', () => {
  const origin = { origin: 'https://elsewhere.example' };
  const corsOf = ({ headers }: Answer) => Object.keys(headers).filter((name) => name.startsWith('access-control-'));
  const fill = (path: string) => path.replace('{queue}', 'nowhere').replace(/\{\w+\}/, 'a');

  test.each(routes)('$method $path: no answer lets them in, a preflight is refused', async ({ method, path, body }) => {
    const unknown = await send(method, fill(path), body, origin);
    const closed = await send(method, fill(path), body, { ...origin, authorization: 'Bearer wrong' });
    const preflight = await send('OPTIONS', fill(path), undefined, {
      ...origin,
      'access-control-request-method': method,
      'access-control-request-headers': 'authorization',
    });
    expect([unknown, closed, preflight].flatMap(corsOf)).toEqual([]);
    expect([404, 405]).toContain(preflight.status);
  });

  test('nor does an answer that is no refusal', async () => {
    const answers = [
      await send('GET', '/v1/queues', undefined, origin),
      await send('GET', '/v1/queues/reports/messages', undefined, origin),
      await send('GET', '/health', undefined, origin),
      await send('POST', '/v1/sweep', undefined, origin),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(answers.flatMap(corsOf)).toEqual([]);
  });
});

describe('sizes, exactly at the limit and one over', () => {
  const MESSAGE = 256 * 1024;
  const REQUEST = 4 * 1024 * 1024;
  const one = '/v1/queues/reports/messages';
  const bodyOfJson = (bytes: number, unit = 'x') => {
    const left = bytes - '{"body":""}'.length;
    const units = Math.floor(left / Buffer.byteLength(unit));
    return unit.repeat(units) + 'x'.repeat(left - units * Buffer.byteLength(unit));
  };
  const statusOf = async (path: string, body: unknown, headers: Record<string, string> = {}) =>
    (await send('POST', path, body, headers)).status;

  test.each(['x', 'é', '名', '🚀'])('a message of 256 KiB of %s', async (unit) => {
    expect(await statusOf(one, { body: bodyOfJson(MESSAGE, unit) })).toBe(202);
    expect(await statusOf(one, { body: bodyOfJson(MESSAGE + 1, unit) })).toBe(413);
  });

  test('its headers count', async () => {
    const headers = { k: 'v' };
    const body = bodyOfJson(MESSAGE - ',"headers":{"k":"v"}'.length);
    expect(await statusOf(one, { body, headers })).toBe(202);
    expect(await statusOf(one, { body: `${body}x`, headers })).toBe(413);
  });

  test.each(routes.filter(({ body }) => body !== undefined))(
    'a request of 4 MiB to $method $path',
    async ({ method, path, body }) => {
      const at = path.replace('{queue}', 'reports').replace(/\{\w+\}/, 'a');
      const padded = (bytes: number) => JSON.stringify(body).padEnd(bytes, ' ');
      const harmless =
        at.endsWith('purge') || at.endsWith('redrive') ? '{"unknown":1}'.padEnd(REQUEST) : padded(REQUEST);
      expect((await send(method, at, harmless)).status).not.toBe(413);
      for (const headers of [{}, { 'transfer-encoding': 'chunked' }] as Record<string, string>[]) {
        const over = await send(method, at, padded(REQUEST + 1), headers);
        expect(over.status).toBe(413);
        expect(unlikeRefusal(at, over)).toEqual([]);
      }
    },
  );

  test('a request of 4 MiB whose length is not said before', async () => {
    const text = JSON.stringify({ body: 1 });
    const chunked = { 'transfer-encoding': 'chunked' };
    expect(await statusOf(one, text.padEnd(REQUEST), chunked)).toBe(202);
    expect(await statusOf(one, text.padEnd(REQUEST + 1), chunked)).toBe(413);
  });

  const batch = (count: number) => ({ messages: Array.from({ length: count }, () => ({ queue: 'reports', body: 1 })) });
  const receive = (count: number) => ({ queues: Array.from({ length: count }, () => 'reports'), max: 1 });
  const settle = (count: number) => ({
    settle: Array.from({ length: count }, (_, i) => ({ id: `a${i}`, outcome: 'ack' })),
  });
  const ids = (count: number, length: number) => ({ ids: Array.from({ length: count }, () => 'a'.repeat(length)) });
  test.each<{ name: string; path: string; fits: unknown; over: unknown }>([
    { name: 'messages of a batch', path: '/v1/messages', fits: batch(1_000), over: batch(1_001) },
    { name: 'messages of a batch, at least one', path: '/v1/messages', fits: batch(1), over: batch(0) },
    {
      name: 'characters of a group',
      path: one,
      fits: { body: 1, group: 'é'.repeat(128) },
      over: { body: 1, group: 'é'.repeat(129) },
    },
    {
      name: 'characters of a header',
      path: one,
      fits: { body: 1, headers: { ['k'.repeat(128)]: 'v'.repeat(4_096) } },
      over: { body: 1, headers: { k: 'v'.repeat(4_097) } },
    },
    {
      name: "characters of a header's name",
      path: one,
      fits: { body: 1, headers: { k: '' } },
      over: { body: 1, headers: { ['k'.repeat(129)]: 'v' } },
    },
    { name: 'attempts', path: one, fits: { body: 1, maxAttempts: 1_000 }, over: { body: 1, maxAttempts: 1_001 } },
    { name: 'a delay', path: one, fits: { body: 1, delay: '365d' }, over: { body: 1, delay: 365 * 86_400_000 + 1 } },
    { name: 'queues to receive from', path: '/v1/receive', fits: receive(20), over: receive(21) },
    {
      name: 'messages to receive',
      path: '/v1/receive',
      fits: { queues: ['reports'], max: 100 },
      over: { queues: ['reports'], max: 101 },
    },
    {
      name: 'a visibility',
      path: '/v1/receive',
      fits: { queues: ['reports'], max: 1, visibility: '12h' },
      over: { queues: ['reports'], visibility: 12 * 3_600_000 + 1 },
    },
    { name: 'messages to settle', path: '/v1/leases/a~reports/settle', fits: settle(100), over: settle(101) },
    {
      name: 'messages to redrive',
      path: '/v1/queues/reports/dead/redrive',
      fits: ids(1_000, 20),
      over: ids(1_001, 20),
    },
    {
      name: 'characters of an id',
      path: '/v1/queues/reports/dead/redrive',
      fits: ids(1, 64),
      over: ids(1, 65),
    },
    {
      name: 'a short visibility',
      path: '/v1/receive',
      fits: { queues: ['reports'], max: 1, visibility: 1_000 },
      over: { queues: ['reports'], visibility: 999 },
    },
  ])('$name', async ({ path, fits, over }) => {
    expect([200, 202]).toContain(await statusOf(path, fits));
    const before = await stored();
    const refused = await send('POST', path, over);
    expect([refused.status, unlikeRefusal(path, refused)]).toEqual([422, []]);
    expect(await stored()).toEqual(before);
  });

  test('characters of an Idempotency-Key', async () => {
    expect(await statusOf(one, { body: 1 }, { 'idempotency-key': '~'.repeat(255) })).toBe(202);
    expect(await statusOf(one, { body: 1 }, { 'idempotency-key': '~'.repeat(256) })).toBe(400);
  });

  // Not so yet: its lane is longer than the cursor may be. Remove `.fails` with the repair.
  test('the cursor of a page in the longest group is taken', async () => {
    const group = '名'.repeat(128);
    for (const n of [1, 2]) expect(await statusOf(one, { body: n, group, priority: 9 })).toBe(202);
    let cursor = '';
    for (let pages = 0; pages < 5_000; pages++) {
      const query = new URLSearchParams({ limit: '100', ...(cursor ? { cursor } : {}) });
      const answer = await send('GET', `/v1/queues/reports/messages?${query}`);
      expect([cursor, answer.status, answer.text.slice(0, 300)]).toEqual([cursor, 200, expect.any(String)]);
      const page = JSON.parse(answer.text) as { cursor?: string };
      if (page.cursor === undefined) return;
      cursor = page.cursor;
    }
    throw new Error('the pages do not end');
  });

  test('a page of messages', async () => {
    const page = (limit: string) => send('GET', `/v1/queues/reports/messages?limit=${limit}`);
    expect([(await page('1')).status, (await page('100')).status]).toEqual([200, 200]);
    expect([(await page('0')).status, (await page('101')).status]).toEqual([422, 422]);
  });
});

test('no key in Redis, no lane and no timer holds text of a caller', async () => {
  const groups = ['..', '\0', '{', '}', '{other}:', 'a\nb', 'a b', 'a:b', 'a/b', '%', '%2F', '*', '__proto__'];
  const all = [...groups, 'größe-名前-🚀', '\r\n', '"', "'", '\\', '名'.repeat(128), ' ', '\u2028', '\ufeff', '!'];
  const keys = ['{', '}', '{other}:', 'a:b', '*', '%00', '../..', '"', "'", '\\', '~'.repeat(254), '!'];
  for (const group of all) {
    for (const delay of [0, '12h']) {
      const message = { body: group, group, delay, headers: { group }, priority: 8 }; // the others are taken first
      const answer = await send('POST', '/v1/queues/reports/messages', message);
      expect([group, answer.status]).toEqual([group, 202]);
    }
  }
  for (const key of keys) {
    const named = { 'idempotency-key': key };
    expect((await send('POST', '/v1/messages', { messages: [{ queue: 'reports', body: 1 }] }, named)).status).toBe(202);
    expect((await send('POST', '/v1/receive', { queues: ['reports'], max: 2 }, named)).status).toBe(200);
  }
  await send('POST', '/v1/queues/reports/pause');
  await send('POST', '/v1/receive', { queues: ['reports'] }); // it blocks the lanes

  const queue = '[A-Za-z0-9][A-Za-z0-9_.-]{0,63}';
  const lane = `\\d:${queue}(/[A-Za-z0-9_.!~*'()%-]+)?`;
  const pool = `(\\*|${queue})`;
  const id = '[\\w-]{1,64}';
  const kinds = [
    `m:${id}`,
    `lane:${lane}`,
    `ready:${pool}`,
    `lease:${id}(~${queue})*`,
    `(dead|blocked):(${queue}|-)`,
    `req:${id}`,
    `ring:${queue}`,
    `failures:${id}`,
    'timers|drains|awake|sleeper|config|rings|schedules|health',
    'stats(:(hour|day):\\d+|:totals)?',
  ];
  const known = new RegExp(`^\\{sluice\\}:(${kinds.join('|')})$`);
  const names = await raw.keys('*');
  expect(names.filter((name) => !known.test(name))).toEqual([]);

  const { lanes, ready, blocked, timers, leases, rest } = await stored();
  const has = (kind: string) => names.filter((name) => name.startsWith(`${ROOT}${kind}`)).length;
  expect(has('req:')).toBeGreaterThanOrEqual(keys.length);
  expect(Object.keys(leases).length).toBeGreaterThanOrEqual(keys.length);
  expect(Object.keys(lanes).length).toBeGreaterThan(all.length / 2);
  const laneNames = [...Object.values(ready).flatMap((index) => Object.keys(index)), ...Object.values(blocked).flat()];
  expect(laneNames.filter((name) => name !== '!' && !new RegExp(`^${lane}$`).test(name))).toEqual([]);
  const timer = new RegExp(`^(l ${id}(~${queue})*|s ${queue}|m ${pool} ${lane} \\d+r?\\.${id})$`);
  expect(Object.keys(timers).filter((member) => !timer.test(member))).toEqual([]);
  expect(Object.values(rest).filter((value) => keys.some((key) => key.length > 3 && value.includes(key)))).toEqual([]);
  await send('POST', '/v1/queues/reports/resume');
});
