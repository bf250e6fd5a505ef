// Parts that meet: schedules, of the code and of the API, and topics, each with each kind of queue, through the bundle in workerd.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import * as z from 'zod/mini';
import { type Receiver, startReceiver } from '../../examples/demo/receiver.ts';
import { type Bundle, buildBundle } from '../../src/dev/bundle.ts';
import { createSluice, defineQueue, defineSchedule } from '../../src/index.ts';
import { deploy, eventually } from '../support/worker.ts';
import { isOnce, isPulled, KINDS, optionsOf, RECEIVER } from './kinds.ts';

/** Many calls and ticks, on a machine that does other things too. */
vi.setConfig({ testTimeout: 90_000 });
const WITHIN_MS = 30_000;

const receiver: Receiver = await startReceiver([]);
afterAll(() => receiver.close());

/** The code of a deployment knows its URLs; that of the tests learns the port late. */
async function bundleFor({ url }: Receiver): Promise<Bundle> {
  const { mainModule, modules } = await buildBundle('test/pairs/worker.ts');
  const known = Object.entries(modules).map(([name, { type, contents }]) => {
    return [name, { type, contents: contents.replaceAll(RECEIVER, url) }] as const;
  });
  return { mainModule, modules: Object.fromEntries(known) };
}

const deployed = deploy({
  env: { RECEIVER: receiver.url, SLUICE_DRAIN_MS: '3000' },
  bundle: await bundleFor(receiver),
});

interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the tests say what it must be
  body: any;
}

async function call(method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await deployed().call(path, { method, ...(body === undefined ? {} : { body }) });
  return { status: answer.status, body: await answer.json() };
}

/** What callers of the API say where the code says RECEIVER. */
const wireOf = (kind: string, from: string) =>
  JSON.parse(JSON.stringify(optionsOf(kind, from)).replaceAll(RECEIVER, receiver.url)) as object;

interface Came {
  kind: string;
  from: string;
  id: string;
  headers: Record<string, string>;
}

/** What consumers elsewhere have received so far. */
const received: Came[] = [];

async function receiveAll(): Promise<void> {
  const { body } = await call('POST', '/v1/receive', { queues: KINDS.filter(isPulled), max: 100 });
  for (const { id, queue, headers, body: content } of body.messages) {
    received.push({ kind: queue, from: content.from, id, headers });
  }
  const settle = body.messages.map(({ id }: { id: string }) => ({ id, outcome: 'ack' }));
  if (settle.length > 0) await call('POST', `/v1/leases/${body.lease}/settle`, { settle });
}

function cameFrom(from: string, kind: string): Came[] {
  const delivered = receiver.arrived.map(({ path, id, headers, body }): Came => {
    return { kind: path.slice(1), from: JSON.parse(body).from, id, headers };
  });
  return [...received, ...delivered].filter((one) => one.kind === kind && one.from === from);
}

/** Ticks until all that is expected has come, and says what has not. */
async function until(from: string, isThere: (kind: string) => boolean): Promise<void> {
  let missing = KINDS;
  try {
    const haveCome = async () => {
      await deployed().worker.tick();
      await receiveAll();
      missing = KINDS.filter((kind) => !isThere(kind));
      return missing.length === 0;
    };
    await eventually('they come', haveCome, WITHIN_MS);
  } catch {
    const reports = await Promise.all(missing.map((kind) => call('GET', `/v1/schedules/${from}-${kind}`)));
    expect(reports.map(({ body }) => body)).toEqual([]);
  }
}

const occurrencesOf = (came: Came[]) => came.map(({ headers }) => Number(headers['sluice-occurrence']));

/** Every occurrence its message, none twice; of those with one key the first alone. */
function expectOccurrences(from: string): void {
  for (const kind of KINDS) {
    const came = cameFrom(from, kind);
    const occurrences = occurrencesOf(came);
    expect([kind, occurrences.every((occurrence) => occurrence > 0 && occurrence % 1_000 === 0)]).toEqual([kind, true]);
    expect([kind, new Set(occurrences).size, new Set(came.map(({ id }) => id)).size]).toEqual([
      kind,
      came.length,
      came.length,
    ]);
    if (isOnce(kind)) expect([kind, came.length]).toEqual([kind, 1]);
    if (kind.startsWith('ordered')) expect([kind, occurrences]).toEqual([kind, occurrences.toSorted((a, b) => a - b)]);
    for (const { headers } of came) expect(headers).toMatchObject({ 'sluice-schedule': `${from}-${kind}` });
  }
  expect(cameFrom(from, 'url')[0]?.headers).toMatchObject({ 'x-queue-key': 'of the queue' });
  expect(cameFrom(from, 'named')[0]?.headers).toMatchObject({ 'x-own': 'of the message' });
  expect(cameFrom(from, 'named')[0]?.headers).not.toHaveProperty('x-queue-key');
}

async function expectNoErrors(from: string): Promise<void> {
  for (const kind of KINDS) {
    const { body } = await call('GET', `/v1/schedules/${from}-${kind}`);
    expect(body).toMatchObject({ state: 'active', queue: kind, lastAt: expect.any(Number) });
    expect(body).not.toHaveProperty('lastError');
  }
  expect(deployed().logs.filter((line) => line.includes('"error"'))).toEqual([]);
}

const atLeast = (from: string, count: number) => (kind: string) =>
  cameFrom(from, kind).length >= (isOnce(kind) ? 1 : count);

describe('a schedule with each kind of queue', () => {
  test('of the code: each occurrence comes where it belongs', async () => {
    await until('code', atLeast('code', 2));
    expectOccurrences('code');
    await expectNoErrors('code');
  });

  test('of the API: each occurrence comes where it belongs, and one that is run now', async () => {
    for (const kind of KINDS) {
      const definition = { every: '1s', queue: kind, body: { from: 'api' }, ...wireOf(kind, 'api') };
      const put = await call('PUT', `/v1/schedules/api-${kind}`, definition);
      expect([kind, put.status, put.body.state]).toEqual([kind, 200, 'active']);
    }
    await until('api', atLeast('api', 2));
    expectOccurrences('api');
    await expectNoErrors('api');
    for (const kind of KINDS) {
      await call('POST', `/v1/schedules/api-${kind}/pause`);
      const run = await call('POST', `/v1/schedules/api-${kind}/run`);
      // A duplicate is 200. Those that replace what waits are one where the last occurrence still waits.
      const statuses = isOnce(kind) ? [200] : /^(replacing|debounced)$/.test(kind) ? [200, 202] : [202];
      expect([kind, statuses]).toEqual([kind, expect.arrayContaining([run.status])]);
    }
    const ran = (kind: string) => occurrencesOf(cameFrom('api', kind)).some((occurrence) => Number.isNaN(occurrence));
    await until('api', (kind) => isOnce(kind) || ran(kind));
  });
});

describe('a topic with each kind of queue', () => {
  beforeAll(async () => {
    for (const kind of KINDS) {
      const { destination } = wireOf(kind, '') as { destination?: unknown };
      const subscription = { queue: kind, ...(destination ? { destination } : {}) };
      const put = await call('PUT', `/v1/topics/all/subscriptions/${kind}`, subscription);
      expect([kind, put.status]).toEqual([kind, 200]);
    }
  });

  test('a publication comes to each, once, and says from where', async () => {
    const publication = { type: 'a.b', body: { from: 'topic' }, group: 'g' };
    const { status, body } = await call('POST', '/v1/topics/all/messages', publication);
    expect([status, body.messages.map((one: { subscription: string }) => one.subscription)]).toEqual([
      202,
      KINDS.toSorted(),
    ]);
    await until('topic', (kind) => cameFrom('topic', kind).length > 0);
    for (const kind of KINDS) {
      const [first, ...more] = cameFrom('topic', kind);
      expect([kind, more]).toEqual([kind, []]);
      expect(first?.headers).toMatchObject({
        'sluice-topic': 'all',
        'sluice-event': 'a.b',
        'sluice-subscription': kind,
      });
    }
  });

  test('with one dedup key each gets the first, and the last where that is what its queue wants', async () => {
    const publication = { type: 'a', dedup: { key: 'k', window: '5s' } }; // the second comes in time, also where the machine stands still
    const first = await call('POST', '/v1/topics/all/messages', { ...publication, body: { from: 'first' } });
    const second = await call('POST', '/v1/topics/all/messages', { ...publication, body: { from: 'second' } });
    expect([first.status, second.status]).toEqual([202, 202]);
    expect(second.body.messages.map(({ state }: { state: string }) => state)).toEqual(KINDS.map(() => 'duplicate'));
    const isLast = (kind: string) => kind === 'replacing' || kind === 'debounced';
    await until('second', (kind) => cameFrom(isLast(kind) ? 'second' : 'first', kind).length === 1);
    for (const kind of KINDS) expect([kind, cameFrom(isLast(kind) ? 'first' : 'second', kind)]).toEqual([kind, []]);
  });

  test.each<[string, object, string]>([
    ['a priority of its own', { type: 'a', body: { from: 'x' }, priority: 0 }, 'subscriptions.ordered.priority'],
    ['a body that one does not take', { type: 'a', body: { from: 7 } }, 'subscriptions.checked.body.from'],
  ])('%s is refused for all, and the field says for which', async (_, publication, field) => {
    const { status, body } = await call('POST', '/v1/topics/all/messages', publication);
    expect([status, body.errors.map((one: { field: string }) => one.field)]).toEqual([
      422,
      expect.arrayContaining([field]),
    ]);
  });
});

const DESTINATION = 'https://example.com/hook';

/** What does not fit a kind of queue, and the field that is wrong. */
const UNFIT: [kind: string, options: object, field: string][] = [
  ['push', { destination: DESTINATION }, 'destination'],
  ['pull', { destination: DESTINATION }, 'destination'],
  ['url', { destination: DESTINATION }, 'destination'],
  ['named', {}, 'destination'],
  ['named', { destination: { url: DESTINATION, secret: 'acme' } }, 'destination.secret'],
  ['named', { destination: 'data:text/plain,x' }, 'destination'],
  ['named', { destination: { url: DESTINATION, headers: { 'x-client-ip': '10.0.0.1' } } }, 'destination'],
  ['ordered-destination', {}, 'destination'],
];
const UNFIT_MESSAGES: typeof UNFIT = [
  ...UNFIT,
  ['ordered', { priority: 0 }, 'priority'],
  ['checked', { body: { from: 7 } }, 'body.from'],
  ['push', { onSuccess: { queue: 'nowhere', body: 1 } }, 'onSuccess.queue'],
];

describe('what does not fit is refused where it is defined, and the field is named', () => {
  test.each(UNFIT_MESSAGES)('a schedule of the API for %s with %j', async (kind, options, field) => {
    const definition = { every: '1h', queue: kind, body: { from: 'x' }, ...options };
    const { status, body } = await call('PUT', '/v1/schedules/unfit', definition);
    expect([status, body.errors?.[0]?.field]).toEqual([422, expect.stringContaining(field)]);
    expect((await call('GET', '/v1/schedules/unfit')).status).toBe(404);
  });

  test.each(UNFIT)('a subscription for %s with %j', async (kind, options, field) => {
    const { status, body } = await call('PUT', '/v1/topics/unfit/subscriptions/a', { queue: kind, ...options });
    expect([status, body.errors?.[0]?.field]).toEqual([422, expect.stringContaining(field)]);
    expect((await call('GET', '/v1/topics/unfit')).status).toBe(404);
  });

  const queues = {
    push: defineQueue('push', { handler: () => {} }),
    pull: defineQueue('pull', { kind: 'pull' }),
    url: defineQueue('url', { destination: { url: DESTINATION } }),
    named: defineQueue('named', { destination: true }),
    ordered: defineQueue('ordered', { ordered: true, handler: () => {} }),
    'ordered-destination': defineQueue('ordered-destination', { ordered: true, destination: true }),
    checked: defineQueue('checked', { schema: z.object({ from: z.string() }), handler: () => {} }),
  };

  test.each(UNFIT_MESSAGES)('a schedule of the code for %s with %j', (kind, options, field) => {
    const deployment = () => {
      const queue = queues[kind as keyof typeof queues];
      const schedule = defineSchedule('unfit', { every: '1h', queue, body: { from: 'x' }, ...options } as never);
      createSluice({ queues: Object.values(queues), schedules: [schedule] });
    };
    expect(deployment).toThrow(RangeError);
    expect(deployment).toThrow(new RegExp(`unfit.*(${field.replace('.', '\\.')}|no queue nowhere)`));
  });

  test('but for what only the settings of a deployment know', () => {
    const local = { every: '1h', queue: queues.named, body: 1, destination: 'http://127.0.0.1:8080/' } as const;
    expect(defineSchedule('local', local)).toMatchObject({ id: 'local' });
  });
});
