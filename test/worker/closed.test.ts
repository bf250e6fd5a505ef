// Every route of the API is closed: to no token, to a token without its scope, and to one for other queues.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { buildDocument } from '../../src/http/openapi/build.ts';
import { deploy } from '../support/worker.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const SCOPES = ['enqueue', 'receive', 'admin', 'tick'];
const PLAIN = 'correct-horse-battery-staple-2026';
const deployed = deploy({
  env: {
    SLUICE_TOKENS: JSON.stringify([
      ...SCOPES.map((scope) => ({ name: scope, sha256: sha256(scope), scopes: [scope] })),
      { name: 'elsewhere', sha256: sha256('elsewhere'), scopes: SCOPES, queues: ['elsewhere.*'] },
    ]),
    SLUICE_TOKEN: PLAIN,
    SLUICE_TOKEN_LOOK: JSON.stringify({ sha256: sha256('looker'), scopes: ['admin'] }),
  },
});

interface Operation {
  operationId: string;
  security?: unknown[];
}
const document: { paths: Record<string, Record<string, Operation>> } = buildDocument('0.0.0');

/** Without tokens on purpose; sources of webhooks prove who they are (test/webhooks), browsers in a session (test/session). */
const OPEN = [
  'health',
  'getDocument',
  'getOpenApi',
  'getReference',
  'takeWebhook',
  'confirmWebhook',
  'permitWebhook',
  'signIn',
  'signOut',
  'furtherDrain',
];

const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods)
    .filter(([method, { operationId }]) => method !== 'parameters' && !OPEN.includes(operationId))
    .map(([method, { operationId }]) => ({ operationId, method: method.toUpperCase(), path })),
);

/** What the caller would have to be allowed: one of these. */
function scopesOf(path: string, method: string): string[] {
  return path === '/v1/drain' ? ['tick', 'admin'] : [scopeOf(path, method)];
}

function scopeOf(path: string, method: string): string {
  if (/\/(receive|settle|rotate)$/.test(path)) return 'receive';
  if (method === 'POST' && /\/messages$/.test(path)) return 'enqueue';
  return 'admin';
}

const BODIES: Record<string, unknown> = {
  '/v1/messages': { messages: [{ queue: 'reports', body: 1 }] },
  '/v1/receive': { queues: ['reports'] },
  '/v1/topics/{topic}/subscriptions/{subscription}': { queue: 'reports' },
  '/v1/schedules/{schedule}': { every: '1h', queue: 'reports', body: 1 },
  '/v1/leases/{lease}/settle': { receive: { queues: ['reports'], holding: 0 } },
};

async function call(path: string, method: string, token: string | null) {
  const real = path
    .replace(/\{queue\}|\{ring\}|\{topic\}/, 'reports')
    .replace(/\{id\}|\{subscription\}/, 'some-id')
    .replace('{lease}', 'some-lease~reports')
    .replace('{schedule}', 'some-schedule');
  const answer = await deployed().call(real, {
    method,
    token,
    ...(method === 'GET' || method === 'DELETE' ? {} : { body: BODIES[path] ?? { body: 1 } }),
  });
  const isJson = answer.headers.get('content-type')?.includes('json');
  return [answer.status, isJson ? ((await answer.json()) as { code: string }).code : undefined];
}

test.each([PLAIN, 'looker'])('%s, from a binding of its own, opens it', async (token) => {
  expect((await deployed().call('/v1/queues', { method: 'GET', token })).status).toBe(200);
});

test('the document names every route that there is to close', () => {
  expect(routes.length).toBeGreaterThanOrEqual(18);
});

test('POST /v1/drain/further is for the deployment itself: no token of a caller opens it', async () => {
  for (const token of [null, 'elsewhere', ...SCOPES]) {
    expect(await call('/v1/drain/further', 'POST', token)).toEqual([401, 'unauthorized']);
  }
});

describe.each(routes)('$method $path', ({ method, path }) => {
  test('without a token: 401', async () => {
    expect(await call(path, method, null)).toEqual([401, 'unauthorized']);
  });

  test.each(SCOPES.filter((scope) => !scopesOf(path, method).includes(scope)))(
    'with the scope %s only: 403',
    async (scope) => {
      expect(await call(path, method, scope)).toEqual([403, 'forbidden']);
    },
  );

  test('with a token for other queues: 403, or 404 where there is none to name a queue', async () => {
    const schedule = path.startsWith('/v1/schedules/') && method !== 'PUT';
    const unknown = path === '/v1/messages/{id}' ? 'unknown_message' : schedule ? 'unknown_schedule' : undefined;
    expect(await call(path, method, 'elsewhere')).toEqual(unknown ? [404, unknown] : listed(path));
  });
});

/** These are not refused: lists and figures are empty, and a token may be told what it may. */
const LISTS = [
  '/v1/queues',
  '/v1/rings',
  '/v1/schedules',
  '/v1/topics',
  '/v1/destinations',
  '/v1/stats',
  '/metrics',
  '/session',
];

function listed(path: string): unknown[] {
  return LISTS.includes(path) ? [200, undefined] : [403, 'forbidden'];
}
