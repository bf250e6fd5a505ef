// The way to Redis: what is sent again and what is not, and that no error carries a body.
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Fault } from '../../src/dev/emulator/faults.ts';
import { type Emulator, startEmulator } from '../../src/dev/emulator/server.ts';
import { StorageError } from '../../src/errors.ts';
import { connect as connectByFetch } from '../../src/redis/fetch.ts';
import { scriptRunner } from '../../src/redis/runner.ts';
import type { Send } from '../../src/redis/send.ts';
import { openShard } from '../../src/redis/shard.ts';
import { connect as connectByUndici } from '../../src/redis/undici.ts';
import { audit } from '../../src/store/audit.ts';
import type { Settlement } from '../../src/store/encode-settlements.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { type Redises, startEmbedded } from '../support/bench.ts';
import { type RedisServer, redisServerPresent, startRedisServer } from '../support/redis-server.ts';

const SECRET = 'a-body-that-nobody-may-read';
const message = {
  lane: '5:mail',
  pool: '*',
  maxAttempts: 5,
  delayMs: 0,
  ttlMs: 0,
  json: JSON.stringify({ body: SECRET }),
};
const fail = (error: unknown): Error => error as Error;
/** Where time is not what is tried: the machine may stand still for seconds. */
const inGoodTime = () => 20_000;

interface Expected {
  code: StorageError['code'];
  reason: string | RegExp;
}

describe('the runner', () => {
  const script = { name: 'test', source: 'return 1' };
  const sending = (...answers: (StorageError | string)[]) => {
    const sent: string[][] = [];
    const send: Send = async (command) => {
      sent.push(command);
      const answer = answers[sent.length - 1] ?? 'enough';
      if (typeof answer !== 'string') throw answer;
      return answer;
    };
    return { sent, send, runner: scriptRunner({ send, repeatAfterMs: [1, 1, 1] }) };
  };

  test('sends a script by digest, and its text only where the digest is not known', async () => {
    const { sent, runner } = sending(new StorageError('refused', 'NOSCRIPT'), 'done');
    expect(await runner.run(script, ['k'], ['a'])).toEqual({ reply: 'done', retried: false });
    expect(sent).toEqual([
      ['EVALSHA', 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db', '1', 'k', 'a'],
      ['EVAL', 'return 1', '1', 'k', 'a'],
    ]);
  });

  test.each(['unreachable', 'garbled'] as const)('repeats the very same call where the answer was %s', async (code) => {
    const { sent, runner } = sending(new StorageError(code, 'x'), new StorageError(code, 'x'), 'done');
    expect(await runner.run(script, [], ['a'])).toEqual({ reply: 'done', retried: true });
    expect(new Set(sent.map((command) => command.join(' '))).size).toBe(1);
    expect(sent).toHaveLength(3);
  });

  test('waits before each repetition, up to half as long again by jitter', async () => {
    vi.useFakeTimers();
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.4);
    try {
      const { sent, send } = sending(...Array(3).fill(new StorageError('unreachable', 'no answer')));
      const run = scriptRunner({ send }).run(script, [], []);
      for (const [repetition, waitMs] of [60, 300, 1_200].entries()) {
        await vi.advanceTimersByTimeAsync(waitMs - 1);
        expect([waitMs, sent.length]).toEqual([waitMs, 1 + repetition]);
        await vi.advanceTimersByTimeAsync(1);
        expect([waitMs, sent.length]).toEqual([waitMs, 2 + repetition]);
      }
      expect(await run).toEqual({ reply: 'enough', retried: true });
    } finally {
      random.mockRestore();
      vi.useRealTimers();
    }
  });

  test('U6 after none in time waits longer, and as long as a caller waits once only', async () => {
    vi.useFakeTimers();
    const random = vi.spyOn(Math, 'random').mockReturnValue(0);
    try {
      const slow = sending(...Array(9).fill(new StorageError('slow', 'timeout')));
      const run = scriptRunner({ send: slow.send }).run(script, [], []).catch(fail);
      await vi.advanceTimersByTimeAsync(60_000);
      expect([slow.sent.length, await run]).toMatchObject([2, { code: 'slow' }]);
      const drained = sending(...Array(9).fill(new StorageError('slow', 'timeout')));
      const draining = scriptRunner({ send: drained.send, msLeft: () => 60_000 })
        .run(script, [], [])
        .catch(fail);
      for (const [repetition, waitMs] of [1_000, 5_000, 15_000].entries()) {
        await vi.advanceTimersByTimeAsync(waitMs - 1);
        expect([waitMs, drained.sent.length]).toEqual([waitMs, 1 + repetition]);
        await vi.advanceTimersByTimeAsync(1);
        expect([waitMs, drained.sent.length]).toEqual([waitMs, 2 + repetition]);
      }
      expect(await draining).toMatchObject({ code: 'slow' });
    } finally {
      random.mockRestore();
      vi.useRealTimers();
    }
  });

  test('U3 waits as long as it is asked to, where nobody waits for it, and else tells its caller', async () => {
    vi.useFakeTimers();
    try {
      const asked = new StorageError('unreachable', 'HTTP 429', 5_000);
      const told = sending(asked);
      await expect(scriptRunner({ send: told.send }).run(script, [], [])).rejects.toBe(asked);
      expect(told.sent).toHaveLength(1);
      const { sent, send } = sending(asked);
      const run = scriptRunner({ send, msLeft: () => 60_000 }).run(script, [], []);
      await vi.advanceTimersByTimeAsync(4_999);
      expect(sent).toHaveLength(1);
      await vi.advanceTimersByTimeAsync(2_501);
      expect(await run).toMatchObject({ reply: 'enough' });
    } finally {
      vi.useRealTimers();
    }
  });

  test('gives up after its last repetition', async () => {
    const { sent, runner } = sending(...Array(9).fill(new StorageError('unreachable', 'no answer')));
    await expect(runner.run(script, [], [])).rejects.toThrow('storage unreachable: no answer');
    expect(sent).toHaveLength(4);
  });

  test('does not repeat what storage refused', async () => {
    const { sent, runner } = sending(new StorageError('refused', 'OOM'));
    await expect(runner.run(script, [], [])).rejects.toThrow('storage refused: OOM');
    expect(sent).toHaveLength(1);
  });
});

describe.each([
  ['by fetch', connectByFetch],
  ['by undici', connectByUndici],
])('a request %s', (_, connect) => {
  let redises: Redises;
  let fault: Fault | undefined;
  let requests = 0;
  beforeAll(async () => {
    redises = await startEmbedded({
      faults: () => {
        requests += 1;
        return fault;
      },
    });
  });
  afterAll(() => redises.stop());

  const send = (command: string[], timeoutMs = inGoodTime) =>
    connect({ url: redises.emulator.url, token: 'local', timeoutMs })(command);

  test.each<[string, Fault, string]>([
    ['a connection that breaks', { kind: 'reset' }, 'unreachable'],
    ['a reply that never comes', { kind: 'drop-reply' }, 'unreachable'],
    ['no answer in time', { kind: 'delay-before', ms: 1_600 }, 'slow'],
    ['503 with a page', { kind: 'status-before', status: 503 }, 'unreachable'],
    ['429 with a page', { kind: 'status-after', status: 429 }, 'unreachable'],
    ['half an answer', { kind: 'truncate' }, 'unreachable'],
  ])('LR5 with %s leaves the client once, and its error holds nothing of it', async (_, kind, code) => {
    fault = kind;
    requests = 0;
    const error = fail(await send(['SET', 'k', SECRET], code === 'slow' ? () => 400 : undefined).catch(fail));
    fault = undefined;
    expect(error).toBeInstanceOf(StorageError);
    expect(error).toMatchObject({ code });
    expect(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain(SECRET);
    expect(requests).toBe(1);
  });

  test.each([
    [
      'a wrong token',
      (url: string) => connect({ url, token: 'wrong', timeoutMs: inGoodTime })(['SET', 'k', SECRET]),
      'WRONGPASS',
    ],
    [
      'a command that is not allowed',
      (url: string) => connect({ url, token: 'local', timeoutMs: inGoodTime })(['BLPOP', SECRET, '0']),
      'not allowed',
    ],
    [
      'a script error that quotes a body',
      (url: string) => connect({ url, token: 'local', timeoutMs: inGoodTime })(['EVAL', 'error(ARGV[1])', '0', SECRET]),
      'error',
    ],
  ])('OP7 refused for %s says why without quoting it', async (_, request, reason) => {
    const error = fail(await request(redises.emulator.url).catch(fail));
    expect(error).toMatchObject({ code: 'refused', reason });
    expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain(SECRET);
  });

  test.each<[number, string, Partial<Expected>]>([
    [500, '{"error":"ERR internal error"}', { code: 'unreachable', reason: 'HTTP 500' }],
    [502, '{"error":"ERR no"}', { code: 'unreachable', reason: 'HTTP 502' }],
    [503, '{"error":"SRH: Unable to connect to the Redis server."}', { code: 'unreachable', reason: 'HTTP 503' }],
    [504, '{"error":"NOSCRIPT"}', { code: 'unreachable', reason: 'HTTP 504' }],
    [530, '<html>error code: 1016</html>', { code: 'unreachable', reason: 'HTTP 530' }],
    [429, '{"error":"ERR max requests per second exceeded"}', { code: 'unreachable', reason: 'HTTP 429' }],
    [404, '{"error":"database not found"}', { code: 'refused', reason: 'HTTP 404' }],
    [404, '<html></html>', { code: 'refused', reason: 'HTTP 404' }],
    [403, '<html>error code: 1003</html>', { code: 'refused', reason: 'HTTP 403' }],
    [302, '', { code: 'refused', reason: 'HTTP 302' }],
    [400, '{"error":"ERR NOSCRIPT No matching script. Please use EVAL."}', { code: 'refused', reason: 'NOSCRIPT' }],
    [400, '{"error":"LOADING Redis is loading"}', { code: 'unreachable', reason: 'LOADING' }],
    [200, '{"error":"ERR max requests limit exceeded. Limit: 1"}', { code: 'refused', reason: /max requests limit/ }],
    [200, '{}', { code: 'garbled' }],
  ])('U3 of status %i counts before its text: %s', async (status, text, { code, reason = /./ }) => {
    const headers = status === 302 ? { location: '/elsewhere' } : {}; // where the token has nothing to do
    const server = await serve((_, response) => response.writeHead(status, headers).end(text));
    const error = fail(await connect({ url: server.url, token: 't', timeoutMs: inGoodTime })(['PING']).catch(fail));
    await server.close();
    expect(error).toMatchObject({ code, reason: expect.stringMatching(reason) });
  });

  test.each([
    [403, 'error code: 1003', 'refused'],
    [530, '<html>error code: 1016</html>', 'unreachable'],
  ])(
    'S10 that calls an address, where Cloudflare answers %i: it says which setting is wrong',
    async (status, text, code) => {
      const server = await serve((_, response) => response.writeHead(status).end(text));
      const at = (url: string) => connect({ url, token: 't', timeoutMs: inGoodTime })(['PING']).catch(fail);
      const error = fail(await at(server.url));
      await server.close();
      const reason = `HTTP ${status}: UPSTASH_REDIS_REST_URL is local, or an address; a Worker reaches neither`;
      expect(error).toMatchObject({ code, reason });
    },
  );

  test('S10 that is refused by the service itself, wherever it is, says what the service says', async () => {
    const server = await serve((_, response) => response.writeHead(403).end('{"error":"NOPERM no"}'));
    const error = fail(await connect({ url: server.url, token: 't', timeoutMs: inGoodTime })(['PING']).catch(fail));
    await server.close();
    expect(error).toMatchObject({ code: 'refused', reason: 'NOPERM' });
  });

  test.each([
    ['7', 7_000],
    ['86400', 15_000],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 0],
    ['-1', 0],
  ])('U3 that is asked to come back after %s does so, within bounds', async (after, afterMs) => {
    const server = await serve((_, response) => response.writeHead(429, { 'retry-after': after }).end('{}'));
    const error = fail(await connect({ url: server.url, token: 't', timeoutMs: inGoodTime })(['PING']).catch(fail));
    await server.close();
    expect(error).toMatchObject({ code: 'unreachable', afterMs });
  });

  test.each(['null', '[', ''])('an answer that is no object of JSON leaves it open what ran: %s', async (body) => {
    const server = await serve((_, response) => response.end(body));
    const error = fail(await connect({ url: server.url, token: 't', timeoutMs: inGoodTime })(['PING']).catch(fail));
    await server.close();
    expect(error).toBeInstanceOf(StorageError);
    expect(error).toMatchObject({ code: 'garbled' });
  });

  test("what goes wrong on this side is no trouble of storage's", async () => {
    const mistake = new TypeError('Promise.withResolvers is not a function');
    const timeoutMs = () => {
      throw mistake;
    };
    const { url } = redises.emulator;
    expect(await connect({ url, token: 'local', timeoutMs })(['PING']).catch(fail)).toBe(mistake);
    const { withResolvers } = Promise;
    const { timeout } = AbortSignal;
    Reflect.deleteProperty(Promise, 'withResolvers');
    Reflect.deleteProperty(AbortSignal, 'timeout');
    const error = await connect({ url, token: 'local', timeoutMs: inGoodTime })(['PING']).catch(fail);
    Object.assign(Promise, { withResolvers });
    Object.assign(AbortSignal, { timeout });
    expect(error).toBeInstanceOf(TypeError);
  });

  test('a refusal whose reason is no text is a refusal without a reason, or no answer', async () => {
    const server = await serve((_, response) => response.writeHead(400).end('{"error":{"toString":1}}'));
    const error = fail(await connect({ url: server.url, token: 't', timeoutMs: inGoodTime })(['PING']).catch(fail));
    await server.close();
    expect(error).toBeInstanceOf(StorageError);
  });

  test('ends in its time also where no connection comes about', async () => {
    const silent = createTcpServer(); // it accepts, and says nothing of TLS
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    const url = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const error = fail(await connect({ url, token: 't', timeoutMs: () => 100 })(['PING']).catch(fail));
    silent.close();
    expect(error).toMatchObject({ code: 'slow', reason: 'timeout' });
  });

  test('goes to the path of the address, with or without a slash at its end', async () => {
    const paths: unknown[] = [];
    const server = await serve(({ url }, response) => {
      paths.push(url);
      response.end('{"result":"PONG"}');
    });
    for (const path of ['', '/', '/base', '/base/']) {
      await connect({ url: server.url + path, token: 't', timeoutMs: inGoodTime })(['PING']);
    }
    await server.close();
    expect(paths).toEqual(['/', '/', '/base', '/base']);
  });

  test('keeps its sync token through an error that has none', async () => {
    const seen: unknown[] = [];
    const server = await serve((request, response) => {
      seen.push(request.headers['upstash-sync-token']);
      if (seen.length === 2) response.writeHead(400).end('{"error":"NOSCRIPT"}');
      else response.setHeader('upstash-sync-token', `after-${seen.length}`).end('{"result":"PONG"}');
    });
    const send = connect({ url: server.url, token: 't', timeoutMs: inGoodTime });
    const answers = [await send(['PING']), await send(['PING']).catch(fail), await send(['PING'])];
    await server.close();
    expect(answers).toEqual(['PONG', expect.objectContaining({ reason: 'NOSCRIPT' }), 'PONG']);
    expect(seen).toEqual(['', 'after-1', 'after-1']);
  });

  test('each carries the sync token of the answer before it, and asks for plain text', async () => {
    const seen: unknown[] = [];
    const server = await serve((request, response) => {
      seen.push([
        request.headers['upstash-sync-token'],
        request.headers.authorization,
        request.headers['upstash-encoding'],
      ]);
      response.setHeader('upstash-sync-token', `after-${seen.length}`).end('{"result":"PONG"}');
    });
    const send = connect({ url: server.url, token: 't', timeoutMs: inGoodTime });
    expect([await send(['PING']), await send(['PING'])]).toEqual(['PONG', 'PONG']);
    await server.close();
    expect(seen).toEqual([
      ['', 'Bearer t', undefined],
      ['after-1', 'Bearer t', undefined],
    ]);
  });
});

async function serve(answer: RequestListener) {
  const server = createServer(answer);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

const present = redisServerPresent();
if (!present) console.warn('skipped: refusals and permissions of a real Redis: no redis-server on the PATH');

describe.skipIf(!present)('a real Redis', () => {
  let server: RedisServer;
  let raw: Redis;
  let emulator: Emulator;
  let store: Store;
  const storeAt = (url: string) =>
    openStore(openShard({ connection: { url, token: 't', timeoutMs: 5_000 }, prefix: 'shard' }));
  beforeAll(async () => {
    server = await startRedisServer();
    raw = new Redis(server.url);
    emulator = await startEmulator({ url: server.url, token: 't' });
    store = storeAt(emulator.url);
  });
  afterAll(async () => {
    await emulator.close();
    raw.disconnect();
    await server.stop();
  });

  test('ST2 that flushed its scripts costs one more request, and nothing runs twice', async () => {
    await store.enqueue({ messages: [message] });
    await raw.script('FLUSH');
    const before = emulator.requests();
    await store.enqueue({ messages: [message] });
    expect(emulator.requests() - before).toBe(2);
    expect(await raw.llen('{shard}:lane:5:mail')).toBe(2);
  });

  test.each([
    ['OOM', ['maxmemory', '1'], ['maxmemory', '0']],
    ['NOREPLICAS', ['min-replicas-to-write', '1'], ['min-replicas-to-write', '0']],
  ])(
    'ST1 that refuses writes (%s): the enqueue says so, nothing is half written, and it works again by itself',
    async (reason, on, off) => {
      const before = await raw.keys('*');
      await raw.config('SET', ...(on as [string, string]));
      const error = fail(await store.enqueue({ messages: [message, message], token: reason }).catch(fail));
      expect(error).toMatchObject({ code: 'refused', reason });
      expect((await raw.keys('*')).toSorted()).toEqual(before.toSorted());
      await raw.config('SET', ...(off as [string, string]));
      expect(await store.enqueue({ messages: [message, message], token: reason })).toMatchObject({ replayed: false });
    },
  );

  test('ST8 with a user limited to the keys of the shard runs every script', async () => {
    await raw.call('ACL', 'SETUSER', 'sluice', 'on', '>pw', '~{shard}:*', '+@all', '-@dangerous', '+info');
    const limited = await startEmulator({ url: server.url.replace('redis://', 'redis://sluice:pw@'), token: 't' });
    const limitedStore = storeAt(limited.url);
    await limitedStore.enqueue({
      messages: [message, { ...message, delayMs: 1 }, { ...message, lane: '0:other/a%2Fb' }],
    });
    const sync = { lease: 'l', leaseMs: 1, held: 0, want: 2, pools: ['*'], settlements: [] };
    const { taken } = await limitedStore.sync(sync);
    const settlements = taken.map(({ entry }, i): Settlement => ({ entry, outcome: i === 0 ? 'retry' : 'dead' }));
    expect((await limitedStore.sync({ ...sync, want: 1, settlements })).statuses).toEqual(['retried', 'dead']);
    await limitedStore.sweep('*');
    expect(await audit(limitedStore, '0', true)).toMatchObject({ findings: [], incomplete: [] });
    await expect(
      connectByFetch({ url: limited.url, token: 't', timeoutMs: inGoodTime })(['GET', 'elsewhere']),
    ).rejects.toThrow('NOPERM');
    await limited.close();
  });
});
