// What a Worker does while it is loaded: it is heard of by nobody, and what is wrong with it stops nothing.
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { afterEach, beforeEach, expect, inject, test, vi } from 'vitest';
import { startWorkerd } from '../scripts/cpu/workerd.ts';
import { createSluice, defineQueue } from '../src/index.ts';
import * as scripts from '../src/redis/lua/generated.ts';
import { builtOnce } from './support/built-once.ts';

const schemaBy = (validate: (body: unknown) => never): StandardSchemaV1 => ({
  '~standard': { version: 1, vendor: 'test', validate },
});

beforeEach(() => vi.stubGlobal('navigator', { userAgent: 'Cloudflare-Workers' }));
afterEach(() => vi.unstubAllGlobals());

/** Everything that had no timer to wait for is over. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('it asks no storage, says nothing, and makes the digests that a first tick, enqueue and drain need', async () => {
  const [fetched, log, digest] = [
    vi.spyOn(globalThis, 'fetch'),
    vi.spyOn(console, 'log'),
    vi.spyOn(crypto.subtle, 'digest'),
  ];
  const error = vi.spyOn(console, 'error');
  createSluice({ queues: [defineQueue('mail', { handler: () => {} })] });
  await settled();
  expect([fetched, log, error].map(({ mock }) => mock.calls.length)).toEqual([0, 0, 0]);
  const texts = digest.mock.calls.map(([, bytes]) => new TextDecoder().decode(bytes as Uint8Array));
  expect(texts).toEqual(expect.arrayContaining([scripts.sweep.source, scripts.enqueue.source, scripts.sync.source]));
});

test('where neither timers nor answers can be made, as in workerd while it loads, it fails unheard, and the Worker serves', async () => {
  const path = join(inject('runFolder'), 'rehearsal.log');
  const output = await open(path, 'w');
  const env = { UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1', UPSTASH_REDIS_REST_TOKEN: '-' };
  const workerd = await startWorkerd(await builtOnce(), env, output.fd);
  try {
    expect((await fetch(`${workerd.url}/v1/queues`)).status).toBe(401);
    expect(await readFile(path, 'utf8')).toBe('');
  } finally {
    await workerd.close();
    await output.close();
  }
}, 60_000);

test('schemas are asked once about nothing, and may throw, or reject', async () => {
  const asked: unknown[] = [];
  const refusals = [
    (body: unknown): never => {
      asked.push(body);
      throw new Error('no');
    },
    (body: unknown): never => {
      asked.push(body);
      return Promise.reject(new Error('no')) as never;
    },
  ];
  createSluice({
    queues: refusals.map((validate, i) => defineQueue(`q${i}`, { schema: schemaBy(validate), kind: 'pull' })),
  });
  await settled();
  expect(asked).toEqual([{}, {}]);
});

test('queues for which the usual budget is too small are no matter', async () => {
  const error = vi.spyOn(console, 'error');
  createSluice({ queues: [defineQueue('wide', { subrequests: 1_000, handler: () => {} })] });
  await settled();
  expect(error).not.toHaveBeenCalled();
});

test('elsewhere there is none: nobody counts the time of a first request', async () => {
  vi.unstubAllGlobals();
  const validate = vi.fn(() => ({ value: {} }) as never);
  createSluice({ queues: [defineQueue('mail', { handler: () => {}, schema: schemaBy(validate) })] });
  await settled();
  expect(validate).not.toHaveBeenCalled();
});
