// sluice/local: a storage from code, and what a project without its packages is told.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createSluice, defineQueue } from 'sluice';
import { enqueue } from 'sluice/functions';
import { type Local, startEmulator, startLocal } from 'sluice/local';
import { afterEach, expect, test } from 'vitest';
import { startEmbeddedRedis } from '../src/dev/emulator/embedded.ts';
import { AT_MOST } from './support/shell.ts';
import { eventually } from './support/worker.ts';

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const { close } of opened.splice(0)) await close();
});

async function local(...options: Parameters<typeof startLocal>): Promise<Local> {
  const started = await startLocal(...options);
  opened.push(started);
  return started;
}

const get = async ({ url, token }: { url: string; token: string }, key: string) => {
  const answer = await fetch(`${url}/get/${key}`, { headers: { authorization: `Bearer ${token}` } });
  return ((await answer.json()) as { result: unknown }).result;
};

test('its environment makes a deployment, which delivers', async () => {
  const handled: unknown[] = [];
  const jobs = defineQueue('jobs', { handler: ({ body }) => void handled.push(body) });
  const sluice = createSluice({ queues: [jobs], functions: [enqueue] });
  const { env, token } = await local();
  const request = new Request('http://127.0.0.1/v1/queues/jobs/messages', {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: '{"body": 1}',
  });
  expect((await sluice.fetch(request, env)).status).toBe(202);
  await eventually('it is handled', () => handled.length === 1);
});

test('data in a folder is there the next time, and an emulator can stand before any Redis', async () => {
  const data = await mkdtemp(join(tmpdir(), 'sluice-local-'));
  opened.push({ close: () => rm(data, { recursive: true, force: true }) });
  const first = await startLocal({ data, token: 'x'.repeat(32) });
  await fetch(`${first.url}/set/a/1`, { headers: { authorization: `Bearer ${first.token}` } });
  await first.close();
  await expect(fetch(first.url)).rejects.toThrow();
  const second = await local({ data });
  expect([await get(second, 'a'), second.token.length >= 32]).toEqual(['1', true]);
  await expect(startEmulator({ url: 'redis://127.0.0.1:1', token: 'local' })).rejects.toThrow('redis is away');
});

test('the embedded Redis, which asks for no password, is there for this machine alone', async () => {
  const redis = await startEmbeddedRedis();
  opened.push(redis);
  const port = Number(new URL(redis.url).port);
  const answers = async (host: string) => {
    const socket = connect(port, host);
    const isThere = once(socket, 'connect').then(
      () => true,
      () => false,
    );
    return (await isThere) && socket.destroy() !== undefined;
  };
  // Every address of the machine has these in it too, where there are such.
  expect(await Promise.all(['127.0.0.1', '127.0.0.2', '::1'].map(answers))).toEqual([true, false, false]);
});

test.each([
  ['sluice/local', 'ioredis', 'await startLocal()', 'startLocal', 'ioredis js-redis-server'],
  ['sluice/local', 'js-redis-server', 'await startLocal()', 'startLocal', 'ioredis js-redis-server'],
  [
    'sluice/testing',
    'js-redis-server',
    'await createTestSluice({ queues: [] })',
    'createTestSluice',
    'js-redis-server',
  ],
])('%s without %s says which package is missing, and how it is installed', async (entry, missing, call, name, all) => {
  const program = `
    import { registerHooks } from 'node:module';
    registerHooks({
      resolve(specifier, context, next) {
        if (!/^${missing}(\\/|$)/.test(specifier)) return next(specifier, context);
        throw Object.assign(new Error(\`Cannot find package '\${specifier}' imported from \${context.parentURL}\`), { code: 'ERR_MODULE_NOT_FOUND' });
      },
    });
    const { ${name}, MissingPeer } = await import('${entry}');
    try { ${call} } catch (error) { console.log(error instanceof MissingPeer, error.message); }`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], AT_MOST);
  const said = `Sluice on this machine needs the package ${missing}, which is not installed`;
  expect(stdout).toBe(`true ${said}: npm install --save-dev ${all}\n`);
});

test('neither entry loads what runs Workers', async () => {
  const program = `
    import { registerHooks } from 'node:module';
    registerHooks({ load(url, context, next) { if (/node_modules\\/(miniflare|wrangler|workerd)\\//.test(url)) console.log(url); return next(url, context); } });
    const { startLocal } = await import('sluice/local');
    await (await startLocal()).close();
    const { createTestSluice } = await import('sluice/testing');
    (await createTestSluice({ queues: [] })).close();`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], AT_MOST);
  expect(stdout).toBe('');
});
