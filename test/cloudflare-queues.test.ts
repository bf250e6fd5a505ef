// From Cloudflare Queues: what their handlers and their producers do means the same here.
import { Miniflare, NoOpLog } from 'miniflare';
import { describe, expect, test, vi } from 'vitest';
import { toBinding, toHandler } from '../src/adapters/cloudflare-queues.ts';
import { COMPATIBILITY_DATE } from '../src/dev/worker.ts';
import { RetryAfterError } from '../src/errors.ts';
import { createSluice, defineQueue, type Message as OwnMessage, type Producer } from '../src/index.ts';
import { startEmbedded } from './support/bench.ts';

type Batch = MessageBatch<{ order: number }>;
type Consume = (batch: Batch, env: { REGION: string }, context: ExecutionContext) => unknown;

const message: OwnMessage = {
  id: 'm1',
  queue: 'orders',
  priority: 5,
  attempt: 2,
  maxAttempts: 4,
  body: { order: 7 },
  headers: {},
  enqueuedAt: Date.UTC(2026, 0, 2, 3, 4, 5),
};

const handle = async (consume: Consume, given = message) =>
  toHandler(consume)(given, { env: { REGION: 'eu' } } as never);

/** @returns what becomes of the message */
const ended = (consume: Consume) =>
  handle(consume).then(
    () => 'acked',
    (error) => (error instanceof RetryAfterError ? `retried after ${error.delayMs} ms` : `failed: ${error.message}`),
  );

const one = ({ messages: [first] }: Batch) => first as Message<{ order: number }>;
const fail = () => {
  throw new Error('broken');
};

const ASKED = 'failed: its handler asked for a retry';
/** Handlers, and what becomes of their message. workerd gets their source. */
const ENDS: [name: string, Consume, end: string][] = [
  ['returns', () => {}, 'acked'],
  ['throws', fail, 'failed: broken'],
  ['rejects', async () => fail(), 'failed: broken'],
  ['acks', (batch) => one(batch).ack(), 'acked'],
  ['acks all', (batch) => batch.ackAll(), 'acked'],
  ['retries', (batch) => one(batch).retry(), ASKED],
  ['retries all', (batch) => batch.retryAll(), ASKED],
  ['retries later', (batch) => one(batch).retry({ delaySeconds: 90 }), 'retried after 90000 ms'],
  ['retries all later', (batch) => batch.retryAll({ delaySeconds: 90 }), 'retried after 90000 ms'],
  ['retries now', (batch) => one(batch).retry({ delaySeconds: 0 }), 'retried after 0 ms'],
  ['acks, then retries', (batch) => void [one(batch).ack(), one(batch).retry()], 'acked'],
  ['retries, then acks', (batch) => void [one(batch).retry(), one(batch).ack()], ASKED],
  ['acks, then retries all', (batch) => void [one(batch).ack(), batch.retryAll()], 'acked'],
  ['acks all, then retries', (batch) => void [batch.ackAll(), one(batch).retry()], 'acked'],
  [
    'retries, then acks all',
    (batch) => void [one(batch).retry({ delaySeconds: 1 }), batch.ackAll()],
    'retried after 1000 ms',
  ],
  [
    'retries all, then acks',
    (batch) => void [batch.retryAll({ delaySeconds: 1 }), one(batch).ack()],
    'retried after 1000 ms',
  ],
  ['retries, then throws', (batch) => void [one(batch).retry({ delaySeconds: 1 }), fail()], 'retried after 1000 ms'],
  ['acks all, then throws', (batch) => void [batch.ackAll(), fail()], 'acked'],
  ['does it behind a wait', async (batch) => void [await Promise.resolve(), one(batch).retry()], ASKED],
  ['leaves what fails', (_, __, ctx) => ctx.waitUntil(Promise.resolve().then(fail)), 'failed: broken'],
  [
    'acks, and leaves what fails',
    (batch, _, ctx) => void [one(batch).ack(), ctx.waitUntil(Promise.reject(1))],
    'acked',
  ],
];

type Told = Awaited<ReturnType<Awaited<ReturnType<Miniflare['getWorker']>>['queue']>>;

/** What workerd tells the platform, in the same words. */
function endOf({ outcome, ackAll, explicitAcks, retryMessages: [retried], retryBatch }: Told): string {
  const retry = retried ?? (retryBatch.retry ? retryBatch : undefined);
  if (explicitAcks.length > 0 || (ackAll && !retried)) return 'acked';
  if (retry) return retry.delaySeconds === undefined ? ASKED : `retried after ${retry.delaySeconds * 1_000} ms`;
  return outcome === 'ok' ? 'acked' : 'failed: broken';
}

describe('a queue() handler', () => {
  test('gets a batch of one, with what its message is', async () => {
    let seen: unknown;
    await handle((batch, env) => {
      const { id, timestamp, body, attempts } = one(batch);
      seen = { queue: batch.queue, count: batch.messages.length, id, at: timestamp.toISOString(), body, attempts, env };
    });
    expect(seen).toEqual({
      queue: 'orders',
      count: 1,
      id: 'm1',
      at: '2026-01-02T03:04:05.000Z',
      body: { order: 7 },
      attempts: 2,
      env: { REGION: 'eu' },
    });
  });

  test.each(ENDS)('that %s', async (_, consume, end) => {
    vi.spyOn(console, 'error').mockReturnValue();
    expect(await ended(consume)).toBe(end);
    vi.restoreAllMocks();
  });

  test('means in workerd, under Cloudflare Queues, what it means here', async () => {
    const handlers = ENDS.map(([name, consume]) => `${JSON.stringify(name)}: ${consume}`);
    const contents = `
      const one = ${one};
      const fail = ${fail};
      const handlers = { ${handlers} };
      export default { queue: (batch, env, ctx) => handlers[batch.messages[0].body](batch, env, ctx) };`;
    const manifest = { mainModule: 'w.js', modulesRoot: '/', modules: { 'w.js': { type: 'esm', contents } } } as const;
    const config = { name: 'w', compatibilityDate: COMPATIBILITY_DATE, manifest, env: {} };
    const options = { host: '127.0.0.1', port: 0, cf: false, log: new NoOpLog(), handleStructuredLogs() {} } as const;
    const miniflare = new Miniflare({ ...options, workers: [{ config }] });
    const worker = await miniflare.getWorker();
    const there: string[][] = [];
    for (const [name] of ENDS) {
      const batch = [{ id: 'm1', timestamp: new Date(), body: name, attempts: 1 }];
      there.push([name, endOf(await worker.queue('orders', batch))]);
    }
    await miniflare.dispose();
    expect(there).toEqual(ENDS.map(([name, , end]) => [name, end]));
  });

  test('that acks, then throws: the message is done, and the log says by what kind of error', async () => {
    const log = vi.spyOn(console, 'error').mockReturnValue();
    expect(await ended((batch) => [one(batch).ack(), fail()])).toBe('acked');
    expect(log.mock.calls).toEqual([
      ['{"level":"error","event":"queue handler failed after it settled its message","error":"Error"}'],
    ]);
    log.mockRestore();
  });

  test('what it leaves to waitUntil, and what that leaves in turn, ends before its message does', async () => {
    const steps: string[] = [];
    const step = async (name: string) => {
      await new Promise((resolve) => setImmediate(resolve));
      steps.push(name);
    };
    const consume: Consume = (_batch, _env, context) => {
      context.waitUntil(step('first').then(() => context.waitUntil(step('second'))));
    };
    steps.push(await ended(consume));
    expect(steps).toEqual(['first', 'second', 'acked']);
  });

  test('is told of no figures of a backlog, rather than of wrong ones', async () => {
    expect(await ended((batch) => batch.metadata.metrics.backlogCount)).toMatch(/^failed: .*GET \/v1\/queues/);
  });
});

test('what is sent as to Cloudflare Queues is handled as it was sent: JSON, text and bytes, each after its delay', async () => {
  const handled: [attempts: number, body: unknown][] = [];
  const orders = defineQueue('orders', {
    handler: toHandler((batch: MessageBatch) => {
      for (const { attempts, body } of batch.messages) handled.push([attempts, body]);
    }),
  });
  const redises = await startEmbedded();
  const { url, token } = redises.emulator;
  const env = { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token, SLUICE_DRAIN_MS: '20000' };
  const sluice = createSluice({ queues: [orders] });
  const QUEUE = toBinding(sluice.producer(env), orders);
  const bytes = new Uint8Array([0, 255, 128, 10]);
  const text = new TextEncoder().encode('größe');
  await QUEUE.send({ order: 1 });
  await QUEUE.send('a text', { contentType: 'text' });
  await QUEUE.send(bytes.buffer, { contentType: 'bytes' });
  await QUEUE.send(text.subarray(2), { contentType: 'bytes' });
  await QUEUE.sendBatch([{ body: { order: 2 }, delaySeconds: 3_600 }, { body: [3] }], { delaySeconds: 0 });
  await sluice.scheduled(undefined, env).finally(redises.stop);
  expect(handled).toEqual([
    [1, { order: 1 }],
    [1, 'a text'],
    [1, bytes.buffer],
    [1, text.slice(2).buffer],
    [1, [3]],
  ]);
});

describe('what is sent', () => {
  const orders = defineQueue('orders', { kind: 'pull' });
  const sent: unknown[] = [];
  const keep = async (...given: unknown[]) => void sent.push(given);
  const QUEUE = toBinding({ enqueue: keep, enqueueMany: keep } as unknown as Producer, orders);

  test('waits as long as itself says, or else as its batch does', async () => {
    sent.length = 0;
    await QUEUE.sendBatch([{ body: 1 }, { body: 2, delaySeconds: 0 }], { delaySeconds: 60 });
    await QUEUE.send(3, { delaySeconds: 5 });
    expect(sent).toEqual([
      [
        [
          { queue: orders, body: 1, options: { delay: 60_000 } },
          { queue: orders, body: 2, options: { delay: 0 } },
        ],
      ],
      [orders, 3, { delay: 5_000 }],
    ]);
  });

  test.each<[string, unknown, QueueContentType]>([
    ['v8', new Map(), 'v8'],
    ['a text that is none', 1, 'text'],
    ['bytes that are none', 'abc', 'bytes'],
  ])('is refused as %s', async (_, body, contentType) => {
    sent.length = 0;
    await expect(QUEUE.send(body, { contentType })).rejects.toThrow(TypeError);
    await expect(QUEUE.sendBatch([{ body, contentType }])).rejects.toThrow(TypeError);
    expect(sent).toEqual([]);
  });

  test('is answered without figures of a backlog', async () => {
    const { metadata } = await QUEUE.send(1);
    expect(() => metadata.metrics).toThrow('GET /v1/queues');
    await expect(QUEUE.metrics()).rejects.toThrow('GET /v1/queues');
  });
});
