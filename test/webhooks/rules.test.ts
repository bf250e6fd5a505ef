// Rules of sources that need no request: which secrets hold, what a definition may say, what a raw body says.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createSluice, defineQueue, defineSource, type SourceOptions } from '../../src/index.ts';
import { parseRaw, rawBytes, toRaw } from '../../src/message/raw.ts';
import * as providers from '../../src/webhooks/providers.ts';
import { readSecrets } from '../../src/webhooks/secrets.ts';

const NOW = Date.parse('2026-11-20T12:00:00Z');
const list = (...entries: unknown[]) => JSON.stringify(entries);

test.each<[string, unknown, string[]]>([
  ['one', 'whsec_abc=', ['whsec_abc=']],
  ['several, with commas', ' new ,old, ', ['new', 'old']],
  ['a list', list('a,b', 'c'), ['a,b', 'c']],
  [
    'a list with ends',
    list(
      { secret: 'on', expires: '2026-11-20T12:00:01Z' },
      { secret: 'over', expires: '2026-11-20T12:00:00Z' },
      { secret: 'always' },
    ),
    ['on', 'always'],
  ],
  ['the first four', 'a,b,c,d,e', ['a', 'b', 'c', 'd']],
  ['nothing', undefined, []],
  ['an empty text', '', []],
  ['only commas', ' , ,', []],
  ['a binding that is no text', { get: () => 'x' }, []],
  ['JSON that is broken', '["a"', []],
  ['an empty secret in a list', list('a', ''), []],
  ['an end that is no instant', list({ secret: 'a', expires: 'tomorrow' }), []],
  ['a field that there is not', list({ secret: 'a', expire: '2026-11-20T12:00:01Z' }), []],
])('secrets: %s', (_, setting, secrets) => {
  expect(readSecrets(setting, NOW)).toEqual(secrets);
});

describe('a definition', () => {
  const queue = defineQueue('q', { kind: 'pull' });
  const github: SourceOptions = { provider: providers.github, secret: 'SECRET', route: queue };

  test.each<[string, string, Partial<SourceOptions>, RegExp]>([
    ['a name that no URL should have', 'a/b', {}, /name must match/],
    ['a provider that there is not', 'a', { provider: 'hooli' as never }, /no provider "hooli"/],
    ['a member of all objects', 'a', { provider: 'constructor' as never }, /no provider/],
    ['no secret', 'a', { secret: '' }, /secret/],
    ['a signed URL that is not known', 'a', { provider: providers.square }, /url/],
    ['a subscription without its token', 'a', { provider: providers.meta }, /verifyToken/],
    ['more bytes than a message may have', 'a', { maxBytes: 262_145 }, /maxBytes/],
    ['no bytes', 'a', { maxBytes: 0 }, /maxBytes/],
    ['to keep cookies', 'a', { headers: ['Cookie'] }, /cookie/],
    ['to keep the signature', 'a', { headers: ['X-Hub-Signature-256'] }, /signature/],
    ['to keep what is no header', 'a', { headers: ['a b'] }, /a b/],
    ['a window that is none', 'a', { dedup: { window: 'soon' } }, /dedup.window/],
    [
      'a window below the tolerance',
      'a',
      { provider: providers.stripe, dedup: { window: 299_999 } },
      /dedup.window .* 300 s/,
    ],
    ['a tolerance above the window', 'a', { provider: providers.stripe, tolerance: '4d' }, /dedup.window .* 345600 s/],
    ['a tolerance that is none', 'a', { provider: providers.stripe, tolerance: 'long' }, /tolerance/],
    ['a tolerance of nothing', 'a', { provider: providers.stripe, tolerance: 0 }, /tolerance/],
    ['a tolerance where no instant is signed', 'a', { tolerance: '5m' }, /tolerance/],
    ['a method that asks nothing', 'a', { handshake: { method: 'PUT' as 'GET' } }, /handshake.method/],
    ['a token without its binding', 'a', { handshake: { token: '?token' } }, /verifyToken/],
    [
      'an HMAC without a secret',
      'a',
      { provider: providers.none, secret: '', handshake: { hmac: 'hex' } },
      /handshake.hmac/,
    ],
    ['an answer that no header can be', 'a', { handshake: { headers: { 'a b': '' } } }, /handshake.headers/],
    [
      'a queue that needs a destination of each message',
      'a',
      { route: defineQueue('out', { destination: true }) },
      /destination/,
    ],
  ])('refuses %s, and says so', (_, name, options, said) => {
    expect(() => defineSource(name, { ...github, ...options } as SourceOptions)).toThrow(said);
  });

  test('knows a delivery at least as long as it is fresh, unless it is told to know none', () => {
    const source = (options: Partial<SourceOptions>) =>
      defineSource('a', { ...github, provider: providers.stripe, ...options } as SourceOptions);
    expect(source({ dedup: { window: '5m' } }).windowMs).toBe(300_000);
    expect(source({ dedup: { window: 0 } }).windowMs).toBe(0);
    const { schemes, windowMs } = source({ tolerance: '2d' });
    expect([schemes, windowMs]).toMatchObject([[{ time: { toleranceS: 172_800 } }], 259_200_000]);
  });

  test('is refused by a deployment where its name is taken, or its queue is not there', () => {
    const source = defineSource('a', github);
    expect(() => createSluice({ queues: [queue], sources: [source, source] })).toThrow(/two sources/);
    expect(() => createSluice({ queues: [defineQueue('other', { kind: 'pull' })], sources: [source] })).toThrow(
      /queue of source a/,
    );
    expect(() => createSluice({ queues: [queue], sources: [source] })).not.toThrow();
  });
});

test('any bytes come back as they were, through JSON too, and parsing them never throws', () => {
  const types = fc.constantFrom(
    '',
    'application/json',
    'application/x-www-form-urlencoded',
    'text/plain',
    'x'.repeat(300),
  );
  const some = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.json().map((text) => new TextEncoder().encode(text)),
  );
  fc.assert(
    fc.property(some, types, fc.boolean(), (bytes, type, marked) => {
      const given = marked ? Uint8Array.from([0xef, 0xbb, 0xbf, ...bytes]) : bytes;
      const raw = JSON.parse(JSON.stringify(toRaw(given, type))) as ReturnType<typeof toRaw>;
      expect(Buffer.from(rawBytes(raw))).toEqual(Buffer.from(given));
      expect(JSON.stringify(parseRaw(raw))).toBeTypeOf('string');
    }),
    { numRuns: 500 },
  );
});
