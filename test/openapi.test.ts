// The API's document says what the deployed bundle does: its routes, its answers, its refusals, and a client made from it works.
import { createHmac } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { generateApi } from 'swagger-typescript-api';
import { beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod/mini';
import { readConfig } from '../src/config/config.ts';
import { deriveStartToken } from '../src/config/start-token.ts';
import { DURATION_TEXT, parseDuration } from '../src/formats/duration.ts';
import { api } from '../src/http/functions.ts';
import { buildDocument } from '../src/http/openapi/build.ts';
import { forms } from '../src/http/openapi/describe.ts';
import type { Answer, JsonSchema, OpenApi } from '../src/http/openapi/document.ts';
import type { DocumentedRoute } from '../src/http/openapi/documented.ts';
import { renderPage } from '../src/http/openapi/page.ts';
import { ROUTES } from '../src/http/openapi/routes.ts';
import { ProblemAnswer } from '../src/http/problem.doc.ts';
import { type Deployed, deploy } from './support/worker.ts';

const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
const document = buildDocument(version);
const worked = ROUTES.filter(({ file }) => !file); // the others are static files
const calls = worked.map((route) => `${route.method.toUpperCase()} ${route.path}`);

describe('the document', () => {
  test('has every route that a deployment may serve, and no other', () => {
    const served = api.flat().map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
    expect(calls.toSorted()).toEqual(served.toSorted());
  });

  test('names each operation once, and lets nobody in without a token but where that is meant', () => {
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(ROUTES.length);
    const open = operations.filter(({ security }) => security.length === 0).map(({ operationId }) => operationId);
    // Sources have no tokens: each proves who it is in its own way.
    const proving = ['takeWebhook', 'confirmWebhook', 'permitWebhook'];
    const itself = 'furtherDrain'; // the deployment, by a token that it derives
    expect(open).toEqual([...proving, itself, 'health', 'getDocument', 'getReference', 'signIn', 'signOut']);
    for (const { security, responses } of operations) {
      if (security.length > 0)
        expect(Object.keys(responses)).toEqual(expect.arrayContaining(['401', '403', '429', '503']));
    }
  });

  test('its examples are valid', () => {
    for (const { body, answers } of ROUTES) {
      if (body) expect(z.safeParse(body.schema as z.ZodMiniType, body.example).error).toBeUndefined();
      for (const { schema, example } of answers) {
        if (schema && example) expect(z.parse(schema as z.ZodMiniType, example)).toEqual(example);
      }
    }
  });

  test('says of each number or text which ones', () => {
    expect(JSON.stringify(document)).not.toContain('["number","string"]');
  });

  test('what it refers to is there', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path);
    const missing = references.filter(
      (path) =>
        path.split('/').reduce<unknown>((at, name) => (at as Record<string, unknown>)?.[name], document) === undefined,
    );
    expect(references.length).toBeGreaterThan(50);
    expect(missing).toEqual([]);
  });

  test('its bounds of durations are those that are checked', () => {
    const durations = [...forms].flatMap(([schema, { oneOf = [] }]: [unknown, JsonSchema]) =>
      oneOf.filter(({ maximum }) => maximum !== undefined).map((bounds) => ({ schema, bounds })),
    );
    expect(durations.length).toBeGreaterThan(5);
    for (const { schema, bounds } of durations) {
      const { minimum = 0, maximum = 0 } = bounds;
      const takes = (value: number) => z.safeParse(schema as z.ZodMiniType, value).success;
      expect([minimum - 1, minimum, maximum, maximum + 1].map(takes)).toEqual([false, true, true, false]);
    }
  });

  test('its pattern for durations is the parser', () => {
    const pattern = new RegExp(DURATION_TEXT, 'u');
    const part = fc.tuple(
      fc.constantFrom('1', '20', '1.5', '.5', '1.', '', '-1'),
      fc.constantFrom('d', 'h', 'm', 's', 'ms', 'x'),
    );
    const texts = fc.array(part, { maxLength: 4 }).map((parts) => parts.flat().join(''));
    fc.assert(
      fc.property(texts, (text) => pattern.test(text) === (parseDuration(text) !== undefined)),
      { numRuns: 2_000 },
    );
  });
});

const SENT_BACK = ['idempotent-replayed', 'sluice-messages', 'retry-after', 'www-authenticate'];

/** The answer stands in the document as it came. @returns its body */
async function documented(operationId: string, answer: Response): Promise<Record<string, unknown>> {
  const route = ROUTES.find((one) => one.operationId === operationId) as DocumentedRoute;
  const response = document.paths[route.path]?.[route.method]?.responses[answer.status];
  if (!response) throw new Error(`${operationId} answers an undocumented ${answer.status}: ${await answer.text()}`);
  const { headers = {}, content, description } = resolved(response);
  const [type = ''] = (answer.headers.get('content-type') ?? '').split(';');
  expect(Object.keys(content)).toContain(type);
  const known = Object.keys(headers).map((name) => name.toLowerCase());
  expect(known).toEqual(expect.arrayContaining(SENT_BACK.filter((name) => answer.headers.has(name))));
  if (type.startsWith('text/')) return { text: await answer.text() };
  const body = (await answer.json()) as Record<string, unknown>;
  const schema = answer.ok ? route.answers.find(({ status }) => status === answer.status)?.schema : ProblemAnswer;
  expect(z.parse(schema as z.ZodMiniType, body)) // of other fields nothing would be left
    .toEqual(body);
  if (!answer.ok) expect(description).toContain(`\`${body.code}\``);
  return body;
}

function resolved(response: Answer | { $ref: string }): Answer {
  if (!('$ref' in response)) return response;
  return document.components.responses[response.$ref.split('/').at(-1) ?? ''] as Answer;
}

const SIGNED = JSON.stringify({ action: 'opened' });
const GITHUB = {
  params: { source: 'github' },
  body: { action: 'opened' },
  headers: { 'x-hub-signature-256': `sha256=${createHmac('sha256', 'secret').update(SIGNED).digest('hex')}` },
};

interface Sent {
  params?: Record<string, string>;
  query?: string;
  body?: unknown;
  headers?: Record<string, string>;
  token?: null;
}

function send(
  deployed: Deployed,
  operationId: string,
  { params = {}, query = '', ...rest }: Sent = {},
): Promise<Response> {
  const { method, path, scope } = ROUTES.find((one) => one.operationId === operationId) as DocumentedRoute;
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => params[name] ?? 'reports');
  return deployed.call(filled + query, { method: method.toUpperCase(), ...(scope ? {} : { token: null }), ...rest });
}

describe('the deployed bundle', () => {
  // A drain waits for timers that are near.
  const deployed = deploy({ env: { SLUICE_DRAIN_MS: '1000', GITHUB_WEBHOOK_SECRET: 'secret' } });
  const broken = deploy({ env: { SLUICE_BATCH: 'many' } });

  /** A message in `reports`, and where it is made so, received or dead. */
  async function message(outcome?: 'leased' | 'dead'): Promise<{ id: string; lease: string }> {
    const { id } = (await (await send(deployed(), 'enqueue', { body: { body: { n: 1 }, group: 'g' } })).json()) as {
      id: string;
    };
    if (!outcome) return { id, lease: '' };
    const received = await send(deployed(), 'receive', { body: { queues: ['reports'], max: 100 } });
    const { lease } = (await received.json()) as { lease: string };
    if (outcome === 'dead') {
      const settle = [{ id, outcome: 'dead', error: 'no luck' }];
      await send(deployed(), 'settle', { params: { lease }, body: { settle } });
    }
    return { id, lease };
  }

  const SHARD = { params: { shard: 'b' } };
  const RING = { params: { ring: 'sites' } };
  const SITES = { items: ['a.example', 'b.example'] };
  const FROM_PAGE = { 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' };
  const QUEUES = { queues: ['reports'] };
  const FILLED = async () => {
    await Promise.all([message(), message('leased'), message('dead')]);
    return {};
  };
  const SUBSCRIPTION = { topic: 'a', subscription: 'b' };
  const SUBSCRIBED = () => ({ params: SUBSCRIPTION, body: { queue: 'reports', events: ['a.*'] } });
  const SUBSCRIBED_FIRST = async () => {
    await send(deployed(), 'subscribe', SUBSCRIBED());
    return { params: SUBSCRIPTION };
  };
  const A = { schedule: 'a' };
  const OFTEN = { every: '1h', queue: 'reports', body: { n: 1 } };
  const SCHEDULED = async (sent: Sent): Promise<Sent> => {
    await send(deployed(), 'putSchedule', { params: A, body: OFTEN });
    return sent;
  };
  const done: [operationId: string, what: string, sent: () => Promise<Sent> | Sent][] = [
    ['enqueue', 'a message', () => ({ body: { body: null, headers: { a: 'b' } } })],
    [
      'enqueue',
      'a repeated one',
      async () => {
        const sent = { body: { body: 1 }, headers: { 'idempotency-key': 'again' } };
        await send(deployed(), 'enqueue', sent);
        return sent;
      },
    ],
    [
      'enqueue',
      'a duplicate that replaces',
      async () => {
        const sent = { body: { body: 1, dedup: { key: 'a', mode: 'replace' }, delay: '1h' } };
        await send(deployed(), 'enqueue', sent);
        return sent;
      },
    ],
    [
      'enqueueBatch',
      'a message and its duplicate',
      () => {
        const twin = { queue: 'reports', body: 1, dedup: { key: 'b' } };
        return { body: { messages: [twin, twin] } };
      },
    ],
    [
      'enqueueBatch',
      'two',
      () => ({
        body: {
          messages: [
            { queue: 'reports', body: 1 },
            { queue: 'reports', body: 2, delay: '1h' },
          ],
        },
      }),
    ],
    [
      'receive',
      'messages',
      async () => {
        await message();
        return { body: { ...QUEUES, visibility: '1m' } };
      },
    ],
    [
      'receive',
      'nothing',
      async () => {
        await send(deployed(), 'enqueue', { params: { queue: 'reports' }, body: { body: 1, delay: '1h' } });
        await send(deployed(), 'purgeQueue', { body: { states: ['ready'] } });
        return { body: QUEUES };
      },
    ],
    [
      'settle',
      'an ack',
      async () => {
        const { id, lease } = await message('leased');
        return { params: { lease }, body: { settle: [{ id, attempt: 1, outcome: 'ack' }], extend: '1m' } };
      },
    ],
    [
      'settle',
      'with more',
      async () => {
        const { id, lease } = await message('leased');
        await message();
        const settle = [
          { id, outcome: 'retry', delay: 0 },
          { id: 'nobody', outcome: 'ack' },
        ];
        return { params: { lease }, body: { settle, receive: { ...QUEUES, holding: 0 } } };
      },
    ],
    [
      'settle',
      'a lease that is lost',
      () => ({ params: { lease: 'nobody~reports' }, body: { receive: { ...QUEUES, holding: 3 } } }),
    ],
    ['takeWebhook', 'an event', () => GITHUB],
    ['takeWebhook', 'the same again', () => GITHUB],
    ['listSources', 'all', () => ({})],
    ['listQueues', 'all', FILLED],
    ['listQueues', 'a page', () => ({ query: '?limit=1&search=re' })],
    ['getQueue', 'one', FILLED],
    ['listCauses', 'of the dead', FILLED],
    ['listLeases', 'all', FILLED],
    ['signIn', 'with a token', () => ({ headers: FROM_PAGE, body: { token: deployed().stack.token } })],
    ['getSession', 'by token', () => ({})],
    ['signOut', 'without a session', () => ({ headers: FROM_PAGE })],
    ['listMessages', 'ready', FILLED],
    [
      'listMessages',
      'a page of the dead',
      async () => {
        await FILLED();
        await FILLED();
        return { query: '?state=dead&limit=1' };
      },
    ],
    ['listMessages', 'leased', async () => ({ ...(await FILLED()), query: '?state=leased' })],
    ['overrideQueue', 'it', () => ({ body: { paused: false } })],
    ['pauseQueue', 'it', () => ({})],
    ['resumeQueue', 'it', () => ({})],
    ['getMessage', 'ready', async () => ({ params: { id: (await message()).id } })],
    ['getMessage', 'dead', async () => ({ params: { id: (await message('dead')).id } })],
    [
      'getMessage',
      'done, with its result',
      async () => {
        const kept = await send(deployed(), 'enqueue', { body: { body: 1, resultTtl: '1h', priority: 0 } });
        const { id } = (await kept.json()) as { id: string };
        const received = await send(deployed(), 'receive', { body: { queues: ['reports'], max: 100 } });
        const { lease } = (await received.json()) as { lease: string };
        const settle = [{ id, outcome: 'ack', result: { pages: 7 } }];
        await send(deployed(), 'settle', { params: { lease }, body: { settle } });
        return { params: { id } };
      },
    ],
    [
      'getMessage',
      'cancelled while leased',
      async () => {
        const { id } = await message('leased');
        await send(deployed(), 'cancelMessage', { params: { id } });
        return { params: { id } };
      },
    ],
    ['cancelMessage', 'leased', async () => ({ params: { id: (await message('leased')).id } })],
    ['redriveDead', 'by id', async () => ({ body: { ids: [(await message('dead')).id, 'nobody'] } })],
    ['redriveDead', 'so many', async () => ({ ...(await FILLED()), body: { limit: 2 } })],
    ['purgeQueue', 'by default', async () => ({ ...(await FILLED()), body: {} })],
    ['purgeDead', 'all', FILLED],
    [
      'listRings',
      'a page',
      async () => {
        for (const ring of ['sites', 'shops']) await send(deployed(), 'addToRing', { params: { ring }, body: SITES });
        return { query: '?limit=1' };
      },
    ],
    [
      'getRing',
      'a page',
      async () => {
        await send(deployed(), 'addToRing', { ...RING, body: SITES });
        return { ...RING, query: '?limit=1' };
      },
    ],
    ['addToRing', 'two', () => ({ ...RING, body: SITES })],
    ['removeFromRing', 'one', () => ({ ...RING, body: { items: ['a'] } })],
    ['rotateRing', 'by one', () => ({ ...RING, body: {} })],
    ['dropRing', 'all', () => RING],
    ['listShards', 'one', () => ({})],
    ['audit', 'deep', () => ({ query: '?deep=true' })],
    ['listDestinations', 'all', () => ({})],
    ['putSchedule', 'of cron', () => ({ params: A, body: { cron: '0 9 * * *', queue: 'reports', body: 1 } })],
    ['putSchedule', 'of an interval', () => ({ params: A, body: { ...OFTEN, catchUp: { all: 3 }, priority: 1 } })],
    ['listSchedules', 'a page', () => SCHEDULED({ query: '?limit=1' })],
    ['getSchedule', 'one', () => SCHEDULED({ params: A })],
    ['runSchedule', 'it', () => SCHEDULED({ params: A })],
    [
      'runSchedule',
      'a duplicate',
      async () => {
        const params = { schedule: 'b' };
        await send(deployed(), 'putSchedule', { params, body: { ...OFTEN, dedup: { key: 'same' } } });
        await send(deployed(), 'runSchedule', { params });
        return { params };
      },
    ],
    ['pauseSchedule', 'it', () => SCHEDULED({ params: A })],
    ['resumeSchedule', 'it', () => SCHEDULED({ params: A })],
    ['deleteSchedule', 'it', () => SCHEDULED({ params: A })],
    ['drain', 'by hand', () => ({})],
    [
      'drain',
      'with work',
      async () => {
        await send(deployed(), 'enqueue', { params: { queue: 'github.review' }, body: { body: 1, delay: '1s' } });
        return {};
      },
    ],
    ['getDrain', 'behind its answer', () => ({ query: '?wait=false' })],
    [
      'furtherDrain',
      'by itself',
      async () => ({ query: '?place=1', token: await deriveStartToken(readConfig(deployed().stack.env)) }),
    ],
    ['sweep', 'by hand', () => ({})],
    ['subscribe', 'a queue', SUBSCRIBED],
    [
      'subscribe',
      'a destination',
      () => ({
        params: { topic: 'b', subscription: 'c' },
        body: { queue: 'webhook.out', destination: { url: 'https://example.com', headers: { 'x-a': 'b' } } },
      }),
    ],
    ['enableSubscription', 'one', SUBSCRIBED_FIRST],
    ['listTopics', 'all', SUBSCRIBED_FIRST],
    ['getTopic', 'one', SUBSCRIBED_FIRST],
    [
      'publish',
      'to a queue, and a duplicate',
      async () => {
        const sent = { ...(await SUBSCRIBED_FIRST()), body: { type: 'a.b', body: 1, dedup: { key: 'c' } } };
        await send(deployed(), 'publish', sent);
        return sent;
      },
    ],
    [
      'publish',
      'a repeated one',
      async () => {
        const sent = {
          ...(await SUBSCRIBED_FIRST()),
          body: { type: 'a.b', body: 1 },
          headers: { 'idempotency-key': 'p' },
        };
        await send(deployed(), 'publish', sent);
        return sent;
      },
    ],
    ['unsubscribe', 'one', SUBSCRIBED_FIRST],
    ['removeTopic', 'one', SUBSCRIBED_FIRST],
    ['getStats', 'of the last hour', FILLED],
    ['getStats', 'of a queue and the last day', () => ({ query: '?range=24h&queue=reports' })],
    ['getMetrics', 'as text', FILLED],
    ['health', 'open', () => ({})],
    ['getDocument', 'open', () => ({})],
    ['getReference', 'open', () => ({})],
  ];

  test.each(done)('%s answers as documented: %s', async (operationId, _, sent) => {
    const answer = await send(deployed(), operationId, await sent());
    expect(answer.ok).toBe(true);
    await documented(operationId, answer);
  });

  const NO_RING = { params: { ring: 'a%20b' } };
  const NO_SOURCE = { params: { source: 'nobody' } };
  const NO_QUEUE = { params: { queue: 'nowhere' } };
  const NO_MESSAGE = { params: { id: 'nobody' } };
  const NO_SCHEDULE = { params: { schedule: 'nobody' } };
  const OF_CODE = { schedule: 'weekly-digest' };
  const refused: [operationId: string, code: string, sent: Sent][] = [
    ['enqueue', 'unknown_queue', { ...NO_QUEUE, body: { body: 1 } }],
    ['enqueue', 'invalid_message', { body: { priority: 10 } }],
    ['enqueue', 'invalid_idempotency_key', { body: { body: 1 }, headers: { 'idempotency-key': 'a b' } }],
    ['enqueue', 'too_large', { body: { body: 'x'.repeat(300_000) } }],
    ['enqueueBatch', 'invalid_message', { body: { messages: [{ queue: 'nowhere' }] } }],
    ['enqueueBatch', 'invalid_message', { body: { messages: Array(1_001).fill({ queue: 'reports', body: 1 }) } }],
    ['enqueueBatch', 'unauthorized', { token: null, body: {} }],
    ['receive', 'not_a_pull_queue', { body: { queues: ['github.review'] } }],
    ['receive', 'invalid_message', { body: { queues: [], max: 101, visibility: 1 } }],
    ['settle', 'not_found', { params: { lease: 'a%20b' }, body: {} }],
    ['settle', 'invalid_message', { params: { lease: 'l~reports' }, body: { settle: [{ id: 'x', outcome: 'lost' }] } }],
    ['enqueue', 'invalid_message', { params: { queue: 'webhook.out' }, body: { body: 1, destination: 'data:,x' } }],
    ['subscribe', 'invalid_message', { params: { topic: 'a', subscription: 'b' }, body: { queue: 'nowhere' } }],
    ['getTopic', 'unknown_topic', { params: { topic: 'nowhere' } }],
    ['publish', 'unknown_topic', { params: { topic: 'nowhere' }, body: { type: 'a', body: 1 } }],
    ['publish', 'invalid_message', { params: { topic: 'a' }, body: { type: 'a b', body: 1 } }],
    ['listTopics', 'unauthorized', { token: null }],
    ['enableSubscription', 'unknown_subscription', { params: { topic: 'nowhere', subscription: 'a' } }],
    ['unsubscribe', 'unknown_topic', { params: { topic: '-', subscription: 'a' } }],
    ['removeTopic', 'unknown_topic', { params: { topic: '-' } }],
    ['takeWebhook', 'unknown_source', { ...NO_SOURCE, body: {} }],
    ['takeWebhook', 'invalid_signature', { params: { source: 'github' }, body: {} }],
    ['takeWebhook', 'unsupported_encoding', { ...GITHUB, headers: { 'content-encoding': 'br' } }],
    ['takeWebhook', 'too_large', { ...GITHUB, body: 'x'.repeat(300_000) }],
    ['confirmWebhook', 'unknown_source', NO_SOURCE],
    ['confirmWebhook', 'method_not_allowed', { params: { source: 'github' } }],
    ['permitWebhook', 'unknown_source', NO_SOURCE],
    ['permitWebhook', 'method_not_allowed', { params: { source: 'github' } }],
    ['listSources', 'unauthorized', { token: null }],
    ['listQueues', 'unauthorized', { token: null }],
    ['getQueue', 'unknown_queue', NO_QUEUE],
    ['listMessages', 'invalid_message', { query: '?state=lost' }],
    ['overrideQueue', 'invalid_message', { body: { paused: 1 } }],
    ['pauseQueue', 'unknown_queue', NO_QUEUE],
    ['resumeQueue', 'unknown_queue', NO_QUEUE],
    ['purgeQueue', 'invalid_message', { body: { states: ['leased'] } }],
    ['receive', 'invalid_json', {}],
    ['redriveDead', 'invalid_message', { body: { limit: 0 } }],
    ['purgeDead', 'unknown_queue', NO_QUEUE],
    ['getMessage', 'unknown_message', NO_MESSAGE],
    ['cancelMessage', 'unknown_message', NO_MESSAGE],
    ['listRings', 'invalid_message', { query: '?cursor=%7B' }],
    ['getRing', 'unknown_ring', { params: { ring: 'nowhere' } }],
    ['getRing', 'invalid_message', { ...RING, query: '?cursor=-1' }],
    ['addToRing', 'unknown_ring', { ...NO_RING, body: SITES }],
    ['addToRing', 'invalid_message', { ...RING, body: { items: ['a\nb'] } }],
    ['removeFromRing', 'invalid_json', RING],
    ['rotateRing', 'invalid_message', { ...RING, body: { count: 1_001 } }],
    ['dropRing', 'unknown_ring', NO_RING],
    ['listShards', 'unauthorized', { token: null }],
    ['activateShard', 'shard_refused', { ...SHARD, body: {} }],
    ['drainShard', 'shard_refused', SHARD],
    ['evacuateShard', 'shard_refused', { ...SHARD, body: {} }],
    ['verifyShard', 'shard_refused', SHARD],
    ['forgetShard', 'shard_refused', { ...SHARD, body: {} }],
    ['weighShard', 'invalid_message', { ...SHARD, body: { weight: 0 } }],
    ['pinQueues', 'invalid_message', { body: { queue: 'a b', shard: 'b' } }],
    ['unpinQueues', 'shard_refused', { body: { queue: 'billing.*' } }],
    ['audit', 'invalid_message', { query: '?deep=1' }],
    ['listDestinations', 'invalid_message', { query: '?cursor=x' }],
    ['putSchedule', 'invalid_message', { params: A, body: { ...OFTEN, every: '1ms', tz: 'Nowhere' } }],
    ['putSchedule', 'invalid_json', { params: A }],
    ['putSchedule', 'schedule_of_code', { params: OF_CODE, body: OFTEN }],
    ['listSchedules', 'invalid_message', { query: '?limit=0' }],
    ['getSchedule', 'unknown_schedule', NO_SCHEDULE],
    ['runSchedule', 'unknown_schedule', NO_SCHEDULE],
    ['runSchedule', 'unauthorized', { ...NO_SCHEDULE, token: null }],
    ['pauseSchedule', 'unknown_schedule', NO_SCHEDULE],
    ['resumeSchedule', 'unknown_schedule', NO_SCHEDULE],
    ['deleteSchedule', 'unknown_schedule', NO_SCHEDULE],
    ['deleteSchedule', 'schedule_of_code', { params: OF_CODE }],
    ['drain', 'unauthorized', { token: null }],
    ['getDrain', 'invalid_message', { query: '?wait=1' }],
    ['furtherDrain', 'unauthorized', { query: '?place=1' }],
    ['sweep', 'unauthorized', { token: null }],
    ['getStats', 'unknown_queue', { query: '?queue=nowhere' }],
    ['getStats', 'invalid_message', { query: '?range=2h' }],
    ['getMetrics', 'unauthorized', { token: null }],
    ['health', 'misconfigured', {}],
    ['listQueues', 'invalid_message', { query: '?limit=1001' }],
    ['listLeases', 'invalid_message', { query: '?cursor=-1' }],
    ['listCauses', 'unknown_queue', NO_QUEUE],
    ['signIn', 'cross_site', { body: { token: 'x' } }],
    ['signIn', 'unauthorized', { headers: FROM_PAGE, body: { token: 'x' } }],
    ['signIn', 'invalid_message', { headers: FROM_PAGE, body: { token: '' } }],
    ['getSession', 'unauthorized', { token: null }],
    ['signOut', 'cross_site', {}],
  ];

  test.each(refused)('%s refuses as documented: %s', async (operationId, code, sent) => {
    const answer = await send(code === 'misconfigured' ? broken() : deployed(), operationId, sent);
    expect((await documented(operationId, answer)).code).toBe(code);
  });

  test('each operation was called here, and refused here', () => {
    const all = ROUTES.map(({ operationId }) => operationId).toSorted();
    // None of this deployment's sources asks by GET or OPTIONS: test/webhooks has some that do. It has one shard: test/shards has more.
    const elsewhere =
      /^(?:(?:confirm|permit)Webhook|(?:activate|drain|evacuate|verify|forget|weigh)Shard|(?:un)?pinQueues)$/;
    const here = all.filter((operationId) => !elsewhere.test(operationId));
    expect([...new Set(done.map(([operationId]) => operationId))].toSorted()).toEqual(here);
    const refusing = worked.map(({ operationId }) => operationId).toSorted();
    expect([...new Set(refused.map(([operationId]) => operationId))].toSorted()).toEqual(refusing);
  });

  test('serves the document to anybody, and lets caches keep it', async () => {
    const answer = await send(deployed(), 'getDocument');
    expect(await answer.json()).toEqual(document);
    expect(answer.headers.get('cache-control')).toMatch(/^public, max-age=\d+$/);
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
  });

  test('serves a page that loads and runs nothing, with every operation on it', async () => {
    const answer = await send(deployed(), 'getReference');
    const page = await answer.text();
    for (const { operationId } of ROUTES) expect(page).toContain(`id="${operationId}"`);
    for (const name of Object.keys(document.components.schemas)) expect(page).toContain(`id="${name}"`);
    expect(page).not.toMatch(/<script|<link|<img| on\w+=| style=|="?(https?:)?\/\//i);
    const policy = answer.headers.get('content-security-policy') ?? '';
    const [, style = ''] = /<style>(.*)<\/style>/s.exec(page) ?? [];
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(style));
    expect(policy).toContain(`default-src 'none'; style-src 'sha256-${Buffer.from(digest).toString('base64')}';`);
    expect(policy).not.toContain('unsafe');
    const links = [...page.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
    for (const id of links) expect(page).toContain(`id="${id}"`);
  });
});

test('the page escapes whatever the document says', () => {
  const evil = '<script>alert("1")</script>&\'';
  const spoilt = JSON.parse(
    JSON.stringify(document, (key, value) => (typeof value === 'string' && key !== '$ref' ? `${value}${evil}` : value)),
  ) as OpenApi;
  const page = renderPage(spoilt, '');
  expect(page).not.toContain('<script');
  expect(page).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;');
});

interface Client {
  v1: {
    enqueue(queue: string, data: object, params?: object): Promise<{ data: { id: string; state: string } }>;
    receive(
      data: object,
    ): Promise<{ data: { lease: string; messages: { id: string; attempt: number; body: unknown }[] } }>;
    settle(lease: string, data: object): Promise<{ data: { settled: { id: string; status: string }[] } }>;
    getQueue(queue: string): Promise<{ data: { ready: object; leased: number } }>;
  };
}

describe('a client that a generator makes of the document', () => {
  const deployed = deploy();
  let client: Client;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-client-'));
    try {
      const options = { input: join(process.cwd(), 'dist/assets/openapi.json'), output: folder, fileName: 'client.ts' };
      await generateApi({ ...options, httpClientType: 'fetch', silent: true });
      const { Api } = await import(pathToFileURL(join(folder, 'client.ts')).href);
      const { worker, stack } = deployed();
      const headers = { authorization: `Bearer ${stack.token}` };
      client = new Api({ baseUrl: worker.url, baseApiParams: { headers, format: 'json' } }) as Client;
    } finally {
      await rm(folder, { recursive: true });
    }
  }, 120_000);

  test('enqueues, receives and settles', async () => {
    const sent = { body: { report: 7 }, priority: 1 };
    const { data: receipt } = await client.v1.enqueue('reports', sent, { headers: { 'Idempotency-Key': 'report-7' } });
    expect(receipt).toMatchObject({ state: 'ready', queue: 'reports' });
    const { data: received } = await client.v1.receive({ queues: ['reports'], visibility: '1m' });
    expect(received.messages).toMatchObject([{ id: receipt.id, body: { report: 7 }, attempt: 1 }]);
    const settle = received.messages.map(({ id, attempt }) => ({ id, attempt, outcome: 'ack' }));
    const { data: settled } = await client.v1.settle(received.lease, { settle });
    expect(settled).toEqual({ settled: [{ id: receipt.id, status: 'acked' }] });
    expect((await client.v1.getQueue('reports')).data).toMatchObject({ ready: {}, leased: 0 });
  });

  test('is told what is wrong in the type of the document', async () => {
    const refusal = client.v1.enqueue('reports', { priority: 1 });
    await expect(refusal).rejects.toMatchObject({ status: 422, error: { code: 'invalid_message' } });
  });
});
