// Producers in other Workers: the entrypoint of the deployed bundle, bound as a service.
import { Miniflare } from 'miniflare';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Outbox, startOutbox } from '../../examples/demo/outbox.ts';
import type { Fault } from '../../src/dev/emulator/faults.ts';
import { type Stack, startStack } from '../../src/dev/stack.ts';
import { settingsFor } from '../../src/dev/worker.ts';
import { builtOnce } from '../support/built-once.ts';

/** Calls what it is told to, and answers what came of it. */
const CALLER = `export default {
  async fetch(request, env) {
    const { method, args } = await request.json();
    try {
      return Response.json({ answer: await env.SLUICE[method](...args) });
    } catch ({ name, message, code, issues }) {
      return Response.json({ error: { name, message, code, issues } });
    }
  },
};`;

const callerOf = (compatibilityDate: string) => ({
  config: {
    name: `since-${compatibilityDate}`,
    compatibilityDate,
    manifest: {
      mainModule: 'caller.js',
      modulesRoot: '/',
      modules: { 'caller.js': { type: 'esm', contents: CALLER } },
    },
    env: { SLUICE: { type: 'worker', worker: 'sluice', exportName: 'SluiceQueues' } },
  },
});

interface Receipt {
  id: string;
  queue: string;
  state: string;
}

interface Called {
  answer?: Receipt & Receipt[];
  error?: { name: string; message: string; code?: string; issues?: object[] };
}

const NOW = '2026-10-20';
const LONG_AGO = '2024-04-05';
const good = { to: 'ada@example.com', token: '42' };

let fault: Fault | undefined;
let outbox: Outbox;
let stack: Stack;
let miniflare: Miniflare;

beforeAll(async () => {
  outbox = await startOutbox(() => false);
  const bundle = await builtOnce();
  const env = { OUTBOX_URL: outbox.url, SLUICE_TOKENS: '[]' }; // the API is closed: nobody has a token
  stack = await startStack({ bundle, env, emulator: { faults: () => fault } });
  const settings = settingsFor({ bundle, env: stack.env, log: () => {} });
  miniflare = new Miniflare({
    ...settings,
    workers: [...settings.workers, callerOf(NOW), callerOf(LONG_AGO)],
  } as never);
  await miniflare.ready;
}, 60_000);
afterAll(async () => {
  await miniflare.dispose();
  await stack.close();
  await outbox.close();
});

async function call(method: string, args: unknown[], since = NOW): Promise<Called> {
  const caller = await miniflare.getWorker(`since-${since}`);
  const answer = await caller.fetch('http://caller/', { method: 'POST', body: JSON.stringify({ method, args }) });
  return (await answer.json()) as Called;
}

describe('another Worker', () => {
  test('enqueues by a binding, without a token, and a drain is woken', async () => {
    const { answer } = await call('enqueue', ['confirmation.email', good, { priority: 1, headers: { a: 'b' } }]);
    expect(answer).toMatchObject({ queue: 'confirmation.email', state: 'ready', duplicate: false });
    expect(await outbox.arrival(answer?.id ?? '')).toMatchObject({ body: good });
  });

  test('enqueues many at once, each with its options beside it', async () => {
    const messages = [
      { queue: 'reports', body: 1, delay: '1h' },
      { queue: 'github.activity', body: { n: 2 } },
    ];
    const { answer = [] } = await call('enqueueMany', [messages]);
    expect(answer.map(({ queue, state }) => [queue, state])).toEqual([
      ['reports', 'delayed'],
      ['github.activity', 'ready'],
    ]);
    await outbox.arrival(answer[1]?.id ?? '');
  });

  test.each<[string, string, unknown[], string, string]>([
    ['no such queue', 'enqueue', ['nope', 1], 'invalid_message', 'queue: is no queue of this deployment'],
    ['a body that the schema does not take', 'enqueue', ['confirmation.email', {}], 'invalid_message', 'body.to: '],
    ['no body', 'enqueue', ['reports'], 'invalid_message', 'body: is required'],
    ['an option that there is not', 'enqueue', ['reports', 1, { dely: '1h' }], 'invalid_message', 'dely: '],
    ['options that are none', 'enqueue', ['reports', 1, 'soon'], 'invalid_message', ''],
    ['no messages', 'enqueueMany', [[]], 'invalid_message', 'messages: must hold 1 to 1000 messages'],
    ['no list', 'enqueueMany', [{}], 'invalid_message', 'messages: must be a list of messages'],
    ['a message that is none', 'enqueueMany', [[null]], 'invalid_message', 'messages[0].queue: '],
    [
      'one wrong of two',
      'enqueueMany',
      [[{ queue: 'reports', body: 1 }, { queue: 'reports' }]],
      'invalid_message',
      'messages[1].body: is required',
    ],
  ])('is told of %s as the HTTP API tells it, also by a text alone', async (_, method, args, code, text) => {
    const { error } = await call(method, args);
    expect(error).toMatchObject({ name: 'SluiceError', code, message: expect.stringContaining(`${code}: ${text}`) });
    expect(error?.issues?.length).toBeGreaterThan(0);
    expect((await call(method, args, LONG_AGO)).error?.message).toContain(`${code}: ${text}`);
  });

  test('is told that storage is away, and nothing of what went wrong inside', async () => {
    fault = { kind: 'reset' };
    const { error } = await call('enqueue', ['reports', 1]);
    fault = undefined;
    expect(error).toMatchObject({
      code: 'storage_unreachable',
      message: expect.stringMatching(/^storage_unreachable: /),
    });
  });
});
