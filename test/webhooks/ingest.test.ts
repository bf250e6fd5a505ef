// Webhooks through a bundle as it is deployed: what is stored, once and byte by byte, and what each sender hears.
import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import { connect } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, describe, expect, test } from 'vitest';
import { buildBundle } from '../../src/dev/bundle.ts';
import { startEmbeddedRedis } from '../../src/dev/emulator/embedded.ts';
import type { Fault, FaultRequest } from '../../src/dev/emulator/faults.ts';
import { type Raw, rawBytes } from '../../src/message/raw.ts';
import { deploy, eventually } from '../support/worker.ts';
import { SENDERS, signAsDiscord } from './senders.ts';
import { bindingOf, NAMES, UNUSABLE } from './worker.ts';

const embedded = await startEmbeddedRedis();
const redis = new Redis(embedded.url);
afterAll(async () => {
  redis.disconnect();
  await embedded.close();
});

let fault: (request: FaultRequest) => Fault | undefined = () => undefined;
const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
const anHourAgo = new Date(Date.now() - 3_600_000).toISOString();
const deployed = deploy({
  redis: embedded.url,
  bundle: await buildBundle('test/webhooks/worker.ts'),
  emulator: { faults: (asked) => fault(asked) },
  env: {
    ...Object.fromEntries(Object.keys(NAMES).map((name) => [bindingOf(name), SENDERS[name]?.secret ?? ''])),
    ...Object.fromEntries(Object.entries(UNUSABLE).map(([name, { secret }]) => [bindingOf(name), secret])),
    // Several at once: a new one, the one in use, and one whose time is over.
    [bindingOf('github')]: JSON.stringify([
      'the next one',
      { secret: SENDERS.github?.secret, expires: inAnHour },
      { secret: 'the last one', expires: anHourAgo },
    ]),
    [bindingOf('shopify')]: `the next one, ${SENDERS.shopify?.secret}`,
    SECRET_ACME: 'acme',
    ACME_URL: 'https://hooks.example.com/acme',
    META_TOKEN: 'meta-verify-token',
  },
});

interface Hook {
  headers?: Record<string, string>;
  body?: string | Uint8Array | ReadableStream;
  search?: string;
  method?: string;
}

interface Heard {
  status: number;
  text: string;
  /** Ids of what it became. */
  ids: string[];
  duplicate: boolean;
  headers: Headers;
}

async function hook(
  source: string,
  { headers: given = {}, body, search = '', method = 'POST' }: Hook = {},
): Promise<Heard> {
  const headers = { 'content-type': 'application/json', ...given };
  const init = { method, headers, ...(body === undefined ? {} : { body, duplex: 'half' }) } as RequestInit;
  const answer = await fetch(`${deployed().worker.url}/hooks/${source}${search}`, init);
  const ids = (answer.headers.get('sluice-messages') ?? '').split(', ').map((name) => name.split('/')[1] ?? '');
  const duplicate = answer.headers.get('idempotent-replayed') === 'true';
  return { status: answer.status, text: await answer.text(), ids, duplicate, headers: answer.headers };
}

const codeOf = ({ text }: Heard) => (JSON.parse(text) as { code: string }).code;

interface Stored {
  id: string;
  state: string;
  body: unknown;
  headers: Record<string, string>;
  raw: Raw;
  queue: string;
  priority: number;
  group?: string;
  failures: { kind: string }[];
}

const look = async (id = '') =>
  (await (await deployed().call(`/v1/messages/${id}`, { method: 'GET' })).json()) as Stored;

interface Report {
  source: string;
  open: boolean;
  reason?: string;
  accepted: number;
  duplicates: number;
  ignored: number;
  handshakes: number;
  rejected: Record<string, number>;
}

async function counts(source: string): Promise<Report> {
  const { sources } = (await (await deployed().call('/v1/sources', { method: 'GET' })).json()) as { sources: Report[] };
  return sources.find((report) => report.source === source) as Report;
}

/** All that is ready in a pull queue, acked where asked for. @returns the messages as a consumer got them */
async function receive(queue: string, ack: boolean): Promise<Pick<Stored, 'id' | 'body' | 'raw'>[]> {
  const received = await deployed().call('/v1/receive', { body: { queues: [queue], max: 100, visibility: '1m' } });
  const { lease, messages } = (await received.json()) as { lease: string; messages: Stored[] };
  const settle = messages.map(({ id }) => ({ id, outcome: 'ack' }));
  if (ack) await deployed().call(`/v1/leases/${lease}/settle`, { body: { settle } });
  return messages;
}

const nowS = () => Math.floor(Date.now() / 1_000);
let deliveries = 0;

describe.each(Object.keys(NAMES))('a delivery of %s', (name) => {
  const sender = SENDERS[name];
  const signed = async () => {
    const { headers, body, search = '' } = (await sender?.sign(++deliveries, nowS())) ?? { headers: {}, body: '' };
    return { headers, body, search };
  };

  test('is stored byte by byte, and answered the same when it comes again', async () => {
    const sent = await signed();
    const first = await hook(name, sent);
    expect([first.status, first.duplicate, first.ids.length]).toEqual([name === 'discord' ? 204 : 200, false, 1]);
    const again = await hook(name, sent);
    expect(again).toEqual({ ...first, duplicate: true, headers: expect.anything() });
    const { raw, headers, body } = await look(first.ids[0]);
    expect(raw).toEqual({ type: sent.headers['content-type'], text: sent.body });
    expect(headers['sluice-source']).toBe(name);
    expect(JSON.stringify(headers)).not.toContain(SENDERS[name]?.secret);
    if (raw.type === 'application/json') expect(body).toEqual(JSON.parse(sent.body));
    else expect(body).toMatchObject({ Body: 'hello', From: '+14158675309' });
  });

  test('is refused with another body, another proof, or none, and nothing is stored', async () => {
    const before = await redis.dbsize();
    const sent = await signed();
    const { 'content-type': type = '', ...proof } = sent.headers;
    const spoilt = Object.fromEntries(Object.entries(proof).map(([header, value]) => [header, `${value}x`]));
    const tokens = ['gitlab-token', 'bearer', 'basic'].includes(name);
    const wrong = [
      { ...sent, headers: { 'content-type': type, ...spoilt } },
      { ...sent, headers: { 'content-type': type } },
      ...(tokens ? [] : [{ ...sent, body: `${sent.body} ` }]),
    ];
    for (const request of wrong) {
      const heard = await hook(name, request);
      expect([heard.status, codeOf(heard)]).toEqual([401, 'invalid_signature']);
      expect(heard.headers.get('content-type')).toBe('application/problem+json');
    }
    expect(await redis.dbsize()).toBeLessThanOrEqual(before + 2); // the counts, and the token under which they came
  });

  test('is refused when it is nine hours old, where an instant is signed', async () => {
    const { headers, body } = (await sender?.sign(++deliveries, nowS() - 32_400)) ?? { headers: {}, body: '' };
    const isTimed = headers['webhook-id'] || JSON.stringify(headers).match(/timestamp|t=|ts=/) || name === 'linear';
    const { rejected: before } = await counts(name);
    expect((await hook(name, { headers, body })).status).toBe(isTimed ? 401 : 200);
    const { rejected } = await counts(name);
    expect((rejected.timestamp ?? 0) - (before.timestamp ?? 0)).toBe(isTimed ? 1 : 0);
  });
});

describe('a redelivery', () => {
  const send = () => hook('forgetful', { headers: { 'x-id': 'again' }, body: '{}' });

  test('is a duplicate while its message waits, is worked on, and is done, whatever the queue says of keys', async () => {
    const first = await send();
    const outcomes = [await send()];
    await receive('forgetful', false);
    outcomes.push(await send());
    await deployed().call('/v1/queues/forgetful/purge', { body: {} });
    const other = await hook('forgetful', { headers: { 'x-id': 'other' }, body: '{}' });
    await receive('forgetful', true);
    outcomes.push(await send());
    expect((await hook('forgetful', { headers: { 'x-id': 'other' }, body: '{}' })).ids).toEqual(other.ids);
    expect([first.duplicate, ...outcomes.map(({ duplicate }) => duplicate)]).toEqual([false, true, true, true]);
    expect(new Set(outcomes.flatMap(({ ids }) => ids))).toEqual(new Set(first.ids));
  });

  test('is known for the window of its provider or its source, and is a delivery like any other after it', async () => {
    const key = async (queue: string, before: string[]) =>
      (await redis.keys(`{sluice}:dedup:${queue}:*`)).filter((name) => !before.includes(name))[0] ?? '';
    const before = await redis.keys('{sluice}:dedup:*');
    const sent = (await SENDERS.github?.sign(++deliveries, nowS())) ?? { headers: {}, body: '' };
    await hook('github', sent);
    await hook('forgetful', { headers: { 'x-id': 'windowed' } });
    const [github, forgetful] = [await key('events', before), await key('forgetful', before)];
    const hours = await Promise.all([github, forgetful].map(async (name) => (await redis.pttl(name)) / 3_600_000));
    expect(hours.map((hour) => Math.ceil(hour))).toEqual([4, 1]);
    expect((await hook('github', sent)).duplicate).toBe(true);
    await redis.pexpire(github, 0);
    expect((await hook('github', sent)).duplicate).toBe(false);
  });

  test('that races is a duplicate too: of twenty at once one is stored', async () => {
    const sent = (await SENDERS.stripe?.sign(++deliveries, nowS())) ?? { headers: {}, body: '' };
    const heard = await Promise.all(Array.from({ length: 20 }, () => hook('stripe', sent)));
    expect(heard.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect(new Set(heard.flatMap(({ ids }) => ids)).size).toBe(1);
    expect(new Set(heard.map(({ status }) => status))).toEqual(new Set([200]));
  });

  test('is told by its id where it has one, and by its body where not; an id that is no text, or too long, is none', async () => {
    const send = (id: unknown, more = {}) => {
      const body = JSON.stringify({ id, object: 'event', ...more });
      const at = nowS();
      const v1 = createHmac('sha256', SENDERS.stripe?.secret ?? '')
        .update(`${at}.${body}`)
        .digest('hex');
      return hook('stripe', { headers: { 'stripe-signature': `t=${at},v1=${v1}` }, body });
    };
    expect((await send('evt_same')).duplicate).toBe(false);
    expect((await send('evt_same', { other: 1 })).duplicate).toBe(true);
    for (const none of [{ $ne: null }, 7, null, '', 'x'.repeat(257)]) {
      expect([none, (await send(none)).duplicate]).toEqual([none, false]);
      expect([none, (await send(none)).duplicate]).toEqual([none, true]);
      expect([none, (await send(none, { other: 1 })).duplicate]).toEqual([none, false]);
    }
  });

  test('of Linear, seven hours after the first try whose time it carries, is stored once, by whatever id it comes', async () => {
    const sent = (await SENDERS.linear?.sign(++deliveries, nowS() - 25_300)) ?? { headers: {}, body: '' };
    const first = await hook('linear', sent);
    const again = await hook('linear', { ...sent, headers: { ...sent.headers, 'linear-delivery': 'captured' } });
    expect([first.status, first.duplicate, again.status, again.duplicate]).toEqual([200, false, 200, true]);
    expect(again.ids).toEqual(first.ids);
  });

  test('is waited for as long as a source says', async () => {
    const send = async (source: string, agoS: number) =>
      (await hook(source, await SENDERS.slack?.sign(++deliveries, nowS() - agoS))).status;
    expect([await send('patient', 7_000), await send('slack', 7_000), await send('patient', 7_300)]).toEqual([
      200, 401, 401,
    ]);
  });

  test('with a window of 0 is a delivery of its own, though its body is the same', async () => {
    const heard = [await hook('every', { body: '"on"' }), await hook('every', { body: '"on"' })];
    expect(heard.map(({ status, duplicate }) => [status, duplicate])).toEqual([
      [200, false],
      [200, false],
    ]);
    expect(new Set(heard.flatMap(({ ids }) => ids)).size).toBe(2);
  });

  test('of the same id from another source is no duplicate', async () => {
    const body = '{"same":"body"}';
    expect((await hook('open', { body })).duplicate).toBe(false);
    expect((await hook('own', { headers: { 'x-pass': 'yes' }, body })).duplicate).toBe(false);
  });
});

describe('the body', () => {
  const bytes: [string, string, Uint8Array, unknown][] = [
    ['a number', 'application/json', Buffer.from('123'), 123],
    ['white space around it', 'application/json; charset=utf-8', Buffer.from(' {"a" : 1.0}\r\n'), { a: 1 }],
    ['a byte order mark', 'application/json', Buffer.from('\uFEFF{"a":1}'), { a: 1 }],
    [
      'a number beyond doubles',
      'application/cloudevents+json',
      Buffer.from('{"id":9007199254740993}'),
      { id: 9007199254740992 },
    ],
    ['escapes', 'application/json', Buffer.from('"\\u00e4\\/\\u0000"'), 'ä/\0'],
    ['no JSON', 'application/json', Buffer.from('{"a":'), '{"a":'],
    ['nothing', 'application/json', Buffer.from(''), ''],
    ['a prototype', 'application/json', Buffer.from('{"__proto__":{"a":1}}'), JSON.parse('{"__proto__":{"a":1}}')],
    [
      'a form',
      'application/x-www-form-urlencoded',
      Buffer.from('a=1&b=%C3%A4+2&a=3&__proto__=x'),
      JSON.parse('{"a":["1","3"],"b":"ä 2","__proto__":"x"}'),
    ],
    ['text', 'text/plain', Buffer.from('{"a":1}\n\u0000🚀'), '{"a":1}\n\0🚀'],
    ['no UTF-8', 'application/octet-stream', Uint8Array.from([0xff, 0xfe, 0, 1]), '��\0\u0001'],
    [
      'JSON with a broken character',
      'application/json',
      Buffer.concat([Buffer.from('"'), Uint8Array.from([0xc3]), Buffer.from('"')]),
      '�',
    ],
  ];

  test.each(bytes)('%s: stored and handed out as it came, once', async (_, type, body, parsed) => {
    const { status, ids } = await hook('open', { headers: { 'content-type': type }, body });
    expect(status).toBe(200);
    const { raw, body: seen } = await look(ids[0]);
    expect(Buffer.from(rawBytes(raw))).toEqual(Buffer.from(body));
    expect([raw.type, seen]).toEqual([type, parsed]);
    const [, json = ''] = (await redis.get(`{sluice}:m:${ids[0]}`))?.split('\n') ?? [];
    expect(Object.keys(JSON.parse(json)).toSorted()).toEqual(['headers', 'raw']);
  });

  test('reaches consumers elsewhere in both forms', async () => {
    await hook('forgetful', { headers: { 'content-type': 'application/json', 'x-id': 'forms' }, body: '{"a" : 1}' });
    const messages = await receive('forgetful', true);
    expect(messages.slice(-1)).toMatchObject([
      { body: { a: 1 }, raw: { type: 'application/json', text: '{"a" : 1}' } },
    ]);
  });

  test('that is too large is refused while it comes, whether it says so or not', async () => {
    const chunk = new Uint8Array(10_000).fill(120);
    const endless = (chunks: number) =>
      new ReadableStream({
        pull(controller) {
          if (chunks-- > 0) controller.enqueue(chunk);
          else controller.close();
        },
      });
    expect((await hook('open', { body: endless(10) })).status).toBe(200);
    for (const body of [endless(11), 'x'.repeat(100_001)]) {
      const heard = await hook('open', { body });
      expect([heard.status, codeOf(heard)]).toEqual([413, 'too_large']);
    }
  });

  test.each([
    ['with its length stated', 'content-length: 1000', '{"half":'],
    ['in chunks', 'transfer-encoding: chunked', '8\r\n{"half":\r\n'],
  ])('that breaks off, %s, is counted, and is no error of ours', async (_, framing, half) => {
    const { rejected: before } = await counts('open');
    const keys = (await redis.keys('{sluice}:m:*')).toSorted();
    const { hostname, port } = new URL(deployed().worker.url);
    const socket = connect(Number(port), hostname);
    const head = ['POST /hooks/open HTTP/1.1', `host: ${hostname}`, 'content-type: application/json', framing];
    await new Promise<void>((resolve) => socket.write(`${head.join('\r\n')}\r\n\r\n${half}`, () => resolve()));
    socket.destroy();
    await eventually('it is counted', async () => {
      const { rejected } = await counts('open');
      return (rejected.aborted ?? 0) === (before.aborted ?? 0) + 1;
    });
    expect((await redis.keys('{sluice}:m:*')).toSorted()).toEqual(keys);
    expect(deployed().logs.join()).not.toContain('request failed');
  });

  test('that is compressed is refused: it was not signed so', async () => {
    const gzip = await hook('open', { headers: { 'content-encoding': 'gzip' }, body: '{}' });
    expect([gzip.status, codeOf(gzip)]).toEqual([415, 'unsupported_encoding']);
  });

  test('that is nested very deep harms nobody', async () => {
    const nested = (depth: number) => `${'['.repeat(depth)}"[["${']'.repeat(depth)}`;
    const deep = await hook('open', { body: nested(49_000) });
    expect(await look(deep.ids[0])).toMatchObject({ body: nested(49_000), raw: { text: nested(49_000) } });
    const less = await hook('open', { body: nested(1_000) });
    expect((await look(less.ids[0])).body).toEqual(JSON.parse(nested(1_000)));
  });
});

test('of the headers only what is asked for is kept, and never what proves who somebody is', async () => {
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'sender/1',
    'x-kept': 'yes',
    'x-other': 'no',
    cookie: 'session=1',
    authorization: 'Bearer x',
  };
  const { ids } = await hook('open', { headers, body: '"headers"' });
  expect((await look(ids[0])).headers).toEqual({ 'user-agent': 'sender/1', 'x-kept': 'yes', 'sluice-source': 'open' });
  const long = await hook('open', { headers: { ...headers, 'x-kept': 'x'.repeat(4_097) }, body: '"long"' });
  expect((await look(long.ids[0])).headers).toEqual({ 'user-agent': 'sender/1', 'sluice-source': 'open' });
});

test("Shopify's headers are kept, of either family", async () => {
  for (const family of ['x-shopify', 'shopify']) {
    const body = JSON.stringify({ n: ++deliveries });
    const names = ['topic', 'shop-domain', 'webhook-id', 'event-id'].map((name) => `${family}-${name}`);
    const hmac = createHmac('sha256', SENDERS.shopify?.secret ?? '')
      .update(body)
      .digest('base64');
    const kept = Object.fromEntries(names.map((name) => [name, `${name}-${deliveries}`]));
    const { ids } = await hook('shopify', { body, headers: { ...kept, [`${family}-hmac-sha256`]: hmac } });
    expect((await look(ids[0])).headers).toMatchObject(kept);
  }
});

describe("the queue's schema", () => {
  test('of a pull queue refuses what does not fit, and says which field', async () => {
    const heard = await hook('strict', { body: '{"n":"one"}' });
    expect([heard.status, JSON.parse(heard.text).errors[0].field]).toEqual([422, 'body.n']);
    expect((await counts('strict')).rejected).toEqual({ schema: 1 });
    expect((await hook('strict', { body: '{"n":1}' })).status).toBe(200);
  });

  test('of a queue with a handler loses nothing: what does not fit becomes a dead letter with its bytes', async () => {
    const good = await hook('handled', { body: '{"n" : 1}' });
    await eventually('the handler has it', () =>
      deployed().logs.some((line) => line.includes('handled {"type"') && line.includes('{\\"n\\" : 1}')),
    );
    const bad = await hook('handled', { body: '{"n" : "one"}' });
    expect([good.status, bad.status]).toEqual([200, 200]);
    await eventually('it is dead', async () => (await look(bad.ids[0])).state === 'dead');
    expect(await look(bad.ids[0])).toMatchObject({ raw: { text: '{"n" : "one"}' }, failures: [{ kind: 'refused' }] });
  });
});

describe('a route', () => {
  const routed = (to: unknown) => hook('routed', { body: JSON.stringify({ to, n: ++deliveries }) });

  test('to several: each gets the event, and all of it is one delivery', async () => {
    const body = JSON.stringify({ to: ['ada', 'bob'] });
    const first = await hook('routed', { body });
    expect([first.status, first.text, first.headers.get('content-type')]).toEqual([
      202,
      '{"thanks":true}',
      'application/json',
    ]);
    const stored = await Promise.all(first.ids.map(look));
    expect(stored).toMatchObject([
      { queue: 'events', priority: 1, group: 'ada', state: 'delayed', body: { to: ['ada', 'bob'] } },
      { queue: 'events', priority: 1, group: 'bob', state: 'delayed' },
    ]);
    expect(await hook('routed', { body })).toMatchObject({
      status: 202,
      text: first.text,
      ids: first.ids,
      duplicate: true,
    });
  });

  test('with a priority that there is not: the sender sees which option it is, and so does the log', async () => {
    const heard = await routed(['wrong']);
    expect(heard.headers.get('retry-after')).toBe('60');
    expect(JSON.parse(heard.text).errors).toMatchObject([{ field: 'priority', code: 'invalid' }]);
    const line = '"source":"routed","error":"priority: invalid"';
    await eventually('it is logged', () => deployed().logs.join().includes(line));
  });

  test('to nobody: answered like the others, counted, not stored', async () => {
    const before = await counts('routed');
    const heard = await routed([]);
    expect([heard.status, heard.text, heard.ids]).toEqual([202, '{"thanks":true}', ['']]);
    expect((await counts('routed')).ignored).toBe(before.ignored + 1);
  });

  const FAILED = [500, 'internal'];
  test.each([
    ['that throws', ['throw'], FAILED],
    ['to a queue that is not here', ['ada', 'elsewhere'], FAILED],
    ['with a priority that there is not', ['wrong'], [503, 'invalid_route']],
    ['that reads what is not there', 7, FAILED],
  ])('%s: the sender comes again; nothing is stored, and no payload is logged', async (_, to, expected) => {
    const before = [(await redis.keys('{sluice}:m:*')).length, (await counts('routed')).rejected.route ?? 0];
    const heard = await routed(to);
    expect([heard.status, codeOf(heard)]).toEqual(expected);
    const after = [(await redis.keys('{sluice}:m:*')).length, (await counts('routed')).rejected.route];
    expect(after).toEqual([before[0], (before[1] ?? 0) + 1]);
    expect(deployed().logs.join()).toContain('"event":"route failed","source":"routed"');
    expect(deployed().logs.join()).not.toContain('the payload must not be logged');
  });
});

describe('a handshake', () => {
  test('Slack: the challenge, if it is signed', async () => {
    const body = JSON.stringify({ type: 'url_verification', challenge: 'abc<b>' });
    const at = String(nowS());
    const signature = `v0=${createHmac('sha256', SENDERS.slack?.secret ?? '')
      .update(`v0:${at}:${body}`)
      .digest('hex')}`;
    const headers = { 'content-type': 'application/json', 'x-slack-request-timestamp': at };
    const heard = await hook('slack', { headers: { ...headers, 'x-slack-signature': signature }, body });
    expect([heard.status, heard.text, heard.ids]).toEqual([200, 'abc<b>', ['']]);
    expect(heard.headers.get('content-type')).toMatch(/^text\/plain/);
    expect(heard.headers.get('x-content-type-options')).toBe('nosniff');
    expect((await hook('slack', { headers, body })).status).toBe(401);
  });

  test('Zoom: the token, and its HMAC', async () => {
    const secret = SENDERS.zoom?.secret ?? '';
    const body = JSON.stringify({
      event: 'endpoint.url_validation',
      payload: { plainToken: 'qgg8vlvZRS6UYooatFL8Aw' },
    });
    const at = String(nowS());
    const signature = `v0=${createHmac('sha256', secret).update(`v0:${at}:${body}`).digest('hex')}`;
    const heard = await hook('zoom', { headers: { 'x-zm-signature': signature, 'x-zm-request-timestamp': at }, body });
    const encryptedToken = createHmac('sha256', secret).update('qgg8vlvZRS6UYooatFL8Aw').digest('hex');
    expect(JSON.parse(heard.text)).toEqual({ plainToken: 'qgg8vlvZRS6UYooatFL8Aw', encryptedToken });
  });

  test('Meta: the challenge by GET, for the token only', async () => {
    const ask = (token: string, challenge = '1158201444', mode = 'subscribe') =>
      hook('meta', { method: 'GET', search: `?hub.mode=${mode}&hub.challenge=${challenge}&hub.verify_token=${token}` });
    const heard = await ask('meta-verify-token');
    expect([heard.status, heard.text]).toEqual([200, '1158201444']);
    const wrong = [
      ask('other'),
      ask(''),
      ask('meta-verify-token', 'x'.repeat(1_025)),
      ask('meta-verify-token', '1', 'x'),
    ];
    for (const refused of await Promise.all(wrong))
      expect([refused.status, codeOf(refused)]).toEqual([403, 'forbidden']);
  });

  test('Discord: a ping of interactions with one, of events with nothing; a probe with a wrong signature is refused', async () => {
    const ping = await hook('discord', signAsDiscord({ type: 1 }, nowS()));
    expect([ping.status, JSON.parse(ping.text), ping.ids]).toEqual([200, { type: 1 }, ['']]);
    const empty = await hook('discord', signAsDiscord({ type: 0, version: 1 }, nowS()));
    expect([empty.status, empty.text, empty.ids]).toEqual([204, '', ['']]);
    const event = await hook(
      'discord',
      signAsDiscord({ type: 1, version: 1, event: { type: 'ENTITLEMENT_CREATE' } }, nowS()),
    );
    expect([event.status, event.ids]).toEqual([204, [expect.stringMatching(/./)]]);
    const probe = await hook('discord', { ...signAsDiscord({ type: 1 }, nowS()), body: '{"type":1 }' });
    expect(probe.status).toBe(401);
  });

  test('is counted as such, and asks storage for nothing', async () => {
    const before = await counts('discord');
    await hook('discord', signAsDiscord({ type: 1 }, nowS()));
    const after = await counts('discord');
    expect(after).toEqual({ ...before, handshakes: before.handshakes + 1 });
  });
});

describe('a source', () => {
  test('that is not there, or without its secret, is closed; the second is worth trying again', async () => {
    const unknown = await hook('nobody', { body: '{}' });
    expect([unknown.status, codeOf(unknown)]).toEqual([404, 'unknown_source']);
    const sent = (await SENDERS.github?.sign(++deliveries, nowS())) ?? { headers: {}, body: '' };
    for (const source of ['unset', 'nowhere']) {
      const closed = await hook(source, sent);
      expect([closed.status, codeOf(closed), closed.headers.get('retry-after')]).toEqual([503, 'source_closed', '60']);
    }
  });

  test.each(Object.keys(UNUSABLE))('whose secret its scheme cannot use is closed: %s', async (name) => {
    const closed = await hook(name, await SENDERS['standard-webhooks']?.sign(++deliveries, nowS()));
    expect([closed.status, codeOf(closed), closed.headers.get('retry-after')]).toEqual([503, 'source_closed', '60']);
    const reason = `the binding ${bindingOf(name)} holds a secret that its scheme cannot use`;
    expect(await counts(name)).toMatchObject({ open: false, reason, rejected: { closed: 1 } });
  });

  test('says whether it is open, and what is missing where it is not', async () => {
    expect(await counts('unset')).toMatchObject({
      open: false,
      reason: 'the binding NOBODY_SETS_THIS holds no secret',
    });
    expect(await counts('nowhere')).toMatchObject({ open: false, reason: 'the binding NOBODY_SETS_THIS holds no URL' });
    for (const name of [...Object.keys(NAMES), 'open', 'own']) {
      const { open, reason } = await counts(name);
      expect([name, open, reason]).toEqual([name, true, undefined]);
    }
  });

  test('takes POST, and GET only where its provider asks so', async () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      const asked = await hook('github', { method });
      expect([method, asked.status, asked.headers.get('allow')]).toEqual([method, 405, 'POST']);
    }
    expect((await hook('github', { method: 'PUT', body: '{}' })).status).toBe(405);
  });

  test("rotates: the new secret and the old one hold, one whose time is over does not, nor another source's", async () => {
    const send = (source: string, header: string, value: string) =>
      hook(source, { headers: { [header]: value }, body: `"${++deliveries}"` });
    const github = (secret: string) =>
      send(
        'github',
        'x-hub-signature-256',
        `sha256=${createHmac('sha256', secret)
          .update(`"${deliveries + 1}"`)
          .digest('hex')}`,
      );
    const statuses = [];
    for (const secret of ['the next one', SENDERS.github?.secret ?? '', 'the last one', 'meta-app-secret']) {
      statuses.push((await github(secret)).status);
    }
    expect(statuses).toEqual([200, 200, 401, 401]);
    const shopify = createHmac('sha256', 'the next one')
      .update(`"${deliveries + 1}"`)
      .digest('base64');
    expect((await send('shopify', 'x-shopify-hmac-sha256', shopify)).status).toBe(200);
  });

  test.each(['bearer', 'basic'])('of tokens: %s is the name of its scheme in any case', async (name) => {
    const { headers } = (await SENDERS[name]?.sign(0, 0)) ?? { headers: {} as Record<string, string> };
    const [scheme = '', token] = (headers.authorization ?? '').split(' ');
    for (const spelt of [scheme.toLowerCase(), scheme.toUpperCase()]) {
      const sent = { headers: { authorization: `${spelt} ${token}` }, body: `"${++deliveries}"` };
      expect([spelt, (await hook(name, sent)).status]).toEqual([spelt, 200]);
    }
    const other = { headers: { authorization: `Digest ${token}` }, body: '{}' };
    expect((await hook(name, other)).status).toBe(401);
  });

  test('of your own: a signature over what you say, or a function', async () => {
    const v1 = createHmac('sha512', 'acme').update('https://hooks.example.com/acme|{"a":1}').digest('base64');
    expect((await hook('acme', { headers: { 'x-acme': `v1=${v1}` }, body: '{"a":1}' })).status).toBe(200);
    expect((await hook('acme', { headers: { 'x-acme': `v1=${v1}` }, body: '{"a":2}' })).status).toBe(401);
    const own = (id: string, body: string) => hook('own', { headers: { 'x-pass': 'yes', 'x-id': id }, body });
    expect([(await own('a', '1')).duplicate, (await own('a', '2')).duplicate, (await own('b', '2')).duplicate]).toEqual(
      [false, true, false],
    );
    expect((await hook('own', { body: '{}' })).status).toBe(401);
  });
});

test("Twilio's signature covers the query as it sent it, with an apostrophe or its escape", async () => {
  for (const query of ["?name=O'Brien", '?name=O%27Brien', "?a=%C3%A4%20b&name='x'"]) {
    const body = `MessageSid=SM${++deliveries}`;
    const content = `https://hooks.example.com/hooks/twilio${query}MessageSidSM${deliveries}`;
    const signature = createHmac('sha1', SENDERS.twilio?.secret ?? '')
      .update(content)
      .digest('base64');
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signature };
    // fetch would escape it.
    const { hostname, port } = new URL(deployed().worker.url);
    const path = `/hooks/twilio${query}`;
    const status = await new Promise((resolve, reject) => {
      const sent = request({ hostname, port, path, method: 'POST', headers }, (answer) => {
        resolve(answer.statusCode);
        answer.resume();
      });
      sent.on('error', reject);
      sent.end(body);
    });
    expect([query, status]).toEqual([query, 200]);
  }
});

describe('storage', () => {
  test('is asked once for a delivery, once for a duplicate, and not at all for a forged one', async () => {
    const { emulator } = deployed().stack;
    // Counts are written behind an answer, a request in three seconds: of several tries one is free of it.
    const cost = async (work: () => Promise<unknown>) => {
      const tries: [number, number][] = [];
      for (let i = 0; i < 5; i++) {
        const before = [emulator.requests(), embedded.commandsProcessed()] as const;
        await work();
        tries.push([emulator.requests() - before[0], embedded.commandsProcessed() - before[1]]);
      }
      return tries.toSorted(([a, inA], [b, inB]) => a - b || inA - inB)[0];
    };
    const signed = async () => (await SENDERS.slack?.sign(++deliveries, nowS())) ?? { headers: {}, body: '' };
    const sent = await signed();
    await hook('slack', sent);
    const large = () => {
      const body = JSON.stringify({ n: ++deliveries, text: 'x'.repeat(20_000) });
      const hmac = createHmac('sha256', SENDERS.meta?.secret ?? '').update(body);
      return hook('meta', { body, headers: { 'x-hub-signature-256': `sha256=${hmac.digest('hex')}` } });
    };
    expect(await cost(async () => hook('slack', await signed()))).toEqual([1, 7]);
    expect(await cost(large)).toEqual([1, 7]);
    expect(await cost(() => hook('slack', sent))).toEqual([1, 4]);
    expect(await cost(() => hook('slack', { ...sent, body: '' }))).toEqual([0, 0]);
  });

  test('a flood of forged ones is counted, and is no flood of commands', async () => {
    const { emulator } = deployed().stack;
    const before = await counts('zoom');
    const [requests, begun] = [emulator.requests(), Date.now()];
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        for (let i = 0; i < 30; i++) await hook('zoom', { headers: { 'x-zm-signature': 'v0=00' }, body: '{}' });
      }),
    );
    expect(emulator.requests() - requests).toBeLessThanOrEqual(2 + (Date.now() - begun) / 3_000);
    const { rejected } = await counts('zoom');
    expect((rejected.signature ?? 0) - (before.rejected.signature ?? 0)).toBe(300);
    await eventually('counts are written without being asked for', async () => {
      await hook('zoom', { headers: { 'x-zm-signature': 'v0=00' }, body: '{}' });
      return Number(await redis.hget('{sluice}:sources', 'zoom signature')) > (rejected.signature ?? 0);
    });
  });

  test('that does not answer: 503 and when to come again; what comes again is stored once', async () => {
    const sent = (await SENDERS.paddle?.sign(++deliveries, nowS())) ?? { headers: {}, body: '' };
    fault = () => ({ kind: 'status-before', status: 503 });
    const heard = await hook('paddle', sent);
    fault = () => undefined;
    expect([heard.status, heard.headers.get('retry-after')]).toEqual([503, '1']);
    expect((await counts('paddle')).rejected.storage).toBe(1);
    expect([(await hook('paddle', sent)).duplicate, (await hook('paddle', sent)).duplicate]).toEqual([false, true]);
  });

  test('whose answer is lost is asked again, and the delivery is no duplicate of itself', async () => {
    const sent = (await SENDERS.square?.sign(++deliveries, nowS())) ?? { headers: {}, body: '' };
    let lost = 0;
    // Counts are written whenever their three seconds are over: what is lost is this delivery.
    const isDelivery = ({ commands }: FaultRequest) => commands.flat().some((part) => part.includes('"sluice-source"'));
    fault = (asked) => (isDelivery(asked) && lost++ === 0 ? { kind: 'drop-reply' } : undefined);
    const heard = await hook('square', sent);
    fault = () => undefined;
    expect([heard.status, heard.duplicate, lost]).toEqual([200, false, 2]);
    expect((await hook('square', sent)).ids).toEqual(heard.ids);
  });

  test('what was stored though every answer was lost is a duplicate when it comes again', async () => {
    const sent = (await SENDERS.bearer?.sign(++deliveries, nowS())) ?? { headers: {}, body: '' };
    fault = () => ({ kind: 'drop-reply' });
    const heard = await hook('bearer', sent);
    fault = () => undefined;
    expect(heard.status).toBe(503);
    expect((await hook('bearer', sent)).duplicate).toBe(true);
  });
});
