// AWS Lambda: requests and schedules by the events that AWS documents, and nothing that goes on when the function has answered.
import { describe, expect, test } from 'vitest';
import { type HttpAnswer, type LambdaOptions, serve } from '../../src/adapters/lambda.ts';
import { defineQueue, type Tick } from '../../src/index.ts';
import { AUTHORIZED, BYTES, githubHeaders, openProjects, type Project } from '../support/project.ts';
import { RULE, requestEvent, SCHEDULER } from './lambda-events.ts';

const project = openProjects();
const jobs = defineQueue('jobs', { kind: 'push' });

function functionOf({ sluice, env }: Project, options: LambdaOptions<object> = {}) {
  const handler = serve(sluice, { env, ...options });
  return {
    ask: async (...event: Parameters<typeof requestEvent>) => (await handler(requestEvent(...event))) as HttpAnswer,
    tick: async (event = RULE) => (await handler(event)) as Tick,
    handler,
  };
}

const enqueue = (body: unknown, more: object = {}) =>
  ['POST', '/v1/queues/jobs/messages', { headers: AUTHORIZED, body: JSON.stringify({ body, ...more }) }] as const;

describe('a request', () => {
  test('is answered when what it enqueued is handled', async () => {
    const { handled } = project();
    const { statusCode, headers, body, isBase64Encoded } = await functionOf(project()).ask(...enqueue('ö'));
    expect([statusCode, headers['content-type'], isBase64Encoded]).toEqual([202, 'application/json', false]);
    expect(JSON.parse(body)).toMatchObject({ queue: 'jobs', state: 'ready' });
    expect(handled).toEqual(['ö']);
  });

  test('with `wake: none` leaves it to the tick', async () => {
    const { handled } = project();
    const { ask, tick } = functionOf(project(), { wake: 'none' });
    expect((await ask(...enqueue(1))).statusCode).toBe(202);
    expect((await ask(...enqueue(2))).statusCode).toBe(202); // what the first left wakes none either
    expect(handled).toEqual([]);
    expect(await tick()).toMatchObject({ drain: { delivered: 2 } });
    expect(handled).toEqual([1, 2]);
  });

  test('does not wait for what is due later', async () => {
    const { handled } = project();
    const { ask } = functionOf(project());
    expect(JSON.parse((await ask(...enqueue(1, { delay: '8s' }))).body)).toMatchObject({ state: 'delayed' });
    expect((await ask(...enqueue(2))).statusCode).toBe(202);
    expect(handled).toEqual([2]);
  });

  test('for a tick does not either', async () => {
    const { sluice, env, handled } = project();
    await sluice.producer(env).enqueue(jobs, 'later', { delay: '20s' });
    const { statusCode, body } = await functionOf(project()).ask('GET', '/v1/drain', { headers: AUTHORIZED });
    expect([statusCode, Object.keys(JSON.parse(body)), handled]).toEqual([200, ['sweep'], []]);
  });

  test('that is wrong is refused, and nothing goes unheard', async () => {
    const { handled } = project();
    const { ask } = functionOf(project());
    const forged = { ...githubHeaders('{}'), 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` };
    expect((await ask(...enqueue(1, { priority: 99 }))).statusCode).toBe(422);
    expect((await ask('POST', '/hooks/github', { headers: forged, body: '{}' })).statusCode).toBe(401);
    expect((await ask('POST', '/v1/messages', { body: '{}' })).statusCode).toBe(401);
    expect((await ask('GET', '/my/path', { body: 'Hello from Lambda' })).statusCode).toBe(404);
    expect((await ask('TRACE', '/health')).statusCode).toBe(400);
    expect((await ask('GET', '/health', { headers: { from: '€' } })).statusCode).toBe(400);
    expect(handled).toEqual([]);
  });

  test('has its query, and a path below that of a stage', async () => {
    const { ask } = functionOf(project(), { basePath: '/dev' });
    const headers = AUTHORIZED;
    expect((await ask('GET', '/dev/v1/queues', { headers, rawQueryString: 'limit=0' })).statusCode).toBe(422);
    expect((await ask('GET', '/dev/v1/queues', { headers, rawQueryString: 'limit=1' })).statusCode).toBe(200);
  });

  test('carries cookies in and out', async () => {
    const { ask } = functionOf(project());
    const sent = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' };
    const signedIn = await ask('POST', '/session', { headers: sent, body: JSON.stringify({ token: 'known' }) });
    expect([signedIn.statusCode, signedIn.cookies, signedIn.headers['set-cookie']]).toEqual([
      200,
      [expect.stringMatching(/^__Host-sluice=.*HttpOnly/)],
      undefined,
    ]);
    const cookies = ['other=1', signedIn.cookies[0]?.split(';')[0] ?? ''];
    expect((await ask('GET', '/session', { cookies, headers: {} })).statusCode).toBe(200);
    expect((await ask('GET', '/session', { headers: {} })).statusCode).toBe(401);
  });

  test('is counted by the address that AWS gives', async () => {
    const asked: string[] = [];
    const RATE_LIMITER = { limit: async ({ key }: { key: string }) => ({ success: asked.push(key) > 0 }) };
    const { ask } = functionOf(project(), { env: { ...project().env, RATE_LIMITER } });
    await ask('GET', '/v1/queues', { headers: { 'x-forwarded-for': '203.0.113.1' } });
    expect(asked).toEqual(['unknown/192.0.2.1']);
  });
});

describe('bytes', () => {
  test.each([false, true])('of a webhook are those that were signed, in base64: %s', async (isBase64Encoded) => {
    const { handled } = project();
    const text = '{ "zen":\t"Ünïcode 🌊 \\u0041" }\n';
    const body = isBase64Encoded ? Buffer.from(text).toString('base64') : text;
    const event = { headers: githubHeaders(text), body, isBase64Encoded };
    expect((await functionOf(project()).ask('POST', '/hooks/github', event)).statusCode).toBe(200);
    expect(handled).toEqual([Buffer.from(text)]);
  });

  test('that are no text come in and go out', async () => {
    const { handled } = project();
    const { ask } = functionOf(project());
    const body = Buffer.from(BYTES).toString('base64');
    expect((await ask('POST', '/hooks/open', { headers: {}, body, isBase64Encoded: true })).statusCode).toBe(200);
    expect(handled).toEqual([Buffer.from(BYTES)]);
    expect(await ask('GET', '/bytes')).toEqual({
      statusCode: 200,
      headers: { 'content-type': 'image/x-none' },
      cookies: [],
      body,
      isBase64Encoded: true,
    });
  });
});

describe('a schedule', () => {
  test.each([
    ['a rule', RULE],
    ['EventBridge Scheduler', { ...SCHEDULER, detail: {} }],
  ])('of %s ticks, and does not wait for what is due later', async (_, event) => {
    const { sluice, env, handled } = project();
    await sluice.producer(env).enqueue(jobs, 'ready');
    await sluice.producer(env).enqueue(jobs, 'later', { delay: '20s' });
    expect(await functionOf(project()).tick(event)).toMatchObject({ drain: { delivered: 1, ended: 'idle' } });
    expect(handled).toEqual(['ready']);
  });

  test('that finds nothing does not drain', async () => {
    expect(await functionOf(project()).tick()).toEqual({ sweep: { fired: 0, requeued: 0, dead: 0, repaired: 0 } });
  });
});

test.each([
  ['a request in the payload format 1.0', { version: '1.0', path: '/', httpMethod: 'GET' }],
  ['messages of SQS', { Records: [] }],
])('%s is refused in words', async (_, event) => {
  const { handler } = functionOf(project());
  await expect(handler(event as never)).rejects.toThrow('neither a request in the payload format 2.0 nor a schedule');
});

test('however many events come, one environment has one engine', async () => {
  const { environments } = project();
  const { ask, tick } = functionOf(project());
  await ask(...enqueue(1));
  await ask(...enqueue(2));
  await project().sluice.producer(project().env).enqueue(jobs, 3);
  await tick();
  expect(environments).toHaveLength(3);
  expect(new Set(environments).size).toBe(1);
  expect(environments[0]).toMatchObject({ SLUICE_DRAIN_MS: '30000', SLUICE_CONCURRENCY: '10' });
});
