// Consumers as processes: two share a long queue, and the example does its work on each runtime that is here.
import { execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, test } from 'vitest';
import { createClient } from '../../src/client/index.ts';
import { AT_MOST } from '../support/shell.ts';
import { deploy, eventually } from '../support/worker.ts';

interface Handled {
  id: string;
  attempt: number;
  group: string;
  body: { n: number };
}

interface Consumer {
  handled: Handled[];
  isReady: () => boolean;
  /** SIGTERM; the exit code. */
  stop(): Promise<number | null>;
}

const deployed = deploy({ redis: 'auto' });
const client = () => createClient({ url: deployed().worker.url, token: deployed().stack.token });
const kills: (() => void)[] = [];
afterEach(() => {
  for (const kill of kills.splice(0)) kill();
});

function start(command: string, args: string[]): Consumer {
  const env = { ...process.env, SLUICE_URL: deployed().worker.url, SLUICE_TOKEN: deployed().stack.token };
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  kills.push(() => child.kill('SIGKILL'));
  const handled: Handled[] = [];
  let isReady = false;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const one = JSON.parse(line) as Handled | 'ready';
    if (one === 'ready') isReady = true;
    else handled.push(one);
  });
  return {
    handled,
    isReady: () => isReady,
    stop() {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

const left = async () => {
  const answer = await deployed().call('/v1/queues/reports', { method: 'GET' });
  const { ready, delayed, leased, dead } = (await answer.json()) as Record<string, unknown>;
  return { ready, delayed, leased, dead };
};
const EMPTY = { ready: {}, delayed: 0, leased: 0, dead: 0 };

test('two processes share a queue: each message once, each lane in order, and both get work', async () => {
  const batches = deployed().stack.redis === 'redis-server' ? 10 : 2;
  const consumers = [1, 2].map(() => start(process.execPath, ['test/client/consumer-process.ts']));
  await eventually('both have begun', () => consumers.every(({ isReady }) => isReady()));
  const began = Date.now();
  const ids: string[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const messages = Array.from({ length: 1_000 }, (_, i) => {
      const n = batch * 1_000 + i;
      return { queue: 'reports', body: { n }, options: { group: `g${n % 7}` } };
    });
    ids.push(...(await client().enqueueMany(messages)).map(({ id }) => id));
  }
  const enqueuedMs = Date.now() - began;
  const handled = () => consumers.flatMap((consumer) => consumer.handled);
  await eventually('all are handled', () => handled().length >= ids.length, 60_000);
  const ms = Date.now() - began;
  expect(await Promise.all(consumers.map((consumer) => consumer.stop()))).toEqual([0, 0]);

  expect(handled().map(({ id }) => id).toSorted()).toEqual(ids.toSorted()); // biome-ignore format: one thought
  expect(new Set(handled().map(({ attempt }) => attempt))).toEqual(new Set([1]));
  for (const consumer of consumers) {
    for (let group = 0; group < 7; group++) {
      const order = consumer.handled.filter((one) => one.group === `g${group}`).map(({ body }) => body.n);
      expect(order).toEqual(order.toSorted((a, b) => a - b));
    }
  }
  const shares = consumers.map((consumer) => consumer.handled.length);
  expect(Math.min(...shares)).toBeGreaterThan(ids.length / 10);
  expect(await left()).toEqual(EMPTY);
  console.log(`${deployed().stack.redis}: ${ids.length} messages in ${ms} ms (${enqueuedMs} ms to enqueue), ${shares}`);
}, 120_000);

const RUNTIMES: [string, string, string[]][] = [
  ['Node', process.execPath, []],
  ['Deno', 'deno', ['run', '--allow-net', '--allow-env']],
  ['Bun', 'bun', []],
];

describe('the example', () => {
  test.each(RUNTIMES)('on %s', async (name, command, args) => {
    if (!isPresent(command)) {
      console.log(`skipped: there is no ${name} on the PATH`);
      return;
    }
    const consumer = start(command, [...args, 'examples/consumer.ts']);
    const receipts = await client().enqueueMany(
      Array.from({ length: 12 }, (_, n) => ({ queue: 'reports', body: { n } })),
    );
    await eventually('all are handled', () => consumer.handled.length === 12);
    expect(await consumer.stop()).toBe(0);
    expect(consumer.handled).toEqual(receipts.map(({ id }, n) => ({ id, attempt: 1, body: { n } })));
    expect(await left()).toEqual(EMPTY);
  });
});

function isPresent(command: string): boolean {
  try {
    execFileSync(command, ['--version'], { ...AT_MOST, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
