// Sluice in Node's own server: bodies as they came, what is refused, who hangs up, and an end that leaves nothing behind.
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { run, serve, toListener } from '../../src/adapters/node.ts';
import { tokensSetting } from '../../src/dev/stack.ts';
import { api } from '../../src/http/functions.ts';
import { route } from '../../src/http/route.ts';
import { createSluice, defineQueue, defineSource, type Sluice } from '../../src/index.ts';
import * as providers from '../../src/webhooks/providers.ts';
import { unhandledRejectionsOf } from '../regressions/engines.ts';
import { Bench, type Redises, startEmbedded } from '../support/bench.ts';
import { eventually } from '../support/worker.ts';

const TOKEN = 'known';
const SECRET = 'a-secret-of-github';
const KNOWN = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };

let redises: Redises;
beforeAll(async () => {
  redises = await startEmbedded();
});
afterAll(() => redises.stop());

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** What is behind an answer, and ends when the test says so. */
let behind = Promise.withResolvers<void>();

function makeSluice() {
  const handled: unknown[] = [];
  const jobs = defineQueue('jobs', { handler: ({ body }) => void handled.push(body) });
  const github = defineSource('github', { provider: providers.github, secret: 'GITHUB_SECRET', route: jobs });
  const slow = route('POST /slow', {}, (c) => {
    c.executionCtx.waitUntil(behind.promise);
    return { ok: true };
  });
  const { prefix } = new Bench(redises);
  const env = {
    UPSTASH_REDIS_REST_URL: redises.emulator.url,
    UPSTASH_REDIS_REST_TOKEN: redises.emulator.token,
    SLUICE_PREFIX: prefix,
    SLUICE_TOKENS: tokensSetting(TOKEN),
    GITHUB_SECRET: SECRET,
  };
  return {
    sluice: createSluice<typeof env>({ queues: [jobs], sources: [github], functions: [...api, slow] }),
    env,
    handled,
  };
}

async function start(graceMs = 200) {
  const made = makeSluice();
  const served = await serve(made.sluice, { env: made.env, port: 0, hostname: '127.0.0.1', graceMs });
  ends.push(served.close);
  return { ...made, ...served };
}

const post = (url: string, body: BodyInit, headers: Record<string, string> = KNOWN) =>
  fetch(url, { method: 'POST', headers, body });

describe('serve of sluice/node', () => {
  test('takes what is good, delivers it, refuses the rest, and goes on', async () => {
    const { url, handled } = await start();
    const rejections = await unhandledRejectionsOf(async () => {
      expect((await post(`${url}/v1/queues/jobs/messages`, '{"body": 1, "priority": 99}')).status).toBe(422);
      expect(
        (await post(`${url}/hooks/github`, '{}', { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` })).status,
      ).toBe(401);
      expect((await post(`${url}/v1/queues/jobs/messages`, '{"body": 1}')).status).toBe(202);
      await eventually('it is handled', () => handled.length === 1, 3_000);
    });
    expect([handled, rejections]).toEqual([[1], []]);
  });

  test('gives signatures the very bytes that came', async () => {
    const { url, handled } = await start();
    const body = '{ "b" : 1.0,\r\n "ä": "\\u00e4" }';
    const signature = createHmac('sha256', SECRET).update(body).digest('hex');
    const headers = {
      'x-hub-signature-256': `sha256=${signature}`,
      'x-github-delivery': '1',
      'x-github-event': 'push',
    };
    expect((await post(`${url}/hooks/github`, body, headers)).status).toBe(200);
    await eventually('it is handled', () => handled.length === 1, 3_000);
  });

  test('reads no more of a body than it may have, and says so', async () => {
    const { url } = await start();
    const sending = request(`${url}/v1/queues/jobs/messages`, { method: 'POST', headers: KNOWN });
    ends.unshift(() => sending.on('error', () => {}).destroy());
    let status: number | undefined;
    const answered = once(sending, 'response').then(([response]) => {
      status = response.statusCode;
    });
    const chunk = Buffer.alloc(64 * 1024, 'x');
    // Nobody says how long it is.
    for (let sent = 0; status === undefined && sent < 256 * 1024 * 1024; sent += chunk.length)
      if (!sending.write(chunk)) await Promise.race([once(sending, 'drain'), answered]);
    expect(status).toBe(413);
  });

  test('goes on where somebody hangs up in the middle of a body', async () => {
    const { url, handled } = await start();
    const { port } = new URL(url);
    const rejections = await unhandledRejectionsOf(async () => {
      const socket = connect(Number(port), '127.0.0.1');
      socket.write(
        `POST /v1/queues/jobs/messages HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${TOKEN}\r\ncontent-length: 100\r\n\r\n{`,
      );
      await once(socket, 'ready');
      socket.destroy();
      await once(socket, 'close');
      expect((await post(`${url}/v1/queues/jobs/messages`, '{"body": 2}')).status).toBe(202);
      await eventually('it is handled', () => handled.length === 1, 3_000);
    });
    expect(rejections).toEqual([]);
  });

  test('takes a path for a path, also with two slashes, and refuses what proxies are asked', async () => {
    const { url } = await start();
    const { hostname, port } = new URL(url);
    const statusOf = async (path: string, headers = {}) => {
      const [response] = await once(request({ hostname, port, path, headers }).end(), 'response');
      response.resume();
      return response.statusCode;
    };
    expect(await statusOf('/health')).toBe(200);
    expect(await statusOf('//sluice.example/health')).toBe(404);
    expect(await statusOf('http://sluice.example/health')).toBe(400);
    expect(await statusOf('/health', { host: 'a@b' })).toBe(400);
    for (const host of ['a/health?', 'a/health#', 'a\\health?'])
      expect(await statusOf('/elsewhere', { host }), host).toBe(400);
    expect(await statusOf('/elsewhere/health', { host: '' })).toBe(404);
  });

  test('close awaits the work behind an answer, and takes no connection meanwhile', async () => {
    const { url, close } = await start(10_000);
    behind = Promise.withResolvers();
    await (await post(`${url}/slow`, '')).json();
    let isClosed = false;
    const closing = close().then(() => (isClosed = true));
    await eventually('it is refused', () =>
      fetch(url).then(
        () => false,
        () => true,
      ),
    );
    expect(isClosed).toBe(false);
    behind.resolve();
    await closing;
  });

  test('close sets no timer that is over already, where a handler outlives the grace', async () => {
    const { env } = makeSluice();
    const timers = vi.spyOn(globalThis, 'setTimeout'); // Node warns of it, once in a process
    ends.push(() => timers.mockRestore());
    const begun = Promise.withResolvers<void>();
    const stuck = defineQueue('stuck', {
      handler() {
        begun.resolve();
        return new Promise<void>(() => {});
      },
    });
    const sluice = createSluice<typeof env>({ queues: [stuck] });
    const { close } = await serve(sluice, { env, port: 0, hostname: '127.0.0.1', graceMs: 50 });
    await sluice.producer(env).enqueue(stuck, 1);
    await begun.promise;
    await close();
    expect(timers.mock.calls.filter(([, ms = 0]) => ms < 0)).toEqual([]);
  });

  test('a port that is taken is told, and wrong settings are', async () => {
    const { url, sluice, env } = await start();
    const port = Number(new URL(url).port);
    await expect(serve(sluice, { env, port, hostname: '127.0.0.1' })).rejects.toMatchObject({
      message: `port ${port} is taken by another program: end that, or set PORT to another`,
      code: 'EADDRINUSE',
    });
    await expect(serve(sluice, { env, port: 0 })).rejects.toThrow('at work here already');
    await expect(
      serve(makeSluice().sluice, { env: { ...env, SLUICE_BATCH: '0' } as typeof env, port: 0 }),
    ).rejects.toThrow('SLUICE_BATCH');
  });
});

test('what is no port is refused by its name', async () => {
  const { sluice, env } = makeSluice();
  const rule = 'must be a whole number from 0 to 65535';
  for (const PORT of ['here', '65536', '-1', '80.5'])
    await expect(serve<object>(sluice as Sluice<object>, { env: { ...env, PORT } })).rejects.toThrow(`PORT: ${rule}`);
  await expect(serve(sluice, { env, port: Number.NaN })).rejects.toThrow(`port: ${rule}`);
});

test('where no database is set, serve says what to do; where one is, what is wrong with it', async () => {
  const { sluice, env } = makeSluice();
  const { UPSTASH_REDIS_REST_URL: _, UPSTASH_REDIS_REST_TOKEN: __, ...unset } = env;
  const isUnset =
    /^UPSTASH_REDIS_REST_URL: .*; UPSTASH_REDIS_REST_TOKEN: .*\. No database is set: .*`npx sluice dev`.*--env-file/;
  await expect(serve(sluice, { env: unset as typeof env, port: 0 })).rejects.toThrow(isUnset);
  await expect(run(sluice, { env: unset as typeof env })).rejects.toThrow(isUnset);
  const wrong = { ...env, UPSTASH_REDIS_REST_URL: 'redis://x' };
  await expect(serve(sluice, { env: wrong, port: 0 })).rejects.toThrow(/an http or https URL$/);
});

describe('toListener answers in the server of an application', () => {
  const mounts: [how: string, basePath: string | undefined, takesOff: boolean][] = [
    ['that takes its path off, as Express does', undefined, true],
    ['that takes its path off, and says it', '/queues', true],
    ['that leaves it', '/queues', false],
  ];

  test.each(mounts)('%s', async (_how, basePath, takesOff) => {
    const { sluice, env } = makeSluice();
    const listener = toListener(sluice, { env, basePath });
    const server = createServer((incoming, outgoing) => {
      const [, mounted] = /^\/queues(\/.*)$/.exec(incoming.url ?? '') ?? [];
      if (mounted === undefined) return void outgoing.end('the application');
      if (takesOff) incoming.url = mounted;
      listener(incoming, outgoing);
    }).listen(0, '127.0.0.1');
    ends.push(() => server.close());
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await (await fetch(url)).text()).toBe('the application');
    expect((await post(`${url}/queues/v1/queues/jobs/messages`, '{"body": 1}')).status).toBe(202);
    expect((await fetch(`${url}/queues/v1/queues`, { method: 'PUT' })).status).toBe(405);
    expect((await fetch(`${url}/queues/health`, { method: 'HEAD' })).status).toBe(200);
  });
});
