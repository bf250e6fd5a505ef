// The shards of a deployment in its settings: a list of databases, its continuations, and the tags of a cluster.
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config/config.ts';

const TOKENS = { TOKEN_A: 'hunter2-a', TOKEN_B: 'hunter2-b', TOKEN_C: 'hunter2-c' };
const A = { name: 'a', url: 'https://a.example', secret: 'TOKEN_A' };
const B = { name: 'b', url: 'https://b.example', secret: 'TOKEN_B', weight: 2 };
const C = { name: 'c', url: 'https://c.example', secret: 'TOKEN_C', state: 'joining' };
const read = (settings: object) => readConfig({ ...TOKENS, ...settings });
const listOf = (...entries: unknown[]) => ({ SLUICE_SHARDS: JSON.stringify(entries) });
const namesIn = (settings: object) => read(settings).SLUICE_SHARDS.map(({ name }) => name);

describe('one database', () => {
  const database = { UPSTASH_REDIS_REST_URL: 'https://only.example', UPSTASH_REDIS_REST_TOKEN: 'only' };
  const main = { name: 'main', url: 'https://only.example', token: 'only', weight: 1, state: 'active' };

  test.each([
    ['is the shard main', database, 'sluice'],
    ['has the keys of its prefix', { ...database, SLUICE_PREFIX: 'p' }, 'p'],
    ['is the only one where the list is empty', { ...database, SLUICE_SHARDS: '' }, 'sluice'],
    [
      'may be named as Vercel names it',
      { KV_REST_API_URL: 'https://only.example', KV_REST_API_TOKEN: 'only' },
      'sluice',
    ],
  ])('%s', (_, settings, prefix) => expect(read(settings).SLUICE_SHARDS).toEqual([{ ...main, prefix }]));

  test('what is wrong with it is said once', () => {
    const bad = () => read({ UPSTASH_REDIS_REST_URL: 'ftp://only.example', SLUICE_PREFIX: '}' });
    const [url, token, prefix] = ['an http or https URL', 'the token of the database, none of it a blank', '1 to 64'];
    const faults = `UPSTASH_REDIS_REST_URL: must be ${url}; UPSTASH_REDIS_REST_TOKEN: must be ${token}; SLUICE_PREFIX: must be ${prefix} `;
    expect(bad).toThrow(faults);
    expect(bad).not.toThrow(/(PREFIX|URL): .*\1: /);
  });
});

describe('a list', () => {
  test('has the tokens of its bindings, and standards', () => {
    const of = { prefix: 'p', weight: 1, state: 'active' };
    expect(read({ ...listOf(A, B, C), SLUICE_PREFIX: 'p' }).SLUICE_SHARDS).toEqual([
      { ...of, name: 'a', url: 'https://a.example', token: 'hunter2-a' },
      { ...of, name: 'b', url: 'https://b.example', token: 'hunter2-b', weight: 2 },
      { ...of, name: 'c', url: 'https://c.example', token: 'hunter2-c', state: 'joining' },
    ]);
  });

  test('gives the two settings of one database the first of it', () => {
    const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = read(listOf(B, A));
    expect([url, token]).toEqual(['https://b.example', 'hunter2-b']);
  });

  test('may be JSON by itself, as a variable of wrangler.toml is', () => {
    expect(namesIn({ SLUICE_SHARDS: [A, B] })).toEqual(['a', 'b']);
  });

  test('goes on in settings that are numbered, ten behind nine', () => {
    const rest = Array.from({ length: 9 }, (_, place) => [
      `SLUICE_SHARDS_${place + 2}`,
      JSON.stringify([{ ...A, name: `n${place + 2}`, url: `https://n${place + 2}.example` }]),
    ]);
    const settings = { ...Object.fromEntries(rest.toReversed()), ...listOf(A, B) };
    expect(namesIn(settings)).toEqual(['a', 'b', 'n2', 'n3', 'n4', 'n5', 'n6', 'n7', 'n8', 'n9', 'n10']);
  });

  test.each([
    ['as it is listed', 'https://c.example'],
    ['however it is written', 'https://C.example:443/'],
  ])('has the database first that is set beside it, %s', (_, url) => {
    const { SLUICE_SHARDS: shards, ...config } = read({ ...listOf(A, B, C), UPSTASH_REDIS_REST_URL: url });
    expect(shards.map(({ name }) => name)).toEqual(['c', 'a', 'b']);
    expect([config.UPSTASH_REDIS_REST_URL, config.UPSTASH_REDIS_REST_TOKEN]).toEqual([
      'https://c.example',
      'hunter2-c',
    ]);
  });

  test('may name the tokens that a platform has set', () => {
    const settings = { KV_REST_API_URL: 'https://b.example', KV_REST_API_TOKEN: 'hunter2-kv' };
    const shards = read({ ...settings, ...listOf(A, { ...B, secret: 'KV_REST_API_TOKEN' }) }).SLUICE_SHARDS;
    expect(shards.map(({ name, token }) => [name, token])).toEqual([
      ['b', 'hunter2-kv'],
      ['a', 'hunter2-a'],
    ]);
  });
});

describe('a cluster', () => {
  const cluster = { url: 'https://redis.example', secret: 'TOKEN_A', tags: 3 };

  test('is a shard for each of its tags, all behind one URL', () => {
    const shards = read({ SLUICE_SHARDS: JSON.stringify(cluster), SLUICE_PREFIX: 'p' }).SLUICE_SHARDS;
    expect(shards.map(({ name }) => name)).toEqual(['t0', 't1', 't2']);
    expect(new Set(shards.map(({ prefix }) => prefix)).size).toBe(3);
    for (const { prefix } of shards) expect(prefix).toMatch(/^p\b[\w.-]{1,63}$/);
    for (const shard of shards)
      expect(shard).toMatchObject({ url: cluster.url, token: 'hunter2-a', weight: 1, state: 'active' });
  });

  test.each([0, 65, 1.5, '3'])('has no %j tags', (tags) => {
    expect(() => read({ SLUICE_SHARDS: { ...cluster, tags } })).toThrow(
      /^SLUICE_SHARDS\.tags: must be a whole number from 1 to 64$/,
    );
  });
});

describe('what is wrong', () => {
  const more = { SLUICE_SHARDS_2: JSON.stringify([C]) };
  const many = Array.from({ length: 65 }, (_, place) => ({
    ...A,
    name: `n${place}`,
    url: `https://n${place}.example`,
  }));
  test.each<[string, object, RegExp]>([
    ['no JSON', { SLUICE_SHARDS: 'hunter2' }, /^SLUICE_SHARDS: must be JSON$/],
    ['an empty list', listOf(), /^SLUICE_SHARDS: must be a list of 1 to 64 shards$/],
    ['too many', listOf(...many), /^SLUICE_SHARDS: must be a list of 1 to 64 shards$/],
    ['a number', { SLUICE_SHARDS: '7' }, /^SLUICE_SHARDS: must be a JSON object$/],
    ['an entry that is none', listOf(A, 'hunter2'), /^SLUICE_SHARDS\.1: must be a JSON object$/],
    ['a field too many', listOf({ ...A, token: 'hunter2' }), /^SLUICE_SHARDS\.0: must be an object of name, url, /],
    ['no name', listOf({ ...A, name: undefined }), /^SLUICE_SHARDS\.0\.name: must be 1 to 32 of a-z/],
    ['a name in capitals', listOf({ ...A, name: 'HUNTER2' }), /^SLUICE_SHARDS\.0\.name: must/],
    ['no URL', listOf({ ...A, url: 'hunter2' }), /^SLUICE_SHARDS\.0\.url: must be an http or https URL$/],
    ['the token in place of its name', listOf({ ...A, secret: 'hunter2-a' }), /^SLUICE_SHARDS\.0\.secret: must be the/],
    ['a token that is not set', listOf({ ...A, secret: 'TOKEN_D' }), /^SLUICE_SHARDS\.0\.secret: must be .* is set/],
    ['what each object has', listOf({ ...A, secret: 'constructor' }), /^SLUICE_SHARDS\.0\.secret: must be .* is set/],
    ['a token with a blank', { ...listOf(A), TOKEN_A: 'hunter2 ' }, /^SLUICE_SHARDS\.0\.secret: must be .* is set/],
    ['no weight', listOf({ ...A, weight: 0 }), /^SLUICE_SHARDS\.0\.weight: must be a number from 0.01 to 100$/],
    ['a weight that is text', listOf({ ...A, weight: '2' }), /^SLUICE_SHARDS\.0\.weight: must/],
    ['another state', listOf({ ...A, state: 'gone' }), /^SLUICE_SHARDS\.0\.state: must be active or joining$/],
    ['none active', listOf(C), /^SLUICE_SHARDS: must be a list with an active shard$/],
    ['a name twice', listOf(A, { ...B, name: 'a' }), /^SLUICE_SHARDS\.1\.name: must be a name of its own/],
    ['a name twice in two settings', { ...listOf(A, { ...B, name: 'c' }), ...more }, /^SLUICE_SHARDS_2\.0\.name: must/],
    [
      'a database twice',
      listOf(A, { ...B, url: `${A.url}/` }),
      /^SLUICE_SHARDS\.1\.url: must be a database of its own/,
    ],
    [
      'all of it',
      listOf({ ...A, name: '', weight: -1 }, { ...B, url: 'hunter2' }),
      /0\.name: .*; SLUICE_SHARDS\.0\.weight: .*; SLUICE_SHARDS\.1\.url: /,
    ],
    [
      'a continuation of nothing',
      { ...more, UPSTASH_REDIS_REST_URL: A.url, UPSTASH_REDIS_REST_TOKEN: 'hunter2' },
      /^SLUICE_SHARDS_2: must be left out/,
    ],
    ['a continuation left out', { ...listOf(A), SLUICE_SHARDS_3: '[]' }, /^SLUICE_SHARDS_3: must be SLUICE_SHARDS_2: /],
    [
      'a continuation without a number',
      { ...listOf(A), SLUICE_SHARDS_X: '[]' },
      /^SLUICE_SHARDS_X: must be SLUICE_SHARDS_2/,
    ],
    [
      'a continuation that is no list',
      { ...listOf(A), SLUICE_SHARDS_2: '{}' },
      /^SLUICE_SHARDS_2: must be a JSON array$/,
    ],
    [
      'a continuation of a cluster',
      { SLUICE_SHARDS: { url: A.url, secret: 'TOKEN_A', tags: 2 }, ...more },
      /^SLUICE_SHARDS_2: must be left out/,
    ],
    [
      'a database beside the list that is not in it',
      { ...listOf(A), UPSTASH_REDIS_REST_URL: 'https://hunter2.example' },
      /^SLUICE_SHARDS: must be a list with the database of UPSTASH_REDIS_REST_URL/,
    ],
    [
      'a URL beside the list that is none',
      { ...listOf(A), UPSTASH_REDIS_REST_URL: 'hunter2' },
      /^UPSTASH_REDIS_REST_URL: must/,
    ],
  ])('%s', (_, settings, fault) => {
    expect(() => read(settings)).toThrow(fault);
    expect(() => read(settings)).not.toThrow(/hunter2/i);
  });
});
