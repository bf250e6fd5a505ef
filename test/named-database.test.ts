// A database that is named as Vercel names it, KV_REST_API_URL and KV_REST_API_TOKEN, and nothing else: whoever needs it finds it.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readConfig } from '../src/config/config.ts';
import { tokensSetting } from '../src/dev/stack.ts';
import { api } from '../src/http/functions.ts';
import { createSluice, defineQueue } from '../src/index.ts';
import { type Redises, startEmbedded } from './support/bench.ts';

const TOKEN = 'local';
let redises: Redises;
beforeAll(async () => {
  redises = await startEmbedded();
});
afterAll(() => redises?.stop());

test('requests, cron, code and a session', async () => {
  const handled: unknown[] = [];
  const jobs = defineQueue('jobs', { handler: ({ body }) => void handled.push(body) });
  const sluice = createSluice({ queues: [jobs], functions: api });
  const { url, token } = redises.emulator;
  const env = { KV_REST_API_URL: url, KV_REST_API_TOKEN: token, SLUICE_TOKENS: tokensSetting(TOKEN) };
  const ask = (path: string, init: RequestInit = {}) =>
    sluice.fetch(new Request(`https://sluice.example${path}`, init), env);
  const known = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };

  expect((await ask('/health')).status).toBe(200);
  const posted = await ask('/v1/queues/jobs/messages', {
    method: 'POST',
    headers: known,
    body: '{"body":"over HTTP"}',
  });
  expect(posted.status).toBe(202);
  await sluice.producer(env).enqueue(jobs, 'from code');
  await sluice.scheduled(undefined, env);
  expect(handled.sort()).toEqual(['from code', 'over HTTP']);

  const page = { 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' };
  const signed = await ask('/session', { method: 'POST', headers: page, body: JSON.stringify({ token: TOKEN }) });
  const cookie = signed.headers.get('set-cookie')?.split(';')[0] ?? '';
  expect((await ask('/v1/queues', { headers: { cookie } })).status).toBe(200);
});

const KV = { KV_REST_API_URL: 'https://kv.example', KV_REST_API_TOKEN: 'kv' };
const UPSTASH = { UPSTASH_REDIS_REST_URL: 'https://upstash.example', UPSTASH_REDIS_REST_TOKEN: 'upstash' };

test.each<[string, object, string, string]>([
  ['these names alone', KV, 'https://kv.example', 'kv'],
  [
    'the others are empty',
    { ...KV, UPSTASH_REDIS_REST_URL: '', UPSTASH_REDIS_REST_TOKEN: '' },
    'https://kv.example',
    'kv',
  ],
  ['both', { ...KV, ...UPSTASH }, 'https://upstash.example', 'upstash'],
])('%s: the address and the token are of one naming', (_, env, url, token) => {
  const config = readConfig(env);
  expect([config.UPSTASH_REDIS_REST_URL, config.UPSTASH_REDIS_REST_TOKEN]).toEqual([url, token]);
});

test.each([
  ['UPSTASH_REDIS_REST_TOKEN', { ...KV, UPSTASH_REDIS_REST_URL: UPSTASH.UPSTASH_REDIS_REST_URL }],
  ['UPSTASH_REDIS_REST_URL', { ...KV, UPSTASH_REDIS_REST_TOKEN: UPSTASH.UPSTASH_REDIS_REST_TOKEN }],
])('%s is missing where only the other of its naming is there', (missing, env) => {
  expect(() => readConfig(env)).toThrow(missing);
});
