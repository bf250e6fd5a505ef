// Deno Deploy, Netlify, Supabase: a handler of requests, its base path, and what keeps work alive behind its answers.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { toFetch } from '../../src/adapters/edge.ts';
import { AUTHORIZED, BYTES, githubHeaders, openProjects, untilTold } from '../support/project.ts';
import { eventually } from '../support/worker.ts';

const project = openProjects();

const post = (path: string, body: unknown, headers: Record<string, string> = AUTHORIZED) =>
  new Request(`https://x.example${path}`, { method: 'POST', headers, body: JSON.stringify(body) });

/** Keeps what it is given, as a platform does. */
function openKeeper() {
  const kept: Promise<unknown>[] = [];
  const waitUntil = (promise: Promise<unknown>) => void kept.push(promise);
  return { waitUntil, settled: () => Promise.all(kept) };
}

describe('work behind an answer is kept alive', () => {
  afterEach(() => vi.unstubAllGlobals());

  test('by the context of the platform, as at Netlify', async () => {
    const { sluice, env, handled } = project();
    const { waitUntil, settled } = openKeeper();
    const fetch = toFetch(sluice, { env });
    const answer = await fetch(post('/v1/queues/jobs/messages', { body: 1 }), { waitUntil, ip: '192.0.2.1' });
    await settled();
    expect([answer.status, handled]).toEqual([202, [1]]);
  });

  test('by the global of Supabase', async () => {
    const { sluice, env, handled } = project();
    const { waitUntil, settled } = openKeeper();
    vi.stubGlobal('EdgeRuntime', { waitUntil });
    expect((await toFetch(sluice, { env })(post('/v1/queues/jobs/messages', { body: 2 }))).status).toBe(202);
    await settled();
    expect(handled).toEqual([2]);
  });

  test('by what it is told, before both', async () => {
    const { sluice, env, handled } = project();
    const [told, other] = [openKeeper(), openKeeper()];
    const fetch = toFetch(sluice, { env, waitUntil: told.waitUntil });
    await fetch(post('/v1/queues/jobs/messages', { body: 3 }), { waitUntil: other.waitUntil });
    await told.settled();
    expect(handled).toEqual([3]);
    expect(await other.settled()).toEqual([]);
  });

  test('by nobody: it goes on by itself, as at Deno Deploy', async () => {
    const { sluice, env, handled } = project();
    const given = { remoteAddr: { transport: 'tcp', hostname: '192.0.2.1', port: 1 } };
    await toFetch(sluice, { env })(post('/v1/queues/jobs/messages', { body: 4 }), given);
    await eventually('it is handled', () => handled.length === 1);
  });
});

test('what fails behind an answer is told by its kind, and the platform hears of no failure', async () => {
  const { sluice, env } = project();
  const { waitUntil, settled } = openKeeper();
  const told = vi.spyOn(console, 'error').mockImplementation(() => {});
  expect((await toFetch(sluice, { env, waitUntil })(post('/careless', {}))).status).toBe(200);
  await settled();
  expect(told.mock.calls).toEqual([['{"level":"error","event":"work behind an answer failed","error":"RangeError"}']]);
  told.mockRestore();
});

test('what is wrong is refused, and nothing goes unheard', async () => {
  const { sluice, env, handled } = project();
  const { waitUntil } = openKeeper();
  const fetch = toFetch(sluice, { env });
  const forged = { ...githubHeaders('{}'), 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` };
  const statuses = [
    await fetch(post('/v1/queues/jobs/messages', { body: 1, priority: 99 }), { waitUntil }),
    await fetch(post('/hooks/github', {}, forged), { waitUntil }),
    await fetch(post('/v1/queues/jobs/messages', { body: 1 }, {}), { waitUntil }),
  ].map(({ status }) => status);
  await untilTold();
  expect([statuses, handled]).toEqual([[422, 401, 401], []]);
});

test('calls without a token are counted by the address that the platform gives', async () => {
  const { sluice, env } = project();
  const asked: string[] = [];
  const limit = async ({ key }: { key: string }) => ({ success: asked.push(key) > 0 });
  const fetch = toFetch(sluice, { env: { ...env, RATE_LIMITER: { limit } } });
  const forged = { 'x-forwarded-for': '203.0.113.1', 'cf-connecting-ip': '203.0.113.1' };
  for (const given of [{ ip: '192.0.2.1' }, { remoteAddr: { hostname: '192.0.2.2' } }, undefined])
    await fetch(post('/v1/queues/jobs/messages', {}, forged), given);
  expect(asked).toEqual(['unknown/192.0.2.1', 'unknown/192.0.2.2', 'unknown/']);
});

describe('below a base path', () => {
  test.each([
    ['/sluice/health', 200],
    ['/sluice', 404],
    ['/health', 200],
    ['/sluices/health', 404],
  ])('%s: %i', async (path, status) => {
    const { sluice, env } = project();
    const fetch = toFetch(sluice, { env, basePath: '/sluice' });
    expect((await fetch(new Request(`https://x.example${path}`))).status).toBe(status);
  });

  test('a webhook keeps its bytes, and its signature holds', async () => {
    const { sluice, env, handled } = project();
    const { waitUntil } = openKeeper();
    const fetch = toFetch(sluice, { env, basePath: '/sluice' });
    const body = '{ "zen":\t"Ünïcode 🌊 \\u0041" }\n';
    const init = { method: 'POST', headers: githubHeaders(body), body };
    expect((await fetch(new Request('https://x.example/sluice/hooks/github', init), { waitUntil })).status).toBe(200);
    const any = { method: 'POST', headers: { 'content-type': 'application/octet-stream' }, body: BYTES };
    expect((await fetch(new Request('https://x.example/sluice/hooks/open?a=%20b', any), { waitUntil })).status).toBe(
      200,
    );
    await eventually('both are handled', () => handled.length === 2);
    expect(handled).toEqual([Buffer.from(body), Buffer.from(BYTES)]);
  });
});

test('however many handlers are made, one environment has one engine', async () => {
  const { sluice, env, environments } = project();
  const { waitUntil, settled } = openKeeper();
  for (const body of [1, 2]) {
    await toFetch(sluice, { env })(post('/v1/queues/jobs/messages', { body }), { waitUntil });
    await settled();
  }
  expect(environments).toEqual([env, env]);
  expect(environments[0]).toBe(environments[1]);
});
