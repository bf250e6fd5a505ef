// Tokens in settings: a list, a binding for each, and one as its caller has it; together they are who may call.

import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { readConfig, type Scope } from '../src/config/config.ts';
import { route } from '../src/http/route.ts';
import { appOf } from './support/app.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const DATABASE = { UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1', UPSTASH_REDIS_REST_TOKEN: 'redis' };
const PLAIN = 'correct-horse-battery-staple-2026';
const entry = (token: string, more: object = {}) => ({ sha256: sha256(token), scopes: ['receive'], ...more });
const read = (settings: object) => readConfig({ ...DATABASE, ...settings });

/** A deployment that says by which name a caller is known, or the status of the refusal. */
function deploymentOf(settings: object): (token: string) => Promise<string | number> {
  const config = read(settings);
  const app = appOf([route('GET /who', { scope: 'receive' }, (c) => c.text(c.get('token').name))], { config });
  return async (token) => {
    const answer = await app.request('/who', { headers: { authorization: `Bearer ${token}` } });
    return answer.status === 200 ? answer.text() : answer.status;
  };
}

const callerOf = (settings: object, token: string) => deploymentOf(settings)(token);

test('S3 what resembles a token that was let in is none', async () => {
  const caller = deploymentOf({ SLUICE_TOKENS: ['known', 'other'].map((name) => entry(name, { name })) });
  expect(await caller('known')).toBe('known');
  for (const near of ['know', 'knownn', 'knowm', 'xnown', 'KNOWN', 'knownknown']) expect(await caller(near)).toBe(401);
  expect(await caller('other')).toBe('other');
});

describe('tokens', () => {
  const settings = {
    SLUICE_TOKENS: JSON.stringify([entry('listed', { name: 'ada' })]),
    SLUICE_TOKEN_CI: JSON.stringify(entry('single')),
    SLUICE_TOKEN_OPS: JSON.stringify(entry('named', { name: 'ops-2026' })),
    SLUICE_TOKEN_VAR: entry('variable'), // as wrangler.toml may hold it: a digest is no secret
    SLUICE_TOKEN: PLAIN,
  };

  test.each([
    ['listed', 'ada'],
    ['single', 'CI'],
    ['named', 'ops-2026'],
    ['variable', 'VAR'],
    [PLAIN, 'SLUICE_TOKEN'],
    [PLAIN.slice(1), 401],
    [sha256(PLAIN), 401],
    ['eve', 401],
  ])('%s is %s', async (token, caller) => expect(await callerOf(settings, token)).toBe(caller));

  test('the plain one has every scope and every queue', async () => {
    const config = read({ SLUICE_TOKEN: PLAIN });
    const tokens: unknown[] = [];
    const app = appOf([route('GET /who', { scope: 'admin' }, (c) => c.json(tokens.push(c.var.token)))], {
      config,
    });
    for (const _ of ['hashed', 'remembered'])
      await app.request('/who', { headers: { authorization: `Bearer ${PLAIN}` } });
    const token = {
      name: 'SLUICE_TOKEN',
      sha256: sha256(PLAIN),
      scopes: ['enqueue', 'receive', 'admin'],
      queues: ['*'],
    };
    expect(tokens).toEqual([token, token]);
  });

  test('the plain one is refused where the list has its digest, too: which scopes it has would be a matter of luck', async () => {
    expect(await callerOf({ ...settings, SLUICE_TOKEN_CI: JSON.stringify(entry(PLAIN)) }, 'listed')).toBe(500);
  });
});

describe('the secret of a cron', () => {
  const SECRET = 'sixteen-or-more.';
  const may = async (scope: Scope, settings: object, token: string) => {
    const app = appOf([route('GET /x', { scope }, (c) => c.json(c.var.token))], { config: read(settings) });
    const answer = await app.request('/x', { headers: { authorization: `Bearer ${token}` } });
    return answer.status === 200 ? answer.json() : answer.status;
  };

  test('is a token that may tick, and nothing else', async () => {
    const settings = { SLUICE_TOKEN: PLAIN, CRON_SECRET: SECRET };
    const token = { name: 'CRON_SECRET', sha256: sha256(SECRET), scopes: ['tick'], queues: ['*'] };
    expect(await may('tick', settings, SECRET)).toEqual(token);
    expect(await may('tick', { CRON_SECRET: SECRET }, SECRET)).toEqual(token);
    for (const scope of ['enqueue', 'receive', 'admin'] satisfies Scope[])
      expect(await may(scope, settings, SECRET)).toBe(403);
  });

  test('is not needed by whoever may administer', async () => {
    const settings = { SLUICE_TOKEN: PLAIN, SLUICE_TOKEN_CI: JSON.stringify(entry('ci')) };
    expect(await may('tick', settings, PLAIN)).toMatchObject({ name: 'SLUICE_TOKEN' });
    expect(await may('tick', settings, 'ci')).toBe(403);
    expect(await may('tick', settings, SECRET)).toBe(401);
  });

  test('is none where it is empty, and refused where it is another token, too', async () => {
    expect(await may('tick', { SLUICE_TOKEN: PLAIN, CRON_SECRET: '' }, '')).toBe(401);
    expect(await may('tick', { SLUICE_TOKEN: PLAIN, CRON_SECRET: PLAIN }, PLAIN)).toBe(500);
  });
});

describe('bad tokens', () => {
  test.each([
    [
      'shorter than 32',
      { SLUICE_TOKEN: 'correct-horse-battery-staple-26' },
      /^SLUICE_TOKEN: must be 32 or more characters/,
    ],
    ['with a blank', { SLUICE_TOKEN: `${PLAIN} ` }, /^SLUICE_TOKEN: must/],
    ['of a cron, shorter than 16', { CRON_SECRET: 'only-15-letters' }, /^CRON_SECRET: must be 16 or more characters/],
    ['no JSON', { SLUICE_TOKENS: 'hunter2' }, /^SLUICE_TOKENS: must be a JSON array$/],
    ['no list', { SLUICE_TOKENS: JSON.stringify(entry('a')) }, /^SLUICE_TOKENS: must be a JSON array$/],
    ['no object', { SLUICE_TOKENS: '["hunter2"]' }, /^SLUICE_TOKENS\.0: must be a JSON object$/],
    ['no JSON of its own', { SLUICE_TOKEN_CI: 'hunter2' }, /^SLUICE_TOKEN_CI: must be a JSON object$/],
    [
      'a list of its own',
      { SLUICE_TOKEN_CI: JSON.stringify([entry('a')]) },
      /^SLUICE_TOKEN_CI: must be a JSON object$/,
    ],
    ['without a name', { SLUICE_TOKENS: JSON.stringify([entry('a')]) }, /^SLUICE_TOKENS\.0\.name: must/],
    [
      'the token in place of its digest',
      { SLUICE_TOKEN_A: '{"sha256":"hunter2"}' },
      /sha256: must.*SLUICE_TOKEN_A\.scopes: must/,
    ],
    [
      'an unknown scope',
      { SLUICE_TOKEN_A: entry('a', { scopes: ['root'] }) },
      /^SLUICE_TOKEN_A\.scopes: must be a list of enqueue, /,
    ],
    ['no scope', { SLUICE_TOKEN_A: entry('a', { scopes: [] }) }, /^SLUICE_TOKEN_A\.scopes: must/],
    ['no queue', { SLUICE_TOKEN_A: entry('a', { queues: [] }) }, /^SLUICE_TOKEN_A\.queues: must/],
    ['a star within', { SLUICE_TOKEN_A: entry('a', { queues: ['a*b'] }) }, /^SLUICE_TOKEN_A\.queues: must/],
    [
      'a field too many',
      { SLUICE_TOKEN_A: entry('a', { hunter2: 1 }) },
      /^SLUICE_TOKEN_A: must be an object of name, /,
    ],
    [
      'a name twice',
      { SLUICE_TOKEN_A: entry('a'), SLUICE_TOKEN_B: entry('b', { name: 'A' }) },
      /^SLUICE_TOKEN_B: must be one token/,
    ],
    [
      'the name of the plain one',
      { SLUICE_TOKEN: PLAIN, SLUICE_TOKEN_B: entry('b', { name: 'SLUICE_TOKEN' }) },
      /^SLUICE_TOKEN_B: must/,
    ],
    [
      'a digest twice, however it is spelled',
      { SLUICE_TOKEN_A: entry('a'), SLUICE_TOKEN_B: { ...entry('a'), sha256: sha256('a').toUpperCase() } },
      /^SLUICE_TOKEN_B: must be one token/,
    ],
    ['each of them', { SLUICE_TOKEN_A: 'hunter2', SLUICE_TOKEN_B: 'hunter2' }, /SLUICE_TOKEN_A: .*; SLUICE_TOKEN_B: /],
  ])('%s', (_, settings, fault) => {
    expect(() => read(settings)).toThrow(fault);
    expect(() => read(settings)).not.toThrow(/hunter2/);
  });
});
