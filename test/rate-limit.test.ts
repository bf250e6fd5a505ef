// The rate limit per token: asked only where the deployment has the binding. In workerd: worker/session.test.ts.

import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { hooks as webhooks } from '../src/http/functions.ts';
import { route } from '../src/http/route.ts';
import { defineQueue, defineSource } from '../src/index.ts';
import { none } from '../src/webhooks/providers.ts';
import { appOf } from './support/app.ts';

const sha256 = createHash('sha256').update('known').digest('hex');
const engine = { config: { SLUICE_TOKENS: [{ name: 'ci', sha256, scopes: ['admin'], queues: ['*'] }] } };
const open = defineSource('open', { provider: none, route: defineQueue('q', { kind: 'pull' }) });
const app = appOf([route('GET /x', { scope: 'admin' }, (c) => c.text('in'))], engine);

/** A binding that lets so many calls of each key through. */
function limiterOf(most: number) {
  const asked: string[] = [];
  const limit = async ({ key }: { key: string }) => ({ success: asked.push(key) <= most });
  return { asked, env: { RATE_LIMITER: { limit } } };
}

const call = (env: object, token = 'known') =>
  app.request('/x', { headers: { authorization: `Bearer ${token}` } }, env);

test('over the limit: 429 with a code and when to come back, counted under the name of the token', async () => {
  const { asked, env } = limiterOf(1);
  expect((await call(env)).status).toBe(200);
  const refused = await call(env);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '10']);
  expect(await refused.json()).toMatchObject({ code: 'rate_limited' });
  expect(asked).toEqual(['ci', 'ci']);
});

test('unknown tokens are counted by the address, so that whoever guesses does not use up what a token may', async () => {
  const { asked, env } = limiterOf(1);
  const guess = (headers: Record<string, string>) =>
    app.request('/x', { headers }, env, { clientAddress: '192.0.2.1' });
  const answers = [await guess({ authorization: 'Bearer unknown' }), await guess({ cookie: 'sluice=unknown' })];
  expect(answers.map(({ status }) => status)).toEqual([401, 429]);
  expect(await answers[1]?.json()).toMatchObject({ detail: 'This address calls too often' });
  expect(asked).toEqual(['unknown/192.0.2.1', 'unknown/192.0.2.1']);
});

test('an address that anybody could have written into a header counts for nothing', async () => {
  const { asked, env } = limiterOf(2);
  const forge = (name: string) => app.request('/x', { headers: { [name]: '192.0.2.1' } }, env);
  for (const name of ['cf-connecting-ip', 'x-forwarded-for']) expect((await forge(name)).status).toBe(401);
  expect(asked).toEqual(['unknown/', 'unknown/']);
});

test('webhooks are counted by source and sender, so that a forger does not use up what the sender may', async () => {
  const { asked, env } = limiterOf(1);
  const sources = { get: (name: string) => (name === 'open' ? open : undefined), count: () => {} };
  const hooks = appOf([webhooks], { ...engine, parts: { sources }, queues: new Map() });
  const send = (from: string, source = 'open') => {
    const headers = { 'content-encoding': 'gzip' };
    return hooks.request(`/hooks/${source}`, { method: 'POST', headers }, env, { clientAddress: from });
  };
  const statuses = [await send('192.0.2.1'), await send('192.0.2.1'), await send('192.0.2.1', 'nobody')];
  expect(statuses.map(({ status }) => status)).toEqual([415, 429, 404]);
  expect(await statuses[1]?.json()).toMatchObject({
    code: 'rate_limited',
    detail: 'The source "open" calls too often',
  });
  expect(asked).toEqual(['hooks/open/192.0.2.1', 'hooks/open/192.0.2.1']);
});

test('without the binding nothing is limited', async () => {
  expect((await call({})).status).toBe(200);
});
