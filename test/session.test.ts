// A browser's session: what its cookie is worth, until when, for whom, and from where it may be used.
import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { readConfig, type Token } from '../src/config/config.ts';
import { session } from '../src/http/functions.ts';
import { route } from '../src/http/route.ts';
import type { Send } from '../src/redis/send.ts';
import { openShard } from '../src/redis/shard.ts';
import { appOf } from './support/app.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const token = (name: string, scopes: Token['scopes'] = ['admin'], queues = ['*']) => ({
  name,
  sha256: sha256(name),
  scopes,
  queues,
});

/** A deployment with these tokens, and a call to look and one to change something. */
function deploymentOf(tokens: Token[], redisToken = 'redis') {
  const config = readConfig({
    UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1',
    UPSTASH_REDIS_REST_TOKEN: redisToken,
    SLUICE_TOKENS: JSON.stringify(tokens),
  });
  const calls = [
    route('GET /look', { scope: 'admin' }, (c) => c.text(c.var.token.name)),
    route('DELETE /change', { scope: 'admin' }, (c) => c.text(c.var.token.name)),
  ];
  const ended = new Set<string>();
  const send: Send = async ([name, key = '']) => (name === 'SET' ? ended.add(key) : Number(ended.has(key)));
  return appOf([session, calls], { config, shard: openShard({ send, prefix: 'sluice' }) });
}

type App = ReturnType<typeof deploymentOf>;
const ORIGIN = 'https://sluice.example';
const FROM_PAGE = { 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' };

async function signIn(app: App, given: string, origin = ORIGIN): Promise<Response> {
  return app.request(`${origin}/session`, {
    method: 'POST',
    headers: FROM_PAGE,
    body: JSON.stringify({ token: given }),
  });
}

async function cookieOf(app: App, given: string): Promise<string> {
  return (await signIn(app, given)).headers.get('set-cookie')?.split(';')[0] ?? '';
}

const look = async (app: App, cookie: string) => (await app.request(`${ORIGIN}/look`, { headers: { cookie } })).status;

afterEach(() => {
  vi.useRealTimers();
});

describe('a session', () => {
  test('stands for its token', async () => {
    const app = deploymentOf([token('ada'), token('bob')]);
    const answer = await app.request(`${ORIGIN}/look`, { headers: { cookie: await cookieOf(app, 'bob') } });
    expect([answer.status, await answer.text()]).toEqual([200, 'bob']);
  });

  test('over https its cookie is for this host only; over http, on this machine, it works too', async () => {
    const app = deploymentOf([token('ada')]);
    const secure = (await signIn(app, 'ada')).headers.get('set-cookie') ?? '';
    expect(secure).toMatch(
      /^__Host-sluice=\d{13}\.\w{20}\.[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
    );
    const local = (await signIn(app, 'ada', 'http://127.0.0.1:8787')).headers.get('set-cookie') ?? '';
    expect(local).toMatch(/^sluice=\d{13}\.\w{20}\.[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/);
  });

  test('ends after twelve hours, whatever the browser does', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const app = deploymentOf([token('ada')]);
    const cookie = await cookieOf(app, 'ada');
    vi.setSystemTime(Date.now() + 12 * 3_600_000 - 1);
    expect(await look(app, cookie)).toBe(200);
    vi.setSystemTime(Date.now() + 1);
    expect(await look(app, cookie)).toBe(401);
  });

  test.each([
    ['its token leaves the settings', deploymentOf([token('bob')])],
    ['its token gets other scopes', deploymentOf([token('ada', ['admin', 'receive'])])],
    ['its token gets other queues', deploymentOf([token('ada', ['admin'], ['mail.*'])])],
    ['the token of storage is replaced', deploymentOf([token('ada')], 'another')],
  ])('ends where %s', async (_, later) => {
    const cookie = await cookieOf(deploymentOf([token('ada')]), 'ada');
    expect(await look(deploymentOf([token('ada')]), cookie)).toBe(200);
    expect(await look(later, cookie)).toBe(401);
  });

  test('cannot be made longer, nor taken for another token', async () => {
    const app = deploymentOf([token('ada'), token('bob')]);
    const cookie = await cookieOf(app, 'ada');
    const [name = '', value = ''] = cookie.split('=');
    const [expires = '', id = '', signature = ''] = value.split('.');
    const another = id.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'));
    const flipped = signature.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'));
    for (const forged of [
      `${Number(expires) + 1}.${id}.${signature}`,
      `${expires}.${another}.${signature}`,
      `${expires}.${id}.${flipped}`,
      `${expires}.${id}.`,
      `${expires}.${signature}`,
      signature,
      '',
    ]) {
      expect(await look(app, `${name}=${forged}`)).toBe(401);
    }
    expect(await look(app, `sluice=${value}`)).toBe(401); // the name for http does not count over https
  });

  test('a token that is not for operators begins none, nor does one that is not known', async () => {
    const app = deploymentOf([token('ada', ['enqueue'])]);
    for (const [given, status] of [
      ['ada', 403],
      ['eve', 401],
    ] as const) {
      const answer = await signIn(app, given);
      expect([answer.status, answer.headers.get('set-cookie')]).toEqual([status, null]);
    }
  });

  test('is over when the browser signs out, for its cookie too, and another of the same token goes on', async () => {
    vi.useFakeTimers({ toFake: ['Date'] }); // both begin in the same millisecond
    const app = deploymentOf([token('ada')]);
    const [cookie, other] = [await cookieOf(app, 'ada'), await cookieOf(app, 'ada')];
    const answer = await app.request(`${ORIGIN}/session`, { method: 'DELETE', headers: { ...FROM_PAGE, cookie } });
    expect(answer.headers.get('set-cookie')).toMatch(/^__Host-sluice=; Max-Age=0; /);
    expect([await look(app, cookie), await look(app, other)]).toEqual([401, 200]);
  });

  test('that is none ends nothing, and the browser forgets it', async () => {
    const app = deploymentOf([token('ada')]);
    const answer = await app.request(`${ORIGIN}/session`, { method: 'DELETE', headers: FROM_PAGE });
    expect(answer.headers.get('set-cookie')).toMatch(/^__Host-sluice=; Max-Age=0; /);
  });
});

describe('by cookie, a change', () => {
  const JSON_TYPE = { 'content-type': 'application/json' };
  const rows: [what: string, headers: Record<string, string>, status: number][] = [
    ['from this very page passes', FROM_PAGE, 200],
    ['from a browser that names its origin only passes', { origin: ORIGIN, ...JSON_TYPE }, 200],
    ['from another site is refused', { 'sec-fetch-site': 'cross-site', ...JSON_TYPE }, 403],
    ['from a sister site is refused', { 'sec-fetch-site': 'same-site', ...JSON_TYPE }, 403],
    ['from another origin is refused', { ...FROM_PAGE, origin: 'https://elsewhere.example' }, 403],
    ['from no origin is refused', { ...FROM_PAGE, origin: 'null' }, 403],
    ['from nobody knows where is refused', JSON_TYPE, 403],
    ['from the address bar is refused', { 'sec-fetch-site': 'none', ...JSON_TYPE }, 403],
    ['as a form sends it is refused', { ...FROM_PAGE, 'content-type': 'text/plain' }, 403],
    ['with JSON as a mere parameter is refused', { ...FROM_PAGE, 'content-type': 'text/plain; application/json' }, 403],
    ['without a type is refused', { 'sec-fetch-site': 'same-origin' }, 403],
  ];

  test.each(rows)('%s', async (_, headers, status) => {
    const app = deploymentOf([token('ada')]);
    const cookie = await cookieOf(app, 'ada');
    const answer = await app.request(`${ORIGIN}/change`, { method: 'DELETE', headers: { cookie, ...headers } });
    expect(answer.status).toBe(status);
    if (status === 403) expect(await answer.json()).toMatchObject({ code: 'cross_site' });
  });

  test('passes behind a proxy that ends TLS, too, from the origin that the browser knows, with the cookie for https', async () => {
    const app = deploymentOf([token('ada')]);
    const behind = { ...FROM_PAGE, origin: ORIGIN, 'x-forwarded-proto': 'https' };
    const body = JSON.stringify({ token: 'ada' });
    const inside = ORIGIN.replace('https:', 'http:');
    const signedIn = await app.request(`${inside}/session`, { method: 'POST', headers: behind, body });
    const [cookie = ''] = signedIn.headers.get('set-cookie')?.split(';') ?? [];
    expect(cookie).toMatch(/^__Host-sluice=/);
    const change = async (headers: Record<string, string>) =>
      (await app.request(`${inside}/change`, { method: 'DELETE', headers: { cookie, ...headers } })).status;
    expect(await change(behind)).toBe(200);
    expect(await change({ ...behind, origin: 'https://elsewhere.example' })).toBe(403);
    expect(await change({ ...behind, origin: inside })).toBe(403);
  });

  test('and a look from another site is refused too: the audit may repair', async () => {
    const app = deploymentOf([token('ada')]);
    const cookie = await cookieOf(app, 'ada');
    const from = async (site: string) =>
      (await app.request(`${ORIGIN}/look`, { headers: { cookie, 'sec-fetch-site': site } })).status;
    expect([await from('same-origin'), await from('none'), await from('cross-site')]).toEqual([200, 200, 403]);
  });

  test('a bearer token needs none of this', async () => {
    const app = deploymentOf([token('ada')]);
    const headers = { authorization: 'Bearer ada', origin: 'https://elsewhere.example' };
    expect((await app.request(`${ORIGIN}/change`, { method: 'DELETE', headers })).status).toBe(200);
  });

  test('signing in and out are refused from elsewhere: nobody gets into another one’s session', async () => {
    const app = deploymentOf([token('ada')]);
    const headers = { ...JSON_TYPE, 'sec-fetch-site': 'cross-site' };
    const body = JSON.stringify({ token: 'ada' });
    const into = await app.request(`${ORIGIN}/session`, { method: 'POST', headers, body });
    const out = await app.request(`${ORIGIN}/session`, { method: 'DELETE', headers });
    expect([into.status, out.status]).toEqual([403, 403]);
    expect([into.headers.get('set-cookie'), out.headers.get('set-cookie')]).toEqual([null, null]);
  });
});
