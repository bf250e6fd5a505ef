// Vercel: functions, the cron job with its secret, and producers; what keeps work alive is found where `@vercel/functions` finds it.
import { afterEach, describe, expect, test } from 'vitest';
import { cron, producer, toFetch } from '../../src/adapters/vercel.ts';
import { defineQueue } from '../../src/index.ts';
import { AUTHORIZED, CRON_SECRET, githubHeaders, openProjects, untilTold } from '../support/project.ts';

const project = openProjects();
const REQUEST = Symbol.for('@vercel/request-context');
const jobs = defineQueue('jobs', { kind: 'push' });

afterEach(() => void Reflect.deleteProperty(globalThis, REQUEST));

/** From now on a request is at hand, whose work the platform keeps alive. */
function keepAlive(): () => Promise<unknown> {
  const kept: Promise<unknown>[] = [];
  const context = { waitUntil: (promise: Promise<unknown>) => void kept.push(promise) };
  Reflect.set(globalThis, REQUEST, { get: () => context });
  return () => Promise.all(kept);
}

const post = (path: string, body: unknown, headers: Record<string, string> = AUTHORIZED) =>
  new Request(`https://x.vercel.app${path}`, { method: 'POST', headers, body: JSON.stringify(body) });

test('what is enqueued is handled behind the answer', async () => {
  const { sluice, env, handled, environments } = project();
  const settled = keepAlive();
  const fetch = toFetch(sluice, { env, basePath: '/api/sluice' });
  expect((await fetch(post('/api/sluice/v1/queues/jobs/messages', { body: 1 }))).status).toBe(202);
  await settled();
  await producer(sluice, { env }).enqueue(jobs, 2);
  await settled();
  expect(handled).toEqual([1, 2]);
  expect(environments[0]).toBe(environments[1]);
});

test('what is wrong is refused, and nothing goes unheard', async () => {
  const { sluice, env, handled } = project();
  keepAlive();
  const fetch = toFetch(sluice, { env });
  const forged = { ...githubHeaders('{}'), 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` };
  expect((await fetch(post('/v1/queues/jobs/messages', { body: 1, priority: 99 }))).status).toBe(422);
  expect((await fetch(post('/hooks/github', {}, forged))).status).toBe(401);
  await untilTold();
  expect(handled).toEqual([]);
});

test('the address of a caller is that which Vercel wrote, and elsewhere none', async () => {
  const { sluice, env } = project();
  const asked: string[] = [];
  const limited = {
    ...env,
    RATE_LIMITER: { limit: async ({ key }: { key: string }) => ({ success: asked.push(key) > 0 }) },
  };
  const headers = { 'x-vercel-forwarded-for': '192.0.2.1', 'x-forwarded-for': '203.0.113.1' };
  await toFetch(sluice, { env: { ...limited, VERCEL: '1' } })(post('/v1/messages', {}, headers));
  await toFetch(sluice, { env: limited })(post('/v1/messages', {}, headers));
  expect(asked).toEqual(['unknown/192.0.2.1', 'unknown/']);
});

describe('the cron job', () => {
  const call = (authorization?: string) =>
    new Request('https://x.vercel.app/api/cron', { headers: authorization ? { authorization } : {} });

  test('with the secret it ticks, and does not wait for what is due later', async () => {
    const { sluice, env, handled } = project();
    await sluice.producer(env).enqueue(jobs, 'ready');
    await sluice.producer(env).enqueue(jobs, 'later', { delay: '20s' });
    const answer = await cron(sluice, { env })(call(`Bearer ${CRON_SECRET}`));
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ sweep: { dead: 0 }, drain: { delivered: 1, ended: 'idle' } });
    expect(handled).toEqual(['ready']);
  });

  test.each([undefined, 'Bearer', `Bearer ${CRON_SECRET}x`, CRON_SECRET, 'Bearer known'])(
    'with %s: 401',
    async (given) => {
      const { sluice, env, handled } = project();
      await sluice.producer(env).enqueue(jobs, 1);
      const answer = await cron(sluice, { env })(call(given));
      expect([answer.status, await answer.json()]).toEqual([401, expect.objectContaining({ code: 'unauthorized' })]);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="sluice"');
      expect(handled).toEqual([]);
    },
  );

  test('without a secret in the settings nobody is let in', async () => {
    const {
      sluice,
      env: { CRON_SECRET: _, ...env },
    } = project();
    const answer = await cron(sluice, { env })(call('Bearer undefined'));
    expect([answer.status, await answer.json()]).toMatchObject([401, { detail: 'CRON_SECRET is not set here' }]);
  });

  test('settings that are wrong are named', async () => {
    const { sluice, env } = project();
    const answer = await cron(sluice, { env: { ...env, CRON_SECRET: 'short' } })(call('Bearer short'));
    expect([answer.status, await answer.json()]).toMatchObject([500, { code: 'misconfigured' }]);
  });

  test('the secret is a token that may tick, and nothing else', async () => {
    const { sluice, env } = project();
    const fetch = toFetch(sluice, { env });
    const headers = { authorization: `Bearer ${CRON_SECRET}`, 'content-type': 'application/json' };
    const statuses = [
      await fetch(new Request('https://x.vercel.app/v1/drain', { headers })),
      await fetch(post('/v1/drain', {}, headers)),
      await fetch(post('/v1/sweep', {}, headers)),
      await fetch(post('/v1/queues/jobs/messages', { body: 1 }, headers)),
      await fetch(post('/session', { token: CRON_SECRET }, { ...headers, 'sec-fetch-site': 'same-origin' })),
      await fetch(new Request('https://x.vercel.app/v1/drain')),
    ].map(({ status }) => status);
    expect(statuses).toEqual([200, 200, 403, 403, 403, 401]);
  });
});
