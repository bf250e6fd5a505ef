// Rules of deliveries without any I/O: signatures, what an answer means, which headers may be sent, which policies make sense.
import { randomBytes } from 'node:crypto';
import { Webhook as Standard } from 'standardwebhooks';
import { Webhook as Svix } from 'svix';
import { describe, expect, test } from 'vitest';
import {
  describeAnswer,
  endpointState,
  judgeAnswer,
  retryAfterMs,
  spreadAfterMs,
} from '../../src/delivery/response.ts';
import { parseKeys, signMessage } from '../../src/delivery/signature.ts';
import { utf8 } from '../../src/formats/bytes.ts';
import { Destination, deriveGroup } from '../../src/message/destination.ts';
import { isSendable } from '../../src/message/sent-headers.ts';
import { steps } from '../../src/queue/backoff.ts';
import { chooseDestination, definePolicy } from '../../src/queue/destination.ts';
import { defineQueue } from '../../src/queue/queue.ts';

const secret = () => `whsec_${randomBytes(32).toString('base64')}`;

describe('signatures', () => {
  const [old, fresh] = [secret(), secret()];
  const id = '0NvMLqXb8wTkZ3cRy5Ua-12';
  const signed = async (body: string, secrets: string) => {
    const timestamp = Math.floor(Date.now() / 1_000);
    const signature = await signMessage({ id, timestamp, body: utf8(body) }, parseKeys(secrets) ?? []);
    return { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': signature };
  };

  test.each([
    ['standardwebhooks', Standard],
    ['svix', Svix],
  ])('%s takes them, under the new secret and the old one while both sign', async (_, Webhook) => {
    for (const body of ['{"a":1}', '""', '{"name":"größe-名前-🚀"}', `"${'x'.repeat(100_000)}"`]) {
      const headers = await signed(body, `${fresh} ${old}`);
      expect(headers['webhook-signature'].split(' ')).toHaveLength(2);
      for (const known of [fresh, old]) new Webhook(known).verify(body, headers); // it throws where one is wrong
      expect(() => new Webhook(secret()).verify(body, headers)).toThrow();
      expect(() => new Webhook(fresh).verify(`${body} `, headers)).toThrow();
    }
  });

  test('the new secret signs first', async () => {
    const [first] = (await signed('{}', `${fresh} ${old}`))['webhook-signature'].split(' ');
    expect([first]).toEqual([(await signed('{}', fresh))['webhook-signature']]);
  });

  test.each([
    ['no text', undefined],
    ['nothing', ''],
    ['blanks', '  '],
    ['no prefix', randomBytes(32).toString('base64')],
    ['no base64', 'whsec_!!!!'],
    ['base64 cut short', `whsec_${'A'.repeat(33)}`],
    ['base64 of URLs', `whsec_${'-_'.repeat(20)}`],
    ['too few bytes', `whsec_${randomBytes(23).toString('base64')}`],
    ['too many bytes', `whsec_${randomBytes(65).toString('base64')}`],
    ['one good, one bad', `${secret()} whsec_x`],
  ])('%s is no secret', (_, text) => expect(parseKeys(text)).toBeUndefined());

  test('24 to 64 bytes are', () => {
    for (const bytes of [24, 25, 26, 64])
      expect(parseKeys(`whsec_${randomBytes(bytes).toString('base64')}`)).toHaveLength(1);
  });
});

describe('what an answer means', () => {
  const NOW = Date.parse('Fri, 20 Nov 2026 12:00:00 GMT');
  const answer = (status: number, headers: Record<string, string> = {}) => ({ status, headers: new Headers(headers) });
  const asked = (status: number, value: string) => judgeAnswer(answer(status, { 'retry-after': value }), NOW);

  test('only 2xx is done', () => {
    for (let status = 100; status < 600; status++) {
      const { outcome } = judgeAnswer(answer(status), NOW);
      expect([status, outcome]).toEqual([
        status,
        status >= 200 && status < 300 ? 'done' : status === 410 ? 'dead' : 'retry',
      ]);
    }
  });

  test('a marked refusal is final, whatever its status', () => {
    for (const mark of ['disable', 'abort-message']) {
      expect(judgeAnswer(answer(400, { 'webhook-delivery': mark }), NOW).outcome).toBe('dead');
      expect(judgeAnswer(answer(200, { 'webhook-delivery': mark }), NOW).outcome).toBe('done');
    }
    expect(judgeAnswer(answer(400, { 'webhook-delivery': 'later' }), NOW).outcome).toBe('retry');
  });

  test.each([
    [410, {}, 'HTTP 410'],
    [410, { 'webhook-delivery': 'abort-message' }, 'HTTP 410'],
    [400, { 'webhook-delivery': 'disable' }, 'webhook-delivery: disable'],
    [503, { 'webhook-delivery': 'disable' }, 'webhook-delivery: disable'],
    [400, { 'webhook-delivery': 'abort-message' }, undefined],
    [404, {}, undefined],
    [200, { 'webhook-delivery': 'disable' }, undefined],
  ])('%i with %j wants no more at all: %s', (status, headers, disables) => {
    const verdict = judgeAnswer(answer(status, headers as Record<string, string>), NOW);
    expect('disables' in verdict ? verdict.disables : undefined).toBe(disables);
  });

  test('429 and 503 may say when, by seconds or by a date, and no more than an hour', () => {
    expect(asked(429, '30')).toEqual({ outcome: 'retry', afterMs: 30_000 });
    expect(asked(503, 'Fri, 20 Nov 2026 12:00:30 GMT')).toEqual({ outcome: 'retry', afterMs: 30_000 });
    expect(asked(503, 'Fri, 20 Nov 2099 12:00:30 GMT')).toEqual({ outcome: 'retry', afterMs: 3_600_000 });
    expect(asked(500, '30')).toEqual({ outcome: 'retry' });
  });

  test.each([9, 10, 13, 16, 400])('a Retry-After of %i digits asks for the hour, as any that is longer', (digits) => {
    expect(asked(429, '9'.repeat(digits))).toEqual({ outcome: 'retry', afterMs: 3_600_000 });
  });

  test('what all are asked for is spread by up to a tenth, and the hour holds for what comes of it', () => {
    const spread = (afterMs: number, random: number) => spreadAfterMs(afterMs, random);
    expect([spread(30_000, 0), spread(30_000, 0.5)]).toEqual([30_000, 31_500]);
    for (const afterMs of [3_300_000, 3_500_000, 3_600_000])
      for (const random of [0, 0.5, 0.999]) expect(spread(afterMs, random)).toBeLessThanOrEqual(3_600_000);
  });

  test.each([
    '',
    '0',
    '-1',
    '1.5',
    '+5',
    '1e3',
    '0x10',
    'soon',
    '000',
    'Fri, 20 Nov 2026 11:59:59 GMT',
    '2027-01-01',
    'Fri, 99 Nov 2026 12:00:30 GMT',
    '5, 5',
  ])('a Retry-After of %j is none', (value) => {
    expect(retryAfterMs(value, NOW)).toBeUndefined();
    expect(asked(429, value)).toEqual({ outcome: 'retry' });
  });

  test('the destination is to blame for 5xx, 429, silence and broken connections; for other 4xx only the message is', () => {
    expect([500, 503, 599, 429, 'timeout' as const, 'network' as const].map(endpointState)).toEqual(
      Array(6).fill('down'),
    );
    expect([400, 401, 404, 410, 422, 301, 308].map(endpointState)).toEqual(Array(7).fill(undefined));
    expect([200, 202, 204].map(endpointState)).toEqual(Array(3).fill('up'));
  });

  test('people read the status, telling headers and the beginning of the body', () => {
    const failed = answer(429, { 'retry-after': '30', 'content-type': 'text/plain', 'set-cookie': 'a=b' });
    expect(describeAnswer(failed, 'slow\r\n\0 down\u202e')).toBe(
      'HTTP 429 (retry-after: 30; content-type: text/plain): slow down',
    );
    expect(describeAnswer(answer(500), '')).toBe('HTTP 500');
  });
});

describe('headers', () => {
  test.each([
    [
      'the connection',
      'host Content-Length content-encoding transfer-encoding connection te trailer upgrade expect keep-alive http2-settings accept-encoding',
    ],
    ['proxies', 'proxy-authorization Proxy-Connection via max-forwards cdn-loop early-data'],
    [
      'who forwards, and for whom',
      'forwarded X-Forwarded x-forwarded-for X-Forwarded-Host x-forwarded-proto x-forwarded-client-cert x-original-forwarded-for fly-forwarded-port x-vercel-forwarded-for',
    ],
    [
      'who the client is',
      'X-Real-IP true-client-ip x-client-ip x-cluster-client-ip fastly-client-ip fly-client-ip do-connecting-ip x-azure-clientip x-azure-socketip x-remote-ip x-remote-addr x-originating-ip incap-client-ip wl-proxy-client-ip x-nf-client-connection-ip x-envoy-external-address x-envoy-internal cf-connecting-ip CF-Ray cf-worker',
    ],
    [
      'another method, host or path',
      'x-http-method x-http-method-override x-method-override x-original-url X-Original-Host x-original-method x-rewrite-url x-host',
    ],
    ['sessions', 'cookie cookie2'],
    ['signatures and attempts', 'webhook-id Webhook-Signature webhook-delivery svix-id sluice-attempt'],
  ])('that tell of %s are not for callers', (_, names) => {
    const sendable = names.split(' ').filter((name) => isSendable(name, 'x'));
    expect(sendable).toEqual([]);
  });

  test.each(['', ' a', 'a b', 'a:b', 'a\r\nb', 'é', '-a', '_a', 'x'.repeat(129)])('%j is not a name', (name) => {
    expect(isSendable(name, 'x')).toBe(false);
  });

  test.each(['a\r\nb: c', 'a\nb', '\0', 'é', '\x7f', 'x'.repeat(4_097)])('a value of %j is none', (value) => {
    expect(isSendable('x-a', value)).toBe(false);
  });

  test('others are', () => {
    const names =
      'authorization x-api-key X_Y content-type user-agent traceparent idempotency-key date digest signature ' +
      'x-github-event x-shopify-topic x-request-id x-client-id sluice-topic sluice-event x-tip x-descriptor-ip-range';
    expect(names.split(' ').filter((name) => !isSendable(name, 'a b'))).toEqual([]);
  });
});

describe('destinations of queues and messages', () => {
  const choose = (policy: Parameters<typeof definePolicy>[0] | undefined, wanted: unknown) =>
    chooseDestination(policy && definePolicy(policy, 'destination'), wanted as Destination | undefined, 'm.');
  const field = (chosen: object) => ('issue' in chosen ? (chosen.issue as { field: string }).field : chosen);
  const URL_ = 'https://example.com/';

  test('a message names its own where the queue has none, and only there', () => {
    expect(choose(true, URL_)).toEqual({ destination: { url: URL_ } });
    expect(choose({ url: URL_ }, undefined)).toEqual({});
    expect(choose(undefined, undefined)).toEqual({});
    expect(field(choose(true, undefined))).toBe('m.destination');
    expect(field(choose(undefined, URL_))).toBe('m.destination');
    expect(field(choose({ url: URL_ }, URL_))).toBe('m.destination');
    expect(field(choose(true, 'http://example.com/'))).toBe('m.destination');
    expect(field(choose(true, { url: 'https://10.0.0.1/' }))).toBe('m.destination.url');
  });

  test('named secrets have to be named, and known', () => {
    const named = { secrets: { acme: ['ACME'] } };
    expect(choose(named, { url: URL_, secret: 'acme' })).toEqual({ destination: { url: URL_, secret: 'acme' } });
    for (const secret of [undefined, 'other', '__proto__', 'constructor', '']) {
      expect(field(choose(named, { url: URL_, secret }))).toBe('m.destination.secret');
    }
    expect(field(choose({ secrets: ['A'] }, { url: URL_, secret: 'A' }))).toBe('m.destination.secret');
  });

  test.each([
    [{ url: URL_, method: 'GET' }],
    [{ url: URL_, headers: { host: 'inside' } }],
    [{ url: URL_, headers: { 'x-a': 'a\r\nhost: b' } }],
    [{ url: URL_, timeout: 0 }],
    [{ url: URL_, timeout: 'soon' }],
    [{ url: URL_, redirect: 'follow' }],
    [{ method: 'POST' }],
    [[URL_]],
    [7],
  ])('%j is none', (destination) => expect(Destination.safeParse(destination).success).toBe(false));

  test('a group for each origin, short enough', async () => {
    expect(await deriveGroup({ url: 'https://example.com/a?b' }, 128)).toBe('https://example.com');
    const long = `https://${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.com/`;
    expect((await deriveGroup({ url: long }, 128)).length).toBeLessThan(128);
  });

  test.each([
    ['nowhere to send them', { headers: { 'x-key': 'k' } }],
    ['no list', { headers: { 'x-key': 'k' }, headersFor: 'https://api.example.com' }],
    ['a list of none', { headers: { 'x-key': 'k' }, headersFor: [] }],
    ['a list beside an url of its own', { url: URL_, headers: { 'x-key': 'k' }, headersFor: ['https://example.com'] }],
    ['a host', { headers: { 'x-key': 'k' }, headersFor: ['api.example.com'] }],
    ['a path', { headers: { 'x-key': 'k' }, headersFor: ['https://api.example.com/hooks'] }],
    ['a query', { headers: { 'x-key': 'k' }, headersFor: ['https://api.example.com?a'] }],
    ['a password', { headers: { 'x-key': 'k' }, headersFor: ['https://a:b@api.example.com'] }],
    ['all below a name', { headers: { 'x-key': 'k' }, headersFor: ['https://*.example.com'] }],
    ['no origin', { headers: { 'x-key': 'k' }, headersFor: ['data:,x'] }],
    ['one good, one bad', { headers: { 'x-key': 'k' }, headersFor: ['https://a.example.com', 'ftp://b.example.com'] }],
  ])("a queue's headers with %s are refused at its definition", (_, options) => {
    expect(() => defineQueue('a', { destination: options as { url: string } })).toThrow(/destination of queue "a"/);
  });

  test('they are for origins, however these are written', () => {
    const origins = ['https://API.example.com', 'https://b.example.com:443/', 'https://c.example.com:8443'];
    const { headersFor } = definePolicy({ headers: { 'x-key': 'k' }, headersFor: origins }, 'destination');
    expect(headersFor).toEqual(['https://api.example.com', 'https://b.example.com', 'https://c.example.com:8443']);
  });

  test('a queue with both a handler and a destination, or a policy that makes no sense, is refused', () => {
    expect(() => defineQueue('a', { destination: true, handler: () => {} })).toThrow(RangeError);
    expect(() => defineQueue('a', { destination: { headers: { host: 'x' } } })).toThrow(RangeError);
    expect(() => defineQueue('a', { destination: { method: 'GET' as 'POST' } })).toThrow(RangeError);
    expect(() => defineQueue('a', { destination: { url: URL_, secrets: { a: ['A'] } } })).toThrow(RangeError);
    expect(defineQueue('a', { destination: true })).toMatchObject({ pool: '*', attempts: 10 });
  });

  test('deliveries are tried for three days', () => {
    const { backoff, attempts } = defineQueue('a', { destination: true });
    const waits = Array.from({ length: attempts - 1 }, (_, i) => backoff.waitMs(i + 1, 0));
    expect(waits[0]).toBe(5_000);
    expect(waits.reduce((sum, wait) => sum + wait, 0) / 3_600_000).toBeGreaterThan(72);
    expect(steps('1s', '2s').waitMs(9, 0.5)).toBe(2_200);
  });
});
