// Signatures: every published vector holds, and none survives a change of one byte, or of the clock.
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRaw, toRaw } from '../../src/message/raw.ts';
import * as providers from '../../src/webhooks/providers.ts';
import type { Scheme, SignatureScheme } from '../../src/webhooks/scheme.ts';
import { verify } from '../../src/webhooks/verify.ts';
import { providerOf, SENDERS } from './senders.ts';

interface Vector {
  id: string;
  provider: string;
  secret?: string;
  publicKey?: string;
  now?: number;
  url?: string;
  headers: Record<string, string>;
  body: string;
  expect: 'accept' | 'reject';
  config?: { header: string; hash: SignatureScheme['algorithm']; encoding: 'hex' | 'base64'; content: string } & {
    itemSeparator?: string;
    timestamp?: string;
    signature?: string;
  };
}

const { vectors, primitives } = JSON.parse(readFileSync('test/webhooks/vectors.json', 'utf8')) as {
  vectors: Vector[];
  primitives: { id: string; key?: string; publicKey?: string; message: string; result: string }[];
};

interface Request {
  schemes: readonly Scheme[];
  headers: Record<string, string>;
  bytes: Uint8Array;
  secrets: string[];
  url: string;
  search: string;
  nowS: number;
}

async function verdict({ schemes, headers, bytes, secrets, url, search, nowS }: Request): Promise<string> {
  const body = () => parseRaw(toRaw(bytes, headers['content-type'] ?? ''));
  const arrived = {
    headers: new Headers(headers),
    bytes: Uint8Array.from(bytes),
    body,
    url,
    search,
    nowMs: nowS * 1_000,
  };
  const given = await verify(schemes, arrived, secrets);
  return 'reason' in given ? given.reason : 'accept';
}

/** @param name as vectors and reports say it */
function schemesNamed(name: string): readonly Scheme[] {
  const provider = Object.values(providers).find((one) => one.name === name);
  if (!provider) throw new Error(`there is no provider ${name}`);
  return provider.schemes;
}

function schemesOf({ provider, config }: Vector): readonly Scheme[] {
  if (!config) return schemesNamed(provider);
  const { header, hash = 'SHA-256', encoding, content, itemSeparator, timestamp, signature } = config;
  const list = itemSeparator ? { separator: itemSeparator, mark: `${signature}=` } : {};
  const time = timestamp ? { time: { item: `${timestamp}=`, toleranceS: 300 } } : {};
  return [
    {
      signature: header,
      algorithm: hash,
      encoding,
      content: content.replace('{timestamp}', '{time}'),
      ...list,
      ...time,
    },
  ];
}

function requestOf(vector: Vector): Request {
  const { secret, publicKey, url = '', headers, body, now = 0 } = vector;
  const search = url === '' ? '' : new URL(url).search;
  const secrets = [secret ?? publicKey ?? ''];
  return { schemes: schemesOf(vector), headers, bytes: Buffer.from(body), secrets, url, search, nowS: now };
}

const accepted = vectors.filter((vector) => vector.expect === 'accept');
const NOW_S = 1_795_000_000;

/** Of each sender one request, as it would be verified. */
const signed: [string, Request][] = await Promise.all(
  Object.entries(SENDERS).map(async ([name, { secret, url = '', sign }]): Promise<[string, Request]> => {
    const { headers, body, search = '' } = await sign(1, NOW_S);
    const schemes = schemesNamed(providerOf(name));
    return [name, { schemes, headers, bytes: Buffer.from(body), secrets: [secret], url, search, nowS: NOW_S }];
  }),
);
const all: [string, Request][] = [
  ...accepted.map((vector): [string, Request] => [vector.id, requestOf(vector)]),
  ...signed,
];

/** Headers whose text the scheme reads as a proof. */
function proofs(schemes: readonly Scheme[]): string[] {
  return schemes.flatMap((scheme) => {
    if (typeof scheme === 'function') return [];
    if (!('signature' in scheme)) return [scheme.header];
    return [scheme.signature, scheme.id, scheme.time?.header].filter((header) => header !== undefined);
  });
}

test.each(vectors)('$id: $expect', async (vector) => {
  const given = await verdict(requestOf(vector));
  expect(given === 'accept' ? 'accept' : 'reject').toBe(vector.expect);
});

test('there are vectors of each provider that publishes some', () => {
  expect(vectors.length).toBeGreaterThan(30);
  expect(primitives.length).toBeGreaterThan(3);
});

test.each(primitives.filter(({ key, publicKey }) => key ?? publicKey))(
  'the primitive $id',
  async ({ key, publicKey, message, result }) => {
    const scheme = { signature: 'x', ...(publicKey ? { algorithm: 'Ed25519', key: 'hex' } : {}) } as SignatureScheme;
    const rest = { bytes: Buffer.from(message), secrets: [key ?? publicKey ?? ''], url: '', search: '', nowS: 0 };
    expect(await verdict({ schemes: [scheme], headers: { x: result }, ...rest })).toBe('accept');
    expect(
      await verdict({ schemes: [scheme], headers: { x: result }, ...rest, bytes: Buffer.from(`${message}.`) }),
    ).toBe('signature');
  },
);

test.each(signed)('a request that %s signed: accept', async (_, request) => {
  expect(await verdict(request)).toBe('accept');
});

/** Twilio signs a form's fields, not its bytes: another spelling of the same fields is the same. */
function saysTheSame(request: Request, bytes: Uint8Array): boolean {
  const fields = (body: Uint8Array) =>
    [...new Set(Array.from(new URLSearchParams(Buffer.from(body).toString()), (pair) => JSON.stringify(pair)))]
      .toSorted()
      .join();
  const isForm = request.headers['content-type']?.includes('form') && 'x-twilio-signature' in request.headers;
  return Boolean(isForm) && concatenated(fields(request.bytes)) === concatenated(fields(bytes));
}
const concatenated = (fields: string) => fields.replace(/[",[\]]/g, ''); // nor where a name ends and its value begins

/** The name of an authentication scheme is one in any case. */
function namesTheSame(text: string, changed: string): boolean {
  const [scheme, changedScheme] = [text, changed].map((value) => /^(?:bearer|basic) /i.exec(value)?.[0].toLowerCase());
  return scheme !== undefined && scheme === changedScheme && text.slice(scheme.length) === changed.slice(scheme.length);
}

/** In a list with one signature that is right, the others may be anything. */
const several = all.filter(([name]) => /several|rotation|one-of-two/.test(name));
const single = all.filter((one) => !several.includes(one));
const provesBody = ([name]: [string, Request]) => !['gitlab-token', 'bearer', 'basic'].includes(name);

describe('one byte changed', () => {
  test.each(all.filter(provesBody))('%s: of the body, each position', async (_, request) => {
    for (let at = 0; at < request.bytes.length; at++) {
      const bytes = Uint8Array.from(request.bytes);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      if (saysTheSame(request, bytes)) continue;
      expect([at, await verdict({ ...request, bytes })]).toEqual([at, 'signature']);
    }
    expect(await verdict({ ...request, bytes: Buffer.concat([request.bytes, Buffer.from('\n')]) })).toBe('signature');
    expect(await verdict({ ...request, bytes: request.bytes.subarray(1) })).toBe('signature');
  });

  test.each(single)('%s: of what proves it, each position', async (_, request) => {
    const given = proofs(request.schemes).filter((header) => header in request.headers);
    expect(given.length).toBeGreaterThan(0);
    for (const header of given) {
      const text = request.headers[header] ?? '';
      for (let at = 0; at < text.length; at++) {
        const changed = `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`;
        const headers = { ...request.headers, [header]: changed };
        if (namesTheSame(text, changed)) continue;
        expect([header, at, await verdict({ ...request, headers })]).toEqual([header, at, 'signature']);
      }
      const { [header]: _, ...without } = request.headers;
      expect(await verdict({ ...request, headers: without })).toBe('signature');
      expect(await verdict({ ...request, headers: { ...request.headers, [header]: `${text}, ${text}` } })).toBe(
        'signature',
      );
      expect(await verdict({ ...request, headers: { ...request.headers, [header]: '' } })).toBe('signature');
    }
  });

  test.each(several)('%s: what is left in the list when the right one is taken out', async (_, request) => {
    const [name = ''] = proofs(request.schemes).filter((header) => header in request.headers);
    const [separator] = /[ ;]|,(?=v1=)/.exec(request.headers[name] ?? '') ?? [''];
    const items = (request.headers[name] ?? '').split(separator);
    const without = await Promise.all(
      items.map((_, at) =>
        verdict({
          ...request,
          headers: { ...request.headers, [name]: items.filter((_, i) => i !== at).join(separator) },
        }),
      ),
    );
    expect(new Set(without)).toEqual(new Set(['accept', 'signature']));
  });
});

describe('by the clock', () => {
  const timed = all.filter(([, { schemes }]) => schemes.some((scheme) => 'time' in scheme));
  const toleranceOf = ({ schemes }: Request) =>
    Math.max(...schemes.map((scheme) => ('time' in scheme ? (scheme.time?.toleranceS ?? 0) : 0)));

  test('most providers sign an instant', () => {
    expect(timed.length).toBeGreaterThan(12);
  });

  test.each(timed)('%s: within its tolerance, both ways, and no second more', async (_, request) => {
    const tolerance = toleranceOf(request);
    const at = (seconds: number) => verdict({ ...request, nowS: request.nowS + seconds });
    expect(await Promise.all([-tolerance, 0, tolerance].map(at))).toEqual(['accept', 'accept', 'accept']);
    expect(await Promise.all([-tolerance - 1, tolerance + 1, 1e9].map(at))).toEqual(Array(3).fill('timestamp'));
  });

  const iso = (text: string, nowS: number, place: 'header' | 'body' = 'header') => {
    const time = place === 'header' ? { header: 't' } : { body: 'at' };
    const scheme: SignatureScheme = {
      signature: 's',
      time: { ...time, unit: 'iso', toleranceS: 300 },
      content: '{time}.{body}',
    };
    const body = JSON.stringify({ at: text });
    const content = `${place === 'header' ? text : ''}.${body}`;
    const headers = { t: text, s: createHmac('sha256', 'k').update(content).digest('hex') };
    return verdict({ schemes: [scheme], headers, bytes: Buffer.from(body), secrets: ['k'], url: '', search: '', nowS });
  };
  const atS = Date.parse('2026-11-20T12:00:00Z') / 1_000;

  test.each([
    '2026-11-20T12:00:00Z',
    '2026-11-20T12:00:00.1Z',
    '2026-11-20T12:00:00.123456789Z',
    '2026-11-20T13:30:00+01:30',
    '2026-11-20T04:00:00.000-08:00',
  ])('an instant in ISO 8601, in a header or in the body: %s', async (text) => {
    for (const place of ['header', 'body'] as const) {
      expect(await iso(text, atS, place)).toBe('accept');
      expect(await iso(text, atS + 299, place)).toBe('accept');
      expect(await iso(text, atS + 302, place)).toBe('timestamp');
      expect(await iso(text, atS - 302, place)).toBe('timestamp');
    }
  });

  test.each([
    '2026-11-20',
    '2026-11-20T12:00:00',
    '1795176000',
    '+002026-11-20T12:00:00Z',
    '2026-13-20T12:00:00Z',
    'now',
  ])('what is no instant in ISO 8601: %s', async (text) => {
    for (const place of ['header', 'body'] as const) expect(await iso(text, atS, place)).not.toBe('accept');
  });

  test('an instant that is no number is no signature, even a signed one', async () => {
    const scheme: SignatureScheme = {
      signature: 's',
      time: { header: 't', toleranceS: 300 },
      content: '{time}.{body}',
    };
    for (const t of ['1e3', '0x10', '-5', '5.0', 'NaN', '', '9'.repeat(16)]) {
      const headers = { t, s: createHmac('sha256', 'k').update(`${t.trim()}.{}`).digest('hex') };
      const rest = { bytes: Buffer.from('{}'), secrets: ['k'], url: '', search: '', nowS: 5 };
      expect([t, await verdict({ schemes: [scheme], headers, ...rest })]).not.toEqual([t, 'accept']);
    }
  });
});

test('random changes of random bits, and random headers, are never accepted and never throw', async () => {
  const flips = fc.record({ which: fc.nat(single.length - 1), place: fc.nat(), bit: fc.nat(7), header: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(flips, async ({ which, place, bit, header }) => {
      const [name, request] = single[which] as [string, Request];
      if (header || !provesBody([name, request])) {
        const names = proofs(request.schemes).filter((proof) => proof in request.headers);
        const proof = names[place % names.length] ?? '';
        const text = Buffer.from(request.headers[proof] ?? '');
        const at = place % text.length;
        text[at] = (text[at] ?? 0) ^ (1 << bit);
        const value = text.toString('latin1');
        if (/[^\x21-\x7e\x80-\xff]/.test(value)) return; // no header can hold it
        if (namesTheSame(request.headers[proof] ?? '', value)) return;
        const given = await verdict({ ...request, headers: { ...request.headers, [proof]: value } });
        expect([name, proof, at, given]).toEqual([name, proof, at, 'signature']);
        return;
      }
      const bytes = Uint8Array.from(request.bytes);
      const at = place % bytes.length;
      bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      if (!saysTheSame(request, bytes))
        expect([name, at, await verdict({ ...request, bytes })]).toEqual([name, at, 'signature']);
    }),
    { numRuns: 1_500 },
  );
  const junk = fc.record({
    value: fc.string({ unit: fc.constantFrom(...'v10=,;t s.+/ABab09 '), maxLength: 200 }),
    which: fc.nat(all.length - 1),
  });
  await fc.assert(
    fc.asyncProperty(junk, async ({ value, which }) => {
      const [, request] = all[which] as [string, Request];
      const headers = Object.fromEntries(Object.keys(request.headers).map((header) => [header, value]));
      expect(await verdict({ ...request, headers })).toBe('signature');
    }),
    { numRuns: 500 },
  );
});

describe('secrets', () => {
  const github = signed.find(([name]) => name === 'github')?.[1] as Request;

  test('any of four may hold, in any place; a fifth is for the reader of the setting to leave out', async () => {
    for (let place = 0; place < 4; place++) {
      const secrets = Array.from({ length: 4 }, (_, i) => (i === place ? (github.secrets[0] ?? '') : `other-${i}`));
      expect(await verdict({ ...github, secrets })).toBe('accept');
    }
    expect(await verdict({ ...github, secrets: ['other'] })).toBe('signature');
    expect(await verdict({ ...github, secrets: [] })).toBe('signature');
  });

  test("the right signature of another provider's key, or of an empty one, is refused", async () => {
    const headers = { 'x-hub-signature-256': `sha256=${createHmac('sha256', '').update(github.bytes).digest('hex')}` };
    expect(await verdict({ ...github, headers, secrets: [''] })).toBe('signature');
    for (const [name, request] of signed) {
      expect([name, await verdict({ ...request, secrets: ['somebody else’s'] })]).toEqual([name, 'signature']);
    }
  });

  test('a public key never serves as a shared secret', async () => {
    const [, request] = signed.find(([name]) => name === 'standard-webhooks-ed25519') as [string, Request];
    const [secret = ''] = request.secrets;
    const id = request.headers['webhook-id'];
    const content = `${id}.${NOW_S}.${Buffer.from(request.bytes).toString()}`;
    for (const key of [Buffer.from(secret.slice(5), 'base64'), Buffer.from(secret)]) {
      const forged = `v1,${createHmac('sha256', key).update(content).digest('base64')}`;
      expect(await verdict({ ...request, headers: { ...request.headers, 'webhook-signature': forged } })).toBe(
        'signature',
      );
    }
  });

  test('the families of Standard Webhooks are not mixed', async () => {
    const [, svix] = signed.find(([name]) => name === 'svix') as [string, Request];
    const { 'svix-id': id = '', ...rest } = svix.headers;
    expect(await verdict({ ...svix, headers: { ...rest, 'webhook-id': id } })).toBe('signature');
  });

  test('an id with a dot, which would shift what is signed, is refused', async () => {
    const [, request] = signed.find(([name]) => name === 'standard-webhooks') as [string, Request];
    const [secret = ''] = request.secrets;
    const key = Buffer.from(secret.slice(6), 'base64');
    const signature = `v1,${createHmac('sha256', key).update(`a.b.${NOW_S}.{}`).digest('base64')}`;
    const headers = { 'webhook-id': 'a.b', 'webhook-timestamp': String(NOW_S), 'webhook-signature': signature };
    expect(await verdict({ ...request, headers, bytes: Buffer.from('{}') })).toBe('signature');
  });
});

describe('your own function', () => {
  const request: Request = {
    schemes: [],
    headers: {},
    bytes: Buffer.from('{}'),
    secrets: ['k'],
    url: '',
    search: '',
    nowS: 0,
  };

  test.each([
    ['says yes', () => true, 'accept'],
    ['says yes later, with an id', async () => ({ id: 'a' }), 'accept'],
    ['says no', () => false, 'signature'],
    [
      'throws',
      () => {
        throw new Error('no');
      },
      'signature',
    ],
    ['rejects', () => Promise.reject(new Error('no')), 'signature'],
    ['says something else', () => 1 as unknown as boolean, 'signature'],
  ])('it %s', async (_, custom, given) => {
    expect(await verdict({ ...request, schemes: [custom] })).toBe(given);
  });
});
