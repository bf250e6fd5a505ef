/**
 * The Upstash emulator answers as the service does, seen from outside: over
 * fetch, and through the SDK. Each promise holds on the embedded server and on
 * a real Redis, where there is one.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { Redis } from '@upstash/redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Observation } from '../src/dev/emulator/backend.ts';
import { startEmbeddedRedis } from '../src/dev/emulator/embedded.ts';
import { type Fault, STATUSES, type Status, seededFaults } from '../src/dev/emulator/faults.ts';
import type { Refusal, ScriptCall } from '../src/dev/emulator/refusals.ts';
import { type Emulator, type EmulatorOptions, startEmulator } from '../src/dev/emulator/server.ts';
import { expectedFor, expectedForm, expectedOf } from './support/expected.ts';
import { redisServerPresent, startRedisCluster, startRedisServer, until } from './support/redis-server.ts';
import { steadyNow } from './support/steady-clock.ts';

const TOKEN = 'full-token';
const READ_ONLY = 'read-only-token';
const BASE64 = { 'upstash-encoding': 'base64' };

interface Store extends Pick<EmulatorOptions, 'commandsProcessed' | 'bytesStored'> {
  url: string;
  stop(): Promise<void>;
}

const embedded = async (): Promise<Store> => {
  const redis = await startEmbeddedRedis();
  return { ...redis, stop: redis.close };
};

const embeddedCluster = async (): Promise<Store> => {
  const redis = await startEmbeddedRedis({ cluster: { masters: 3 } });
  return { url: redis.url, commandsProcessed: redis.commandsProcessed, stop: redis.close };
};

const real = redisServerPresent();
if (!real) console.log('skipped: everything on a real redis-server, there is none on the PATH');

const stores: [string, () => Promise<Store>][] = [['the embedded server', embedded]];
const clusters: [string, () => Promise<Store>][] = [['the embedded server', embeddedCluster]];
if (real) {
  stores.push(['redis-server', startRedisServer]);
  clusters.push(['redis-server', startRedisCluster]);
}

const open = (store: Store, options: Partial<EmulatorOptions> = {}): Promise<Emulator> =>
  startEmulator({
    url: store.url,
    token: TOKEN,
    readOnlyToken: READ_ONLY,
    commandsProcessed: store.commandsProcessed,
    bytesStored: store.bytesStored,
    ...options,
  });

const sdkFor = (emulator: Emulator): Redis =>
  new Redis({ url: emulator.url, token: TOKEN, retry: { retries: 0 }, enableAutoPipelining: false });

/** One request as the SDK makes it; the body is sent as it is when it is a string. */
async function post(emulator: Emulator, path: string, body: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const all = { authorization: `Bearer ${TOKEN}`, ...headers };
  return read(await fetch(emulator.url + path, { method: 'POST', headers: all, body: text }));
}

async function call(emulator: Emulator, method: string, path: string, body?: string | Uint8Array<ArrayBuffer>) {
  const headers = { authorization: `Bearer ${TOKEN}` };
  return read(await fetch(emulator.url + path, { method, headers, ...(body === undefined ? {} : { body }) }));
}

async function read(response: Response) {
  const text = await response.text();
  const json: unknown = response.headers.get('content-type') === 'application/json' && text ? JSON.parse(text) : text;
  return { status: response.status, json, headers: response.headers };
}

const NOT_AVAILABLE = (name: string) => expectedFor('refused-commands.unknown', 'NOSUCH', name);
const NOT_OVER_REST = (name: string) => expectedFor('refused-commands.connection', 'MULTI', name);
const WRONG_ARITY = (name: string) => expectedFor('errors.arity', 'get', name);
const WRONG_TYPE = expectedOf('errors.wrongType');
const UNKNOWN_SCRIPT = expectedOf('noscript.text');

describe.each(stores)('on %s', (_name, start) => {
  let store: Store;
  let emulator: Emulator;
  let fault: Fault | undefined;
  const observed: Observation[] = [];

  beforeAll(async () => {
    store = await start();
    emulator = await open(store, { observe: (event) => void observed.push(event), faults: () => fault });
  });
  beforeEach(async () => {
    await post(emulator, '/', ['FLUSHALL']);
    observed.length = 0;
  });
  afterEach(() => {
    fault = undefined;
  });
  afterAll(async () => {
    await emulator?.close();
    await store?.stop();
  });

  const run = (...command: unknown[]) => post(emulator, '/', command);
  const result = async (...command: unknown[]) => ((await run(...command)).json as { result: unknown }).result;

  describe('a body the service would not take is refused in its words', () => {
    test.each([
      ['an empty body', '', 'bodies.empty'],
      ['an object', { get: 'k' }, 'bodies.noArray'],
      ['a string', '"GET"', 'bodies.noArray'],
      ['no JSON', 'GET k', 'bodies.noJson'],
      ['no command', [], 'bodies.noCommand'],
      ['a null argument', ['SET', 'k', null], 'bodies.nullArgument'],
      ['an array as an argument', ['SET', 'k', ['v']], 'bodies.nested'],
      ['a list of commands', [['GET', 'k']], 'bodies.nested'],
    ])('%s', async (_case, body, name) => {
      const error = expectedOf(name);
      expect(await post(emulator, '/', body)).toMatchObject({ status: 400, json: { error } });
    });

    test('characters that come in two pieces are whole', async () => {
      const text = '\u20ac'.repeat(200_000); // three bytes each, so that no size of pieces keeps all of them whole
      await run('SET', 'k', text);
      expect(await result('GET', 'k')).toBe(text);
    });

    test('numbers and booleans are taken as their text', async () => {
      expect(await run('RPUSH', 'l', 1, 2.5, true, false)).toMatchObject({ status: 200, json: { result: 4 } });
      expect(await result('LRANGE', 'l', 0, -1)).toEqual(['1', '2.5', 'true', 'false']);
    });
  });

  describe('who may do what', () => {
    const WRONG = { error: expectedOf('errors.token') };
    const as = (authorization: string, body: unknown, path = '/') => post(emulator, path, body, { authorization });

    test('a missing or wrong token is answered 401', async () => {
      expect(await as('', ['PING'])).toMatchObject({ status: 401, json: WRONG });
      expect(await as('Bearer wrong', ['PING'])).toMatchObject({ status: 401, json: WRONG });
      expect(await as('Bearer ', ['PING'])).toMatchObject({ status: 401, json: WRONG });
    });

    test('the token may stand bare in the header or in the query, and the query wins', async () => {
      expect(await as(TOKEN, ['PING'])).toMatchObject({ status: 200 });
      expect(await as('', ['PING'], `/?_token=${TOKEN}`)).toMatchObject({ status: 200 });
      expect(await as('Bearer wrong', ['PING'], `/?_token=${TOKEN}`)).toMatchObject({ status: 200 });
      expect(await as(`Bearer ${TOKEN}`, ['PING'], '/?_token=wrong')).toMatchObject({ status: 401 });
    });

    test('the read-only token reads', async () => {
      await run('SET', 'k', 'v');
      expect(await as(`Bearer ${READ_ONLY}`, ['GET', 'k'])).toMatchObject({ status: 200, json: { result: 'v' } });
    });

    test.each([
      ['SET', 'k', 'other'],
      ['SCAN', '0'],
      ['KEYS', '*'],
      ['EVALSHA', 'f00', '0'],
    ])('the read-only token may not %s', async (...command) => {
      const name = command[0]?.toLowerCase();
      const error = expectedFor('read-only-token.text', 'evalsha', String(name));
      expect(await as(`Bearer ${READ_ONLY}`, command)).toMatchObject({ status: 400, json: { error } });
    });

    test('a refused write of the read-only token changes nothing', async () => {
      await as(`Bearer ${READ_ONLY}`, [['SET', 'k', 'v']], '/pipeline');
      await as(`Bearer ${READ_ONLY}`, [['SET', 'k', 'v']], '/multi-exec');
      expect(await result('EXISTS', 'k')).toBe(0);
    });
  });

  describe('methods', () => {
    test.each(['DELETE', 'PATCH'])('%s is answered 405 without a body', async (method) => {
      expect(await call(emulator, method, '/get/k')).toMatchObject({ status: 405, json: '' });
    });

    test('OPTIONS is answered 200 with CORS headers, without a token', async () => {
      const response = await fetch(`${emulator.url}/get/k`, { method: 'OPTIONS' });
      expect(response.status).toBe(200);
      expect(response.headers.get('access-control-allow-origin')).toBe('*');
    });

    test('HEAD runs the command and has no body', async () => {
      expect(await call(emulator, 'HEAD', '/incr/n')).toMatchObject({ status: 200, json: '' });
      expect(await result('GET', 'n')).toBe('1');
    });
  });

  describe('the path form', () => {
    test.each(['GET', 'POST', 'PUT'])('a %s runs the command in the path, in any case', async (method) => {
      expect(await call(emulator, method, '/sEt/k/v')).toMatchObject({ status: 200, json: { result: 'OK' } });
      expect(await result('GET', 'k')).toBe('v');
    });

    test('segments are decoded', async () => {
      await call(emulator, 'GET', '/set/a%2Fb/%C3%BC%20x');
      expect(await result('GET', 'a/b')).toBe('ü x');
    });

    test('a body is the last argument and stays binary', async () => {
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      expect(await call(emulator, 'POST', '/set/k', bytes)).toMatchObject({ json: { result: 'OK' } });
      const stored = (await post(emulator, '/', ['GET', 'k'], BASE64)).json as { result: string };
      expect(Uint8Array.from(atob(stored.result), (char) => char.charCodeAt(0))).toEqual(bytes);
    });

    test('an empty body adds nothing', async () => {
      expect(await call(emulator, 'POST', '/set/k', '')).toMatchObject({
        status: 400,
        json: { error: WRONG_ARITY('set') },
      });
    });

    test('the query follows as names and values, without the token', async () => {
      await call(emulator, 'POST', `/set/k?EX=100&NX&_token=${TOKEN}`, 'v');
      expect(await result('GET', 'k')).toBe('v');
      expect(await result('TTL', 'k')).toBe(100);
      expect(await call(emulator, 'POST', '/set/k?NX', 'w')).toMatchObject({ json: { result: null } });
    });

    test.each(['/monitor', '/subscribe/ch', '/psubscribe/p'])('%s is left out, and says so', async (path) => {
      const error = 'ERR this emulator does not stream: no monitor, no subscriptions';
      expect(await call(emulator, 'POST', path)).toMatchObject({ status: 400, json: { error } });
    });
  });

  describe('replies', () => {
    const encoded = async (...command: unknown[]) =>
      ((await post(emulator, '/', command, BASE64)).json as { result: unknown }).result;
    const b64 = (text: string) => Buffer.from(text).toString('base64');

    test('have the shapes of RESP2', async () => {
      await run('HSET', 'h', 'f', 'v');
      await run('ZADD', 'z', '1.5', 'm');
      expect(await result('HGETALL', 'h')).toEqual(['f', 'v']);
      expect(await result('ZSCORE', 'z', 'm')).toBe('1.5');
      expect(await result('ZRANGE', 'z', 0, -1, 'WITHSCORES')).toEqual(['m', '1.5']);
      expect(await result('GET', 'none')).toBe(null);
      expect(await result('EVAL', "return {1, {'a', {}}, false}", 0)).toEqual([1, ['a', []], null]);
    });

    test('every string is encoded in base64 on request, nested ones too', async () => {
      await run('SET', 'k', 'héllo');
      expect(await encoded('GET', 'k')).toBe(b64('héllo'));
      expect(await encoded('EVAL', "return {'a', {'b', 'OK'}}", 0)).toEqual([b64('a'), [b64('b'), b64('OK')]]);
      expect(await encoded('TYPE', 'none')).toBe(b64('none'));
      expect(await encoded('PING')).toBe(b64('PONG'));
    });

    test('the status OK stays raw, an OK inside an array does not', async () => {
      expect(await encoded('SET', 'k', 'OK')).toBe('OK');
      expect(await encoded('MGET', 'k', 'none')).toEqual([b64('OK'), null]);
    });

    test('numbers, nulls and errors are never encoded', async () => {
      expect(await encoded('INCR', 'n')).toBe(1);
      expect(await encoded('GET', 'none')).toBe(null);
      expect(await encoded('EVAL', "return {7, false, 'x'}", 0)).toEqual([7, null, b64('x')]);
      expect((await post(emulator, '/', ['LPUSH', 'n', 'x'], BASE64)).json).toEqual({
        error: WRONG_TYPE,
      });
    });

    test('an integer above 2^53 keeps its digits, as a string', async () => {
      await run('SET', 'n', '9007199254740992');
      expect(await result('INCRBY', 'n', '1')).toBe('9007199254740993');
      expect(await encoded('INCRBY', 'n', '2')).toBe(b64('9007199254740995'));
      expect(await result('DECRBY', 'n', '4')).toBe(9007199254740991);
    });

    test('invalid UTF-8 becomes U+FFFD, and survives in base64', async () => {
      await call(emulator, 'POST', '/set/k', Uint8Array.of(0x61, 0xff, 0x62));
      expect(await result('GET', 'k')).toBe('a\uFFFDb');
      expect(await encoded('GET', 'k')).toBe(Buffer.from([0x61, 0xff, 0x62]).toString('base64'));
    });

    test('other response formats are refused, except where the service ignores them', async () => {
      const as = (format: string, path: string, body: unknown, more = {}) =>
        post(emulator, path, body, { 'upstash-response-format': format, ...more });
      expect(await as('resp2', '/', ['PING'])).toMatchObject({ status: 400 });
      expect(await as('resp2', '/', ['PING'], BASE64)).toMatchObject({ status: 400 });
      expect(await as('xml', '/', ['PING'])).toMatchObject({ status: 400 });
      expect(await as('json', '/', ['PING'])).toMatchObject({ status: 200 });
      expect(await as('resp2', '/multi-exec', [['PING']])).toMatchObject({ status: 200 });
    });
  });

  describe('commands the service refuses', () => {
    test.each(
      `AUTH MULTI EXEC DISCARD WATCH UNWATCH HELLO RESET CLIENT MONITOR SUBSCRIBE PSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE
       SELECT QUIT BLPOP BRPOP BRPOPLPUSH BLMOVE BLMPOP BZPOPMIN BZPOPMAX BZMPOP`.split(/\s+/),
    )('%s', async (name) => {
      expect(await run(name.toLowerCase(), 'x', '0')).toMatchObject({
        status: 400,
        json: { error: NOT_OVER_REST(name) },
      });
    });

    test.each([
      ...[
        'SHUTDOWN',
        'DEBUG',
        'REPLICAOF',
        'NOSUCH',
        'OBJECT',
        'SORT',
        'SORT_RO',
        'LCS',
        'LOLWUT',
        'XSETID',
        'SPUBLISH',
      ],
    ])('%s is not available', async (name) => {
      expect(await run(name, 'x')).toMatchObject({ status: 400, json: { error: NOT_AVAILABLE(name) } });
    });

    test.each([
      ['MEMORY', 'STATS'],
      ['FUNCTION', 'DUMP'],
      ['FUNCTION', 'RESTORE', 'x'],
      ['ACL', 'LIST'],
      ['CONFIG', 'GET', 'maxmemory'],
      ['CONFIG', 'SET', 'maxmemory', '1'],
    ])('%s %s is not available, others of its kind are', async (...command) => {
      const error = NOT_AVAILABLE(command.slice(0, 2).join(' '));
      expect(await run(...command)).toMatchObject({ status: 400, json: { error } });
    });

    test('what the service has in part passes in part', async () => {
      await run('SET', 'k', 'v'.repeat(1_000));
      expect(await result('MEMORY', 'USAGE', 'k')).toBeGreaterThan(1_000);
      expect(await result('MEMORY', 'USAGE', 'none')).toBe(null);
      expect(await result('ACL', 'WHOAMI')).toBe('default');
      expect(await result('CONFIG', 'GET', 'notify-keyspace-events')).toEqual(['notify-keyspace-events', '']);
      expect(await result('COMMAND', 'COUNT')).toBeGreaterThan(100);
    });

    test('INFO has the sections of the service, and no others', async () => {
      const sections = (info: unknown) => [...String(info).matchAll(/^# (.*)\r$/gm)].map(([, name]) => name);
      expect(sections(await result('INFO'))).toEqual(expect.arrayContaining(['Server', 'Clients', 'Memory', 'Stats']));
      expect(sections(await result('INFO'))).not.toContain('Replication');
      expect(sections(await result('INFO', 'memory'))).toEqual(['Memory']);
      expect(await result('INFO', 'commandstats')).toBe('');
    });

    test('reading a stream is refused only when it would block', async () => {
      await run('XADD', 'block', '1-1', 'f', 'v');
      expect(await run('XREAD', 'BLOCK', '0', 'STREAMS', 's', '$')).toMatchObject({
        status: 400,
        json: { error: NOT_OVER_REST('XREAD') },
      });
      expect(await result('XREAD', 'COUNT', '1', 'STREAMS', 'block', '0')).toEqual([['block', [['1-1', ['f', 'v']]]]]);
    });

    test('other errors have the words of the service', async () => {
      const error = async (...command: unknown[]) => ((await run(...command)).json as { error: string }).error;
      await run('SET', 'k', 'text');
      expect(await error('GET')).toBe(WRONG_ARITY('get'));
      expect(await error('INCR', 'k')).toBe(expectedOf('errors.integer'));
      expect(await error('EVALSHA', 'f'.repeat(40), 0)).toBe(UNKNOWN_SCRIPT);
    });
  });

  describe('a pipeline', () => {
    test('answers each command in its place, errors and refusals too', async () => {
      const commands = [['SET', 'k', 'v'], ['LPUSH', 'k', 'x'], ['BLPOP', 'k', 0], ['NOSUCH'], ['GET', 'k']];
      expect(await post(emulator, '/pipeline', commands)).toMatchObject({
        status: 200,
        json: [
          { result: 'OK' },
          { error: WRONG_TYPE },
          { error: NOT_OVER_REST('BLPOP') },
          { error: NOT_AVAILABLE('NOSUCH') },
          { result: 'v' },
        ],
      });
    });

    test('is refused whole when it is malformed, and runs nothing', async () => {
      expect(await post(emulator, '/pipeline', '')).toMatchObject({
        status: 400,
        json: { error: expectedOf('bodies.empty') },
      });
      expect(await post(emulator, '/pipeline', ['SET', 'k', 'v'])).toMatchObject({ status: 400 });
      expect(
        await post(emulator, '/pipeline', [
          ['SET', 'k', 'v'],
          ['SET', 'k', null],
        ]),
      ).toMatchObject({ status: 400 });
      expect(await result('EXISTS', 'k')).toBe(0);
    });
  });

  describe('a transaction', () => {
    test('answers each command, and goes on after a runtime error', async () => {
      const commands = [
        ['SET', 'k', 'v'],
        ['LPUSH', 'k', 'x'],
        ['APPEND', 'k', 'w'],
        ['MGET', 'k'],
      ];
      expect(await post(emulator, '/multi-exec', commands, BASE64)).toMatchObject({
        status: 200,
        json: [{ result: 'OK' }, { error: WRONG_TYPE }, { result: 2 }, { result: [btoa('vw')] }],
      });
    });

    test.each([
      ['a refused command', ['BLPOP', 'k', '0'], NOT_OVER_REST('BLPOP')],
      ['an unknown command', ['NOSUCH', 'k'], NOT_AVAILABLE('NOSUCH')],
      ['too few arguments', ['GET'], WRONG_ARITY('get')],
    ])('is discarded whole for %s: one object, not 2xx, nothing has run', async (_case, command, error) => {
      const answer = await post(emulator, '/multi-exec', [['SET', 'k', 'v'], command]);
      expect(answer).toMatchObject({ status: 400, json: { error } });
      expect(await result('EXISTS', 'k')).toBe(0);
    });

    test('is never interleaved with what others send', async () => {
      const mine = (i: number) => [
        ['SET', 'k', `${i}`],
        ['GET', 'k'],
        ['APPEND', 'k', '!'],
        ['GET', 'k'],
      ];
      const answers = await Promise.all(
        Array.from({ length: 40 }, async (_, i) => {
          const [, answer] = await Promise.all([run('SET', 'k', 'other'), post(emulator, '/multi-exec', mine(i))]);
          return answer.json;
        }),
      );
      answers.forEach((answer, i) => {
        const length = `${i}!`.length;
        expect(answer).toEqual([{ result: 'OK' }, { result: `${i}` }, { result: length }, { result: `${i}!` }]);
      });
    });
  });

  test('every answer carries a sync token, and each write changes it', async () => {
    const token = async (path: string, body: unknown) =>
      (await post(emulator, path, body)).headers.get('upstash-sync-token');
    const written = await token('/', ['SET', 'k', 'v']);
    expect(written).toBeTruthy();
    expect(await token('/', ['GET', 'k'])).toBe(written);
    expect(await token('/', [])).toBe(written);
    const piped = await token('/pipeline', [
      ['GET', 'k'],
      ['SET', 'k', 'w'],
    ]);
    expect(piped).not.toBe(written);
    expect(await token('/multi-exec', [['DEL', 'k']])).not.toBe(piped);
  });

  describe('sizes', () => {
    let small: Emulator;
    beforeAll(async () => {
      small = await open(store, { limits: { requestBytes: 1_000 } });
    });
    afterAll(() => small?.close());
    const TOO_LARGE = { error: expect.stringMatching(expectedForm('request-size.text', 1_000)) };

    test('a request above the limit is answered 413 and does not run', async () => {
      const big = ['SET', 'k', 'x'.repeat(2_000)];
      expect(await post(small, '/', big)).toMatchObject({ status: 413, json: TOO_LARGE });
      expect(await call(small, 'POST', '/set/k', 'x'.repeat(2_000))).toMatchObject({ status: 413, json: TOO_LARGE });
      expect(await post(small, '/pipeline', [['GET', 'k'], big])).toMatchObject({ status: 413, json: TOO_LARGE });
      expect(await post(small, '/multi-exec', [big])).toMatchObject({ status: 413, json: TOO_LARGE });
      expect(await result('EXISTS', 'k')).toBe(0);
    });

    test('a pipeline as a whole has no limit', async () => {
      const commands = Array.from({ length: 5 }, () => ['RPUSH', 'l', 'x'.repeat(900)]);
      expect(await post(small, '/pipeline', commands)).toMatchObject({ status: 200 });
      expect(await result('LLEN', 'l')).toBe(5);
    });

    test('a result above the limit is an error with status 200, and others of its pipeline are not', async () => {
      await run('SET', 'k', 'x'.repeat(2_000));
      await run('RPUSH', 'l', 'x'.repeat(600), 'y'.repeat(600));
      expect(await post(small, '/', ['GET', 'k'])).toMatchObject({ status: 200, json: TOO_LARGE });
      const answer = await post(small, '/pipeline', [
        ['STRLEN', 'k'],
        ['LRANGE', 'l', 0, -1],
        ['LINDEX', 'l', 0],
      ]);
      expect(answer).toMatchObject({ status: 200, json: [{ result: 2_000 }, TOO_LARGE, { result: 'x'.repeat(600) }] });
    });

    test('the service takes 9 MB and refuses 11', async () => {
      expect(await run('SET', 'k', 'x'.repeat(9_000_000))).toMatchObject({ status: 200 });
      expect(await result('STRLEN', 'k')).toBe(9_000_000);
      expect(await run('SET', 'k', 'x'.repeat(11_000_000))).toMatchObject({ status: 413 });
    });
  });

  describe('billed commands', () => {
    const cost = async (path: string, body: unknown) => {
      const before = await emulator.billed();
      await post(emulator, path, body);
      return (await emulator.billed()) - before;
    };

    test('each command is one, a script is one and one for each call inside', async () => {
      expect(await cost('/', ['SET', 'k', 'v'])).toBe(1);
      expect(await cost('/', ['EVAL', "redis.call('INCR', 'n'); redis.call('PEXPIRE', 'n', 9); return 1", 0])).toBe(3);
      expect(await cost('/', ['EVAL', "for i = 1, 5 do redis.call('INCR', 'n') end", 0])).toBe(6);
      await run('SCRIPT', 'LOAD', "return redis.call('GET', KEYS[1])");
      const digest = createHash('sha1').update("return redis.call('GET', KEYS[1])").digest('hex');
      expect(await cost('/', ['EVALSHA', digest, 1, 'k'])).toBe(2);
    });

    test('lists cost their commands, free and refused ones nothing', async () => {
      expect(await cost('/pipeline', [['GET', 'k'], ['PING'], ['BLPOP', 'k', 0], ['INCR', 'n']])).toBe(2);
      expect(await cost('/multi-exec', [['GET', 'k'], ['INCR', 'n'], ['PING']])).toBe(2 + 2); // MULTI and EXEC
      expect(await cost('/', ['PING'])).toBe(0);
    });

    test('requests are counted apart from commands', async () => {
      const before = emulator.requests();
      await post(emulator, '/pipeline', [
        ['GET', 'k'],
        ['GET', 'k'],
      ]);
      await run('GET', 'k');
      expect(emulator.requests() - before).toBe(2);
    });
  });

  describe('the first line that lets a script lock only its keys', () => {
    const plain = "return redis.call('SET', KEYS[1], ARGV[1]) and 'stored'";
    const flagged = `#!lua flags=allow-key-locking\n${plain}`;
    const digest = createHash('sha1').update(flagged).digest('hex');
    beforeEach(() => run('SCRIPT', 'FLUSH'));

    test('is taken by EVAL, after which the digest of the whole text works', async () => {
      expect(await result('EVAL', flagged, 1, 'k', 'a')).toBe('stored');
      expect(await result('EVALSHA', digest, 1, 'k', 'b')).toBe('stored');
      expect(await result('GET', 'k')).toBe('b');
    });

    test('is part of what SCRIPT LOAD answers and SCRIPT EXISTS knows', async () => {
      expect(await result('SCRIPT', 'LOAD', flagged)).toBe(digest);
      expect(await result('SCRIPT', 'EXISTS', digest, 'f'.repeat(40))).toEqual([1, 0]);
      expect(await post(emulator, '/multi-exec', [['EVALSHA', digest, 1, 'k', 'c']])).toMatchObject({
        json: [{ result: 'stored' }],
      });
    });

    const locked = (body: string) => `#!lua flags=allow-key-locking\n${body}`;
    const DYNAMIC = (key: string) => expectedFor('key-locking.otherTag', '<key>', key);

    test.each<[string, string]>([
      ["redis.call('GET', ARGV[1])", 'other'],
      ["redis.call('SET', KEYS[1] .. 'x', '1')", 'kx'],
      ["redis.call('MGET', KEYS[1], KEYS[2], 'c')", 'c'],
      ["redis.call('MSET', KEYS[1], 'b', 'd', 'e')", 'd'],
      ["redis.call('RENAME', KEYS[1], 'e')", 'e'],
      ["redis.call('LMPOP', 2, KEYS[1], 'f', 'LEFT')", 'f'],
      ["redis.call('ZUNIONSTORE', KEYS[1], 2, KEYS[2], 'g')", 'g'],
      ["redis.call('ZUNIONSTORE', 'h', 1, KEYS[1])", 'h'],
      ["redis.call('BITOP', 'AND', KEYS[1], 'i')", 'i'],
      ["redis.call('XREAD', 'COUNT', '1', 'STREAMS', KEYS[1], 'j', '0', '0')", 'j'],
      ["redis.call('zadd', 'z', 1, 'm')", 'z'],
    ])('%s touches a key that is not declared: refused', async (call, key) => {
      const script = locked(`return ${call}`);
      expect(await run('EVAL', script, 2, 'k', 'l', 'other')).toMatchObject({
        status: 400,
        json: { error: expect.stringContaining(DYNAMIC(key)) },
      });
      const again = createHash('sha1').update(script).digest('hex');
      expect(await run('EVALSHA', again, 2, 'k', 'l', 'other')).toMatchObject({
        json: { error: expect.stringContaining(DYNAMIC(key)) },
      });
    });

    test('declared keys may be touched by every command, and commands without a key called', async () => {
      const calls = `redis.call('RPUSH', KEYS[1], 'a') redis.call('LMPOP', 1, KEYS[1], 'LEFT') redis.call('TIME') redis.call('PING')
        redis.call('MSET', KEYS[1], 'x', KEYS[2], 'y') redis.call('BITOP', 'AND', KEYS[2], KEYS[1]) redis.call('DEL', KEYS[1], KEYS[2])
        redis.call('ZADD', KEYS[1], 1, 'm') return redis.call('ZUNIONSTORE', KEYS[2], 1, KEYS[1])`;
      expect(await result('EVAL', locked(calls), 2, 'k', 'l')).toBe(1);
    });

    test('the whole database may not be touched', async () => {
      expect(await run('EVAL', locked("return redis.call('FLUSHDB')"), 1, 'k')).toMatchObject({ status: 400 });
    });

    test('is ignored behind an empty line: such a script locks everything, and may touch any key', async () => {
      await run('SET', 'other', 'v');
      const script = `\n${locked("return redis.call('GET', 'other')")}`;
      expect(await result('EVAL', script, 0)).toBe('v');
      expect(await result('EVALSHA', createHash('sha1').update(script).digest('hex'), 0)).toBe('v');
    });

    test('does not outlive a flush of the scripts', async () => {
      await run('SCRIPT', 'LOAD', flagged);
      await run('SCRIPT', 'FLUSH');
      expect((await run('EVALSHA', digest, 1, 'k', 'd')).json).toEqual({
        error: UNKNOWN_SCRIPT,
      });
    });
  });

  describe('inside scripts', () => {
    const error = async (...command: unknown[]) => ((await run(...command)).json as { error: string }).error;

    test.each(['OBJECT', 'sort', 'LCS', 'LOLWUT', 'XSETID', 'SPUBLISH', 'CLUSTER'])(
      '%s is not available',
      async (name) => {
        const text = `return redis.call('${name}', 'x')`;
        expect(await error('EVAL', text, 0)).toContain(NOT_AVAILABLE(name.toUpperCase()));
        expect(await error('EVALSHA', createHash('sha1').update(text).digest('hex'), 0)).toContain(
          NOT_AVAILABLE(name.toUpperCase()),
        );
        expect(await result('EVAL', `return redis.pcall("${name}", 'x').err`, 0)).toBe(
          NOT_AVAILABLE(name.toUpperCase()),
        );
      },
    );

    test('other words in quotes do no harm', async () => {
      expect(await result('EVAL', "return { 'move', redis.call('PING').ok, 'SORT' }", 0)).toEqual([
        'move',
        'PONG',
        'SORT',
      ]);
    });
  });

  test('an observer sees each command in the order in which Redis executed them', async () => {
    await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        i % 3 === 0
          ? post(emulator, '/multi-exec', [
              ['INCR', 'n'],
              ['INCR', 'n'],
            ])
          : post(emulator, '/pipeline', [
              ['INCR', 'n'],
              ['HGET', 'n', 'f'],
              ['INCR', 'n'],
            ]),
      ),
    );
    const counted = observed.filter(({ command }) => command[0] === 'INCR').map((event) => event.result);
    expect(counted).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    const failed = observed.filter(({ error }) => error !== undefined);
    expect(failed).toHaveLength(20);
    expect(failed[0]).toMatchObject({ command: ['HGET', 'n', 'f'], error: expect.stringMatching(/^WRONGTYPE/) });
    for (const { startedAt, endedAt } of observed) expect(endedAt).toBeGreaterThanOrEqual(startedAt);
  });

  describe('the SDK', () => {
    test('stores and reads, also what looks like a status', async () => {
      const redis = sdkFor(emulator);
      expect(await redis.set('k', 'OK')).toBe('OK');
      expect(await redis.get('k')).toBe('OK');
      expect(await redis.mget('k', 'none')).toEqual(['OK', null]);
      await redis.hset('h', { f: 'ü', g: 2 });
      expect(await redis.hgetall('h')).toEqual({ f: 'ü', g: 2 });
      expect(await redis.zadd('z', { score: 1.5, member: 'm' })).toBe(1);
      expect(await redis.zscore('z', 'm')).toBe(1.5);
    });

    test('pipelines, also those it makes by itself', async () => {
      const redis = sdkFor(emulator);
      expect(await redis.pipeline().incr('n').lpush('n', 'x').incr('n').exec({ keepErrors: true })).toMatchObject([
        { result: 1 },
        { error: expect.stringMatching(/WRONGTYPE/) },
        { result: 2 },
      ]);
      const auto = new Redis({ url: emulator.url, token: TOKEN });
      expect(await Promise.all([auto.incr('n'), auto.incr('n')])).toEqual([3, 4]);
    });

    test('runs transactions, and reports a discarded one', async () => {
      const redis = sdkFor(emulator);
      expect(await redis.multi().set('k', 'v').get('k').exec()).toEqual(['OK', 'v']);
      const blocking = redis.multi().set('k', 'w').xread('s', '$', { blockMS: 1 });
      await expect(blocking.exec()).rejects.toThrow(NOT_OVER_REST('XREAD'));
      expect(await redis.get('k')).toBe('v');
    });

    test('loads a script when the digest is unknown', async () => {
      const script = sdkFor(emulator).createScript<string>("return redis.call('GET', KEYS[1]) or 'none'");
      await run('SCRIPT', 'FLUSH');
      expect(await script.exec(['k'], [])).toBe('none');
      await run('SET', 'k', 'v');
      expect(await script.exec(['k'], [])).toBe('v');
    });

    test('tells of a wrong token and of a failed command', async () => {
      const stranger = new Redis({ url: emulator.url, token: 'wrong', retry: { retries: 0 } });
      await expect(stranger.get('k')).rejects.toThrow(/WRONGPASS/);
      await run('SET', 'k', 'v');
      await expect(sdkFor(emulator).lpush('k', 'x')).rejects.toThrow(/WRONGTYPE/);
    });
  });

  describe('faults', () => {
    const attempt = () => run('INCR', 'n');
    const executed = async () => {
      fault = undefined;
      return result('GET', 'n');
    };

    test('drop-reply: the command ran and nobody hears of it', async () => {
      fault = { kind: 'drop-reply' };
      await expect(attempt()).rejects.toThrow('fetch failed');
      expect(await executed()).toBe('1');
    });

    test('reset: the connection ends and nothing ran', async () => {
      fault = { kind: 'reset' };
      await expect(attempt()).rejects.toThrow('fetch failed');
      expect(await executed()).toBe(null);
    });

    test('truncate: the command ran and half of the answer arrives', async () => {
      fault = { kind: 'truncate' };
      const response = await fetch(emulator.url, {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}` },
        body: '["INCR","n"]',
      });
      expect(response.status).toBe(200);
      expect(response.headers.get('content-length')).toBe('12');
      await expect(response.text()).rejects.toThrow('terminated');
      expect(await executed()).toBe('1');
    });

    test.each([429, 503] as const)('status-before %i: a page of a proxy, nothing ran', async (status) => {
      fault = { kind: 'status-before', status };
      expect(await attempt()).toMatchObject({ status, json: expect.stringMatching(/^<html>/) });
      expect(await executed()).toBe(null);
    });

    test.each([429, 503] as const)('status-after %i: a page of a proxy, yet it ran', async (status) => {
      fault = { kind: 'status-after', status };
      expect(await attempt()).toMatchObject({ status, json: expect.stringMatching(/^<html>/) });
      expect(await executed()).toBe('1');
    });

    test.each([500, 502, 503, 504, 429] as const)(
      'a status of %i may come with JSON, and say when to come again',
      async (status) => {
        fault = { kind: 'status-after', status, error: 'ERR busy', retryAfterSeconds: 7 };
        const answer = await attempt();
        expect(answer).toMatchObject({ status, json: { error: 'ERR busy' } });
        expect(answer.headers.get('retry-after')).toBe('7');
        expect(await executed()).toBe('1');
      },
    );

    test.each(['delay-before', 'delay-after'] as const)('%s: right, but late, on its side of Redis', async (kind) => {
      fault = { kind, ms: 60 };
      const sentAt = Date.now();
      expect(await attempt()).toMatchObject({ status: 200, json: { result: 1 } });
      const answeredAt = Date.now();
      const [{ startedAt, endedAt } = { startedAt: 0, endedAt: 0 }] = observed.slice(-1);
      const late = kind === 'delay-before' ? startedAt - sentAt : answeredAt - endedAt;
      expect(late).toBeGreaterThanOrEqual(59); // timers may fire a fraction early
    });

    test('flush-scripts: a loaded script is unknown', async () => {
      const digest = await result('SCRIPT', 'LOAD', 'return 7');
      fault = { kind: 'flush-scripts' };
      expect(await run('EVALSHA', digest, 0)).toMatchObject({ status: 400, json: { error: /^NOSCRIPT/ } });
    });

    test('they are decided by path and commands', async () => {
      const seen: unknown[] = [];
      const picky = await open(store, {
        faults: (request) => {
          seen.push(request);
          return request.commands[0]?.[0] === 'INCR' ? { kind: 'status-before', status: 503 } : undefined;
        },
      });
      expect(await post(picky, '/', ['GET', 'n'])).toMatchObject({ status: 200 });
      expect(
        await post(picky, '/pipeline', [
          ['INCR', 'n'],
          ['GET', 'n'],
        ]),
      ).toMatchObject({ status: 503 });
      expect(seen).toEqual([
        { path: '/', commands: [['GET', 'n']] },
        {
          path: '/pipeline',
          commands: [
            ['INCR', 'n'],
            ['GET', 'n'],
          ],
        },
      ]);
      await picky.close();
    });
  });
});

describe.each(stores)('refusals inside scripts, on %s', (_name, start) => {
  let store: Store;
  let emulator: Emulator;
  let refuse: (call: ScriptCall) => Refusal | undefined;
  let writes: string[] | undefined;
  const observed: Observation[] = [];
  beforeAll(async () => {
    store = await start();
    emulator = await open(store, { refuse: (call) => refuse(call), observe: (event) => observed.push(event) });
  });
  beforeEach(async () => {
    refuse = () => undefined;
    writes = undefined;
    await post(emulator, '/', ['FLUSHALL']);
    observed.length = 0;
  });
  afterAll(async () => {
    await emulator?.close();
    await store?.stop();
  });

  const refusing = (refusal: Partial<Refusal>) => {
    refuse = () => ({ from: 1, told: (all) => (writes = all), ...refusal });
  };
  const run = async (script: string, ...args: string[]) =>
    (await post(emulator, '/', ['EVAL', script, 0, ...args])).json as { result?: unknown; error?: string };
  const keys = async () => ((await post(emulator, '/', ['KEYS', '*'])).json as { result: string[] }).result.sort();
  /** Four growing writes, and others around them. */
  const FOUR = `redis.call('SET', 'a', ARGV[1]) redis.call('UNLINK', 'x') redis.call('MSET', 'b', '1', 'c', '2')
    redis.call('ZADD', 'd', '1', 'm') redis.call('GET', 'a') redis.call('RPUSH', 'e', 'm') return { #ARGV, ARGV[1], 'done' }`;
  const ALL = ['SET a', 'MSET b c', 'ZADD d', 'RPUSH e'];
  const FULL = 'ERR max single record size exceeded';

  test('none: the script runs as it would, and its growing writes are told', async () => {
    refusing({ from: Number.POSITIVE_INFINITY });
    expect(await run(FOUR, 'v')).toEqual({ result: [1, 'v', 'done'] });
    expect(writes).toEqual(ALL);
    expect(await keys()).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test.each([
    [1, []],
    [2, ['a']],
    [3, ['a', 'b', 'c']],
    [4, ['a', 'b', 'c', 'd']],
  ])('the growing write %i is refused, what went before it stays', async (from, left) => {
    refusing({ from });
    expect((await run(FOUR, 'v')).error).toMatch(new RegExp(`^${FULL} script: \\w{40}, on @user_script:1\\.$`));
    expect(await keys()).toEqual(left);
  });

  const PCALLS = FOUR.replaceAll('redis.call', 'redis.pcall');

  test.each<[string, Partial<Refusal>, string[]]>([
    ['one', { from: 2 }, ['a', 'd', 'e']],
    ['two', { from: 2, times: 2 }, ['a', 'e']],
    ['all from one on', { from: 2, times: Number.POSITIVE_INFINITY }, ['a']],
    ['all of some commands', { commands: ['zadd', 'SET'], times: Number.POSITIVE_INFINITY }, ['b', 'c', 'e']],
    ['all in keys of a form', { keys: ['c'], times: Number.POSITIVE_INFINITY }, ['a', 'd', 'e']],
    ['the second in any key', { keys: ['*'], from: 2 }, ['a', 'd', 'e']],
    ['all in keys of two forms', { keys: ['a', '**d'], times: 9 }, ['b', 'c', 'e']],
    ['some commands in some keys', { keys: ['d'], commands: ['SET'], times: 9 }, ['a', 'b', 'c', 'd', 'e']],
  ])('refused: %s; a script that does not mind goes on', async (_, refusal, left) => {
    refusing(refusal);
    expect(await run(PCALLS, 'v')).toEqual({ result: [1, 'v', 'done'] });
    expect(writes).toEqual(ALL);
    expect(await keys()).toEqual(left);
  });

  test('of a form nothing but the asterisk has a meaning', async () => {
    const script = `for _, key in ipairs(ARGV) do redis.pcall('SET', key, '1') end`;
    refusing({ keys: ['{p}:m-*.%a'], times: 9 });
    await run(script, '{p}:m-1.%a', '{p}:m-1xxa', '{p}:mm1.%a', '{p}:m-.%a');
    expect(await keys()).toEqual(['{p}:m-1xxa', '{p}:mm1.%a']);
  });

  test('deletes, reads and what changes no size are never refused', async () => {
    await run(FOUR, 'v');
    refusing({ times: Number.POSITIVE_INFINITY });
    const script = `redis.call('LREM', 'e', '0', 'm') redis.call('PEXPIRE', 'd', '99999') redis.call('LTRIM', 'e', '0', '1')
      redis.call('ZREM', 'd', 'm') redis.call('DEL', 'a') redis.call('LPOP', 'e') redis.call('HDEL', 'h', 'f') return redis.call('GET', 'b')`;
    expect(await run(script)).toEqual({ result: '1' });
    expect(writes).toEqual([]);
  });

  test('it grows under its new name: by that a move is meant', async () => {
    refusing({ keys: ['new'], times: 9 });
    expect((await run(`redis.call('RPUSH', 'e', 'm') return redis.call('RPOPLPUSH', 'e', 'new')`)).error).toContain(
      FULL,
    );
    expect((await run(`return redis.call('RENAME', 'e', 'new')`)).error).toContain(FULL);
    expect(await keys()).toEqual(['e']);
  });

  test('a script hears of it as of any other refusal', async () => {
    const heard = (write: string) => `
      local function kind(x) return type(x) == 'table' and (x.err or 'a table') or tostring(x) end
      local ok, caught = pcall(redis.call, ${write})
      local inside, again = pcall(function() return redis.call(${write}) end)
      local told = redis.pcall(${write})
      return { tostring(ok), type(caught), kind(caught), tostring(inside), kind(again), type(told), kind(told) }`;
    const wrong = String(WRONG_TYPE);
    await run(`redis.call('SET', 'text', '1')`);
    const { result: others } = await run(heard(`'RPUSH', 'text', '1'`));
    refusing({ times: Number.POSITIVE_INFINITY, error: wrong });
    expect(await run(heard(`'RPUSH', 'list', '1'`))).toEqual({ result: others });
    for (const script of [`return redis.pcall('SET', 'a', '1')`, `return { err = '${wrong}' }`]) {
      expect(await run(script)).toEqual({ error: wrong });
    }
  });

  test('replies of every kind come through', async () => {
    const scripts = [
      'return',
      'return nil',
      'return false',
      'return true',
      'return 3.7',
      `return redis.status_reply('OK')`,
    ];
    scripts.push(
      `return { 1, false, 'x', { 'y' } }`,
      `return redis.error_reply('NO way')`,
      `return redis.call('TYPE', 'a')`,
    );
    scripts.push(`error('thrown', 0)`, `return redis.call('NOSUCH')`, 'return redis.sha1hex(ARGV[1])', 'return KEYS');
    const plain = [];
    for (const script of scripts) plain.push(await run(script, 'v'));
    refusing({});
    for (const [i, script] of scripts.entries()) {
      const { error, ...rest } = await run(script, 'v');
      const { error: expected, ...others } = plain[i] ?? {};
      expect(rest).toEqual(others);
      expect(error?.replace(/script: \w+/, ''), script).toBe(expected?.replace(/script: \w+/, ''));
    }
  });

  test('the lines of the text keep their numbers, behind a first line for Redis too', async () => {
    refusing({});
    expect((await run('local a = 1\n\nreturn a.b.c')).error).toContain('user_script:3:');
    const flagged = '#!lua flags=allow-key-locking\nlocal a = 1\nreturn a.b.c';
    expect((await run(flagged)).error).toContain('user_script:3:');
  });

  test('a call by digest is refused too, with one text more however often; one that is not known is none', async () => {
    const loaded = async () =>
      /number_of_cached_scripts:(\d+)/.exec(
        ((await post(emulator, '/', ['INFO', 'memory'])).json as { result: string }).result,
      )?.[1];
    const digest = createHash('sha1').update(PCALLS).digest('hex');
    refusing({});
    const byDigest = () => post(emulator, '/', ['EVALSHA', digest.toUpperCase(), 0, 'v']);
    await post(emulator, '/', ['SCRIPT', 'FLUSH']);
    expect((await byDigest()).json).toEqual({ error: UNKNOWN_SCRIPT });
    await post(emulator, '/', ['SCRIPT', 'LOAD', PCALLS]);
    await byDigest();
    const before = await loaded();
    for (const from of [2, 3, 4]) {
      refusing({ from, keys: [`key ${from}`] });
      expect((await byDigest()).json).toEqual({ result: [1, 'v', 'done'] });
      expect(writes).toEqual(ALL);
    }
    expect(await loaded()).toBe(before);
  });

  test('asked once for each call, with what is called; in lists too', async () => {
    const asked: ScriptCall[] = [];
    refuse = (call) => {
      asked.push(call);
      return call.args[0] === 'no' ? { from: 1 } : undefined;
    };
    const script = `return redis.call('SET', KEYS[1], ARGV[1])`;
    const commands = [
      ['EVAL', script, 1, 'a', 'yes'],
      ['SET', 'b', '1'],
      ['EVAL', script, 1, 'c', 'no'],
    ];
    for (const path of ['/pipeline', '/multi-exec']) {
      expect((await post(emulator, path, commands)).json).toEqual([
        { result: 'OK' },
        { result: 'OK' },
        { error: expect.stringContaining(FULL) },
      ]);
    }
    const call = (key: string, arg: string) => ({ text: script, keys: [key], args: [arg] });
    expect(asked).toEqual([call('a', 'yes'), call('c', 'no'), call('a', 'yes'), call('c', 'no')]);
  });

  test('an observer sees what was asked, and what was answered', async () => {
    refusing({ from: 9 });
    await run(FOUR, 'v');
    expect(observed.at(-1)).toMatchObject({ command: ['EVAL', FOUR, '0', 'v'], result: [1, 'v', 'done'] });
  });

  test('as a fault it is of one request', async () => {
    let fault: Fault | undefined = { kind: 'refuse-inside', from: 2 };
    const faulty = await open(store, { faults: () => fault });
    expect((await post(faulty, '/', ['EVAL', FOUR, 0, 'v'])).json).toEqual({ error: expect.stringContaining(FULL) });
    fault = undefined;
    expect((await post(faulty, '/', ['EVAL', FOUR, 0, 'v'])).json).toEqual({ result: [1, 'v', 'done'] });
    await faulty.close();
  });
});

// Only there is a refusal of Redis' own to compare with: before a script's first write it looks whether there is room.
test.skipIf(!real)('a refusal inside a script is told as Redis tells that memory is used up', async () => {
  const store = await startRedisServer();
  let refusal: Refusal | undefined;
  const emulator = await open(store, { refuse: () => refusal });
  const calls = [
    `return redis.call('SET', 'a', '1')`,
    `return redis.pcall('SET', 'a', '1')`,
    `return { pcall(redis.call, 'SET', 'a', '1') }`,
  ];
  calls.push(`return { type(redis.pcall('SET', 'a', '1')), redis.pcall('SET', 'a', '1').err }`);
  calls.push(
    `local ok, e = pcall(redis.call, 'SET', 'a', '1') return { type(e), e }`,
    `error(redis.pcall('SET', 'a', '1'))`,
  );
  const answers = async () => {
    const all = [];
    for (const call of calls) all.push((await post(emulator, '/', ['EVAL', call, 0])).json);
    return JSON.parse(JSON.stringify(all).replace(/script: \w+/g, ''));
  };
  refusal = { from: 1, times: 9, error: "OOM command not allowed when used memory > 'maxmemory'." };
  const ours = await answers();
  refusal = undefined;
  execFileSync('redis-cli', ['-p', String(new URL(store.url).port), 'CONFIG', 'SET', 'maxmemory', '1']);
  expect(ours).toEqual(await answers());
  await emulator.close();
  await store.stop();
});

describe('seeded faults', () => {
  const kinds = (seed: number, requests: number) => {
    const { faults, counts } = seededFaults({ seed, rates: { 'drop-reply': 0.1, 'status-after': 0.2 }, delayMs: 5 });
    const met = Array.from({ length: requests }, () => faults({ path: '/', commands: [] })?.kind);
    return { met, counts };
  };

  test('are the same for the same seed, and others for another', () => {
    expect(kinds(7, 200).met).toEqual(kinds(7, 200).met);
    expect(kinds(7, 200).met).not.toEqual(kinds(8, 200).met);
  });

  test('refuse each of the first writes of a script, alone or with all after it', () => {
    const { faults } = seededFaults({ seed: 3, rates: { 'refuse-inside': 1 } });
    const drawn = Array.from({ length: 500 }, () => faults({ path: '/', commands: [] }));
    const kinds = new Set(
      drawn.map((fault) => (fault?.kind === 'refuse-inside' ? `${fault.from} ${fault.times ?? 1}` : '')),
    );
    const expected = [1, 2, 3, 4, 5, 6, 7, 8].flatMap((from) => [`${from} 1`, `${from} Infinity`]);
    expect([...kinds].toSorted()).toEqual(expected.toSorted());
  });

  test('answer in each of the forms that stand in front of a service', () => {
    const { faults } = seededFaults({ seed: 4, rates: { 'status-before': 0.5, 'status-after': 0.5 } });
    const drawn = Array.from({ length: 500 }, () => faults({ path: '/', commands: [] }) as Fault & Status);
    const forms = new Set(
      drawn.map(({ status, error, retryAfterSeconds }) => JSON.stringify([status, error, retryAfterSeconds])),
    );
    expect(forms.size).toBe(STATUSES.length);
  });

  test('come at their rates, and are counted', () => {
    const { met, counts } = kinds(1, 10_000);
    expect(counts['drop-reply']).toBe(met.filter((kind) => kind === 'drop-reply').length);
    expect(counts['drop-reply'] / 10_000).toBeCloseTo(0.1, 1);
    expect(counts['status-after'] / 10_000).toBeCloseTo(0.2, 1);
    expect(counts.reset).toBe(0);
  });
});

describe.each(clusters)('on a cluster of %s', (_name, start) => {
  let store: Store;
  let emulator: Emulator;
  beforeAll(async () => {
    store = await start();
    emulator = await open(store);
  });
  afterAll(async () => {
    await emulator?.close();
    await store?.stop();
  });

  const KEYS = ['a', 'b', 'c', 'd', 'e', 'f']; // they spread over all three masters

  test('it looks like one database', async () => {
    await post(emulator, '/', ['FLUSHALL']);
    await post(
      emulator,
      '/pipeline',
      KEYS.map((key) => ['SET', key, `value of ${key}`]),
    );
    const { json } = await post(emulator, '/pipeline', [...KEYS.map((key) => ['GET', key]), ['DBSIZE']]);
    expect(json).toEqual([...KEYS.map((key) => ({ result: `value of ${key}` })), { result: 6 }]);
    const keys = (await post(emulator, '/', ['KEYS', '*'])).json as { result: string[] };
    expect(keys.result.sort()).toEqual(KEYS);
  });

  test('a transaction finds its node on a connection that has done nothing yet', async () => {
    for (const key of KEYS) {
      const fresh = await open(store);
      expect(await post(fresh, '/multi-exec', [['SET', key, '1']])).toMatchObject({ status: 200 });
      await fresh.close();
    }
  });

  test('a script loaded once is known for every key', async () => {
    const digest = ((await post(emulator, '/', ['SCRIPT', 'LOAD', 'return KEYS[1]'])).json as { result: string })
      .result;
    const { json } = await post(
      emulator,
      '/pipeline',
      KEYS.map((key) => ['EVALSHA', digest, 1, key]),
    );
    expect(json).toEqual(KEYS.map((key) => ({ result: key })));
  });

  test('a transaction runs where its keys live, and not over several slots', async () => {
    for (const key of KEYS) {
      const commands = [
        ['SET', `{${key}}1`, '1'],
        ['INCR', `{${key}}1`],
      ];
      expect(await post(emulator, '/multi-exec', commands)).toMatchObject({ json: [{ result: 'OK' }, { result: 2 }] });
    }
    const error = "CROSSSLOT Keys in request don't hash to the same slot";
    const apart = [
      ['SET', 'a', '1'],
      ['SET', 'b', '1'],
    ];
    expect(await post(emulator, '/multi-exec', apart)).toMatchObject({ status: 400, json: { error } });
  });

  test('billed commands are those of all masters', async () => {
    const before = await emulator.billed();
    await post(
      emulator,
      '/pipeline',
      KEYS.map((key) => ['SET', key, '1']),
    );
    await post(emulator, '/', ['EVAL', "return redis.call('GET', KEYS[1])", 1, 'c']);
    expect((await emulator.billed()) - before).toBe(8);
  });
});

describe.skipIf(!real)('when redis-server goes away', () => {
  const answers503 = { status: 503, json: expect.stringMatching(/^<html>/) };
  const back = (emulator: Emulator) =>
    until('the emulator answers again', async () => (await post(emulator, '/', ['PING'])).status === 200);

  test('requests fail at once, and work again when it is back', async () => {
    const redis = await startRedisServer();
    const emulator = await open(redis);
    await post(emulator, '/pipeline', [
      ['SET', 'k', 'v'],
      ['GET', 'k'],
    ]);
    expect(await emulator.billed()).toBe(2);
    await redis.stop();

    const from = steadyNow();
    expect(await post(emulator, '/', ['GET', 'k'])).toMatchObject(answers503);
    expect(await post(emulator, '/pipeline', [['GET', 'k']])).toMatchObject(answers503);
    expect(await post(emulator, '/multi-exec', [['GET', 'k']])).toMatchObject(answers503);
    expect(steadyNow() - from).toBeLessThan(2_000);
    await expect(emulator.billed()).rejects.toThrow('redis is away');

    const again = await startRedisServer(['--port', String(redis.port)]);
    await back(emulator);
    expect(await post(emulator, '/', ['GET', 'k'])).toMatchObject({ status: 200, json: { result: null } });
    expect(await emulator.billed()).toBe(3); // the counters of the new process go on from those of the old one
    await emulator.close();
    await again.stop();
  });

  test('a command under way then fails and is never sent again', async () => {
    const redis = await startRedisServer();
    const executed: string[] = [];
    const emulator = await open(redis, { observe: ({ command }) => void executed.push(command[0] ?? '') });
    await post(emulator, '/', ['SET', 'k', 'v']);
    const underWay = post(emulator, '/', ['EVAL', "redis.call('INCR', 'ran') while true do end", 0]);
    await until('redis-server is busy', () => busy(redis.port));
    await redis.stop();
    expect(await underWay).toMatchObject(answers503);

    const again = await startRedisServer(['--port', String(redis.port)]);
    await back(emulator);
    expect(await post(emulator, '/', ['EXISTS', 'ran'])).toMatchObject({ status: 200, json: { result: 0 } });
    expect(executed.filter((name) => name === 'EVAL')).toEqual([]);
    await emulator.close();
    await again.stop();
  });

  test('there is no emulator without it', async () => {
    const redis = await startRedisServer();
    await redis.stop();
    await expect(open(redis)).rejects.toThrow('redis is away');
  });
});

/** A Redis inside an endless script takes connections and answers none of them. */
async function busy(port: number): Promise<boolean> {
  const answered = new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.setTimeout(200, () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('data', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(true));
  });
  return !(await answered);
}
