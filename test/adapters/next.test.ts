// Next.js: the handlers of a route that catches all, the cron route, producers, and `after`.
import { describe, expect, test } from 'vitest';
import { cron, producer, serve } from '../../src/adapters/next.ts';
import { defineQueue } from '../../src/index.ts';
import { AUTHORIZED, BYTES, CRON_SECRET, githubHeaders, openProjects, untilTold } from '../support/project.ts';
import { eventually } from '../support/worker.ts';

const project = openProjects();
const jobs = defineQueue('jobs', { kind: 'push' });

/** Keeps what it is given, as Next.js does until it has ended. */
function openAfter() {
  const tasks: Promise<unknown>[] = [];
  return { tasks, after: (task: Promise<unknown>) => void tasks.push(task) };
}

/** A route as Next.js calls it: what it caught of the path, decoded. */
const caught = (...path: string[]) => ({ params: Promise.resolve(path.length > 0 ? { path } : {}) });

function post(path: string, body: unknown, headers: Record<string, string> = AUTHORIZED) {
  return new Request(`https://x.example${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
}

test('what is enqueued is handled behind the answer, over HTTP and by code of the project', async () => {
  const { sluice, env, handled, environments } = project();
  const { tasks, after } = openAfter();
  const { POST } = serve(sluice, { env, after });
  const answer = await POST(
    post('/api/sluice/v1/queues/jobs/messages', { body: 1 }),
    caught('v1', 'queues', 'jobs', 'messages'),
  );
  await producer(sluice, { env, after }).enqueue(jobs, 2);
  await eventually('both are handled', () => handled.length === 2);
  await Promise.all(tasks);
  expect([answer.status, handled.toSorted(), tasks.length > 1]).toEqual([202, [1, 2], true]);
  expect(environments[0]).toBe(environments[1]);
});

test('where `after` is not there, or refuses, the work goes on', async () => {
  const { sluice, env, handled } = project();
  const after = () => {
    throw new Error('`after` was called outside a request scope');
  };
  await producer(sluice, { env, after }).enqueue(jobs, 1);
  await producer(sluice, { env }).enqueue(jobs, 2); // Next.js is not installed here
  await eventually('both are handled', () => handled.length === 2);
});

test('what is wrong is refused, and nothing goes unheard', async () => {
  const { sluice, env, handled } = project();
  const { after } = openAfter();
  const { POST } = serve(sluice, { env, after });
  const forged = { ...githubHeaders('{}'), 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` };
  const statuses = [
    await POST(
      post('/queue/v1/queues/jobs/messages', { body: 1, priority: 99 }),
      caught('v1', 'queues', 'jobs', 'messages'),
    ),
    await POST(post('/queue/hooks/github', {}, forged), caught('hooks', 'github')),
  ].map(({ status }) => status);
  await untilTold();
  expect([statuses, handled]).toEqual([[422, 401], []]);
});

describe('whatever the path of its route', () => {
  test.each<[string, string[], number]>([
    ['/api/sluice/health', ['health'], 200],
    ['/health', ['health'], 200],
    ['/docs/team%20a/queue/health', ['health'], 200], // with a base path of the application
    ['/api/sluice/v1/queues/', ['v1', 'queues'], 200], // with `trailingSlash`
    ['/api/sluice/v1/queues/m%C3%A9l/messages', ['v1', 'queues', 'mél', 'messages'], 404],
  ])('%s', async (path, parts, status) => {
    const { sluice, env } = project();
    const { GET } = serve(sluice, { env, after: () => {} });
    const answer = await GET(new Request(`https://x.example${path}`, { headers: AUTHORIZED }), caught(...parts));
    expect(answer.status).toBe(status);
  });

  test('a webhook keeps its bytes, and its signature holds', async () => {
    const { sluice, env, handled } = project();
    const { after } = openAfter();
    const { POST } = serve(sluice, { env, after });
    const body = '{ "zen":\t"Ünïcode 🌊 \\u0041" }\n';
    const send = (source: string, init: RequestInit) =>
      POST(
        new Request(`https://x.example/api/sluice/hooks/${source}`, { method: 'POST', ...init }),
        caught('hooks', source),
      );
    expect((await send('github', { headers: githubHeaders(body), body })).status).toBe(200);
    expect((await send('open', { body: BYTES })).status).toBe(200);
    await eventually('both are handled', () => handled.length === 2);
    expect(handled).toEqual([Buffer.from(body), Buffer.from(BYTES)]);
  });
});

test('the cron route wants the secret', async () => {
  const { sluice, env, handled } = project();
  const tick = cron(sluice, { env, after: () => {} });
  await sluice.producer(env).enqueue(jobs, 1);
  const call = (authorization: string) =>
    tick(new Request('https://x.example/api/cron', { headers: { authorization } }));
  expect([(await call('Bearer known')).status, handled]).toEqual([401, []]);
  expect([(await call(`Bearer ${CRON_SECRET}`)).status, handled]).toEqual([200, [1]]);
});
