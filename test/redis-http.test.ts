// `sluice redis-http`: Redis over HTTP for production. Who may call, what is passed on, what is too much, and how it ends.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { Redis as RestClient } from '@upstash/redis';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEngine } from '../src/engine.ts';
import { defineQueue } from '../src/queue/queue.ts';
import { readAddress } from '../src/redis-http/address.ts';
import { judgeBy } from '../src/redis-http/allowed.ts';
import { type Front, type FrontOptions, startFront } from '../src/redis-http/front.ts';
import { readTokens } from '../src/redis-http/tokens.ts';
import { runCli } from './support/cli.ts';
import { type RedisServer, redisServerPresent, startRedisServer, startSentinel } from './support/redis-server.ts';
import { steadyNow } from './support/steady-clock.ts';
import { eventually } from './support/worker.ts';

const TOKEN = 'a-token-that-nobody-guesses-0123456789';
const NEXT = 'the-token-after-that-one-0123456789abc';

const present = redisServerPresent();
if (!present) console.log('skipped: redis-http on a real redis-server, there is none on the PATH');

const OPTIONS = {
  knows: readTokens(`${TOKEN}\n${NEXT}\n`),
  port: 0,
  host: '127.0.0.1',
  maxBytes: 1_048_576,
  maxCommands: 100,
  concurrency: 100,
  timeoutMs: 10_000, // the machine may stand still for seconds
  allow: [],
} satisfies Partial<FrontOptions>;

/** For longer than any test takes: each ends it when it has seen what it waits for. */
const PAUSE_MS = '120000';

/** One that has stood still for two seconds does nothing for half a minute: its clock may be wrong. */
const SENTINEL_MS = 60_000;

const errors: unknown[] = [];
const start = (url: string, options: Partial<FrontOptions> = {}): Promise<Front> =>
  startFront({ ...OPTIONS, address: readAddress(url), onError: (error) => errors.push(error), ...options });
afterAll(() => expect(errors).toEqual([]));

async function post(url: string, path: string, body: unknown, token = TOKEN) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await fetch(url + path, { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: text });
  return {
    status: answer.status,
    headers: answer.headers,
    json: (await answer.json()) as { result?: unknown; error?: string },
  };
}

const healthOf = async (url: string) => {
  const answer = await fetch(`${url}/health`);
  return [answer.status, ((await answer.json()) as { status: string }).status];
};

describe('addresses', () => {
  test('are of one server, of sentinels, or of a cluster', () => {
    expect(readAddress('rediss://u:p@h:1/2')).toEqual({ kind: 'single', url: 'rediss://u:p@h:1/2' });
    expect(readAddress('redis+cluster://a:1,[::1]:2,c')).toEqual({
      kind: 'cluster',
      isTls: false,
      nodes: [
        { host: 'a', port: 1 },
        { host: '::1', port: 2 },
        { host: 'c', port: 6379 },
      ],
    });
    expect(readAddress('rediss+sentinel://ada:p%40ss@s:26379/main?sentinelPassword=x')).toEqual({
      kind: 'sentinel',
      isTls: true,
      nodes: [{ host: 's', port: 26379 }],
      name: 'main',
      username: 'ada',
      password: 'p@ss',
      sentinelPassword: 'x',
    });
  });

  test.each([
    '',
    'http://h',
    'redis+cluster://',
    'redis+sentinel://h:1',
    'redis+cluster://h:x',
    'redis+cluster://a:1,',
  ])('%s is none, and what it holds is not shown', (url) => {
    expect(() => readAddress(url.replace('//', '//u:hidden@'))).toThrow(/^(?!.*hidden)/);
    expect(() => readAddress(url)).toThrow(RangeError);
  });
});

describe('tokens', () => {
  test('are long, and each of several is taken', () => {
    for (const bad of ['', ' \n', 'short', `${TOKEN} short`, 'ü'.repeat(40)])
      expect(() => readTokens(bad)).toThrow(RangeError);
    expect([`Bearer ${TOKEN}`, `bearer ${NEXT}`, TOKEN].map(OPTIONS.knows)).toEqual([true, true, true]);
    const others = [undefined, '', 'Bearer ', `Bearer ${TOKEN}x`, `Bearer ${TOKEN} ${NEXT}`, `Basic ${TOKEN}`];
    expect(others.map(OPTIONS.knows)).toEqual(others.map(() => false));
  });
});

describe('commands', () => {
  const judge = judgeBy([], false);

  test('that destroy, configure or look at all keys are refused, and so is what nobody has heard of', () => {
    const refused = [
      'FLUSHALL',
      'FLUSHDB',
      'KEYS *',
      'CONFIG GET x',
      'SHUTDOWN',
      'DEBUG SLEEP 9',
      'SCRIPT FLUSH',
      'SCRIPT KILL',
      'ACL LIST',
      'MIGRATE',
      'REPLICAOF NO ONE',
      'CLUSTER RESET',
      'MODULE LOAD x',
      'SAVE',
      'BGREWRITEAOF',
      'FUNCTION FLUSH',
      'SWAPDB 0 1',
      'OBJECT FREQ x',
      'MEMORY DOCTOR',
      'SLOWLOG GET',
      'LATENCY RESET',
      'FAILOVER',
      'SORT x',
      'ERASE',
    ]; // prettier-ignore
    for (const text of refused) expect(judge(text.split(' ')), text).toMatch(/^ERR \S+ is not allowed here/);
    expect(judge(['script', 'flush'])).toBe('ERR SCRIPT|FLUSH is not allowed here; --allow does so');
  });

  test('that belong to a connection are refused, whatever is allowed', () => {
    for (const text of [
      'AUTH x',
      'SELECT 1',
      'MULTI',
      'BLPOP a 0',
      'SUBSCRIBE a',
      'CLIENT KILL',
      'XREAD BLOCK 0 STREAMS a 0',
      'WAIT 1 0',
    ])
      expect(judge(text.split(' ')), text).toMatch(/one connection$/);
    expect(judge('XREAD COUNT 1 STREAMS block 0'.split(' '))).toBeUndefined();
    expect(() => judgeBy(['select'], false)).toThrow(RangeError);
    expect(() => judgeBy(['flush all'], false)).toThrow(RangeError);
  });

  test('are allowed by name, or by two words', () => {
    const allowing = judgeBy(['flushdb', 'script|flush', 'config'], false);
    for (const text of ['FLUSHDB', 'script flush', 'CONFIG SET a b', 'EVAL x 0', 'SCRIPT LOAD x', 'set a b'])
      expect(allowing(text.split(' ')), text).toBeUndefined();
    for (const text of ['FLUSHALL', 'SCRIPT KILL']) expect(allowing(text.split(' ')), text).toBeDefined();
  });
});

describe.skipIf(!present)('in front of one Redis', () => {
  let server: RedisServer;
  let raw: Redis;
  let front: Front;
  beforeAll(async () => {
    server = await startRedisServer();
    raw = new Redis(server.url);
    front = await start(server.url);
  });
  afterAll(async () => {
    await front.close(0);
    raw.disconnect();
    await server.stop();
  });

  test('what the client of Upstash sends is answered as there, bytes and all', async () => {
    const client = new RestClient({ url: front.url, token: TOKEN, enableAutoPipelining: false });
    expect(await client.set('greeting', 'grüß "Gott"')).toBe('OK');
    expect(await client.get('greeting')).toBe('grüß "Gott"');
    expect(await client.pipeline().incr('n').incrby('n', 4).get('nothing').exec()).toEqual([1, 5, null]);
    expect(await client.multi().hset('h', { a: 1 }).hgetall('h').exec()).toEqual([1, { a: 1 }]);
    await raw.set('bytes', Buffer.from([0xff, 0xfe]));
    const answer = await fetch(front.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'upstash-encoding': 'base64' },
      body: '["GET","bytes"]',
    });
    expect(await answer.json()).toEqual({ result: '//4=' });
    expect((await post(front.url, '/', ['INCR', 'greeting'])).json.error).toMatch(/^ERR value is not an integer/);
  });

  test('nothing is done, and nothing of Redis said, without a token', async () => {
    for (const token of ['', 'wrong', TOKEN.slice(0, -1)]) {
      const { status, json } = await post(front.url, '/', ['SET', 'stolen', '1'], token);
      expect([status, json]).toEqual([401, { error: expect.stringMatching(/^WRONGPASS/) }]);
    }
    const inQuery = await fetch(`${front.url}/?_token=${TOKEN}`, { method: 'POST', body: '["SET","stolen","1"]' });
    expect([inQuery.status, (await fetch(`${front.url}/metrics`)).status]).toEqual([401, 401]);
    expect(await raw.exists('stolen')).toBe(0);
    expect((await post(front.url, '/', ['PING'], NEXT)).json).toEqual({ result: 'PONG' });
    expect(await healthOf(front.url)).toEqual([200, 'ok']);
  });

  test('a body without a token is not waited for', async () => {
    const sent = httpRequest(front.url, { method: 'POST', headers: { 'content-length': '1000000' } });
    sent.on('error', () => {});
    sent.write('[');
    const [answer] = await once(sent, 'response');
    expect([answer.statusCode, answer.headers.connection]).toEqual([401, 'close']);
    sent.destroy();
  });

  test('of a pipeline what is refused stands in its place; a transaction with it does nothing', async () => {
    const commands = [['SET', 'kept', '1'], ['FLUSHALL'], ['GET', 'kept']];
    expect((await post(front.url, '/pipeline', commands)).json).toEqual([
      { result: 'OK' },
      { error: expect.stringMatching(/^ERR FLUSHALL/) },
      { result: '1' },
    ]);
    const refused = await post(front.url, '/multi-exec', [
      ['SET', 'half', '1'],
      ['CONFIG', 'RESETSTAT'],
    ]);
    expect([refused.status, await raw.exists('half')]).toEqual([400, 0]);
    expect((await post(front.url, '/', ['SCRIPT', 'FLUSH'])).status).toBe(400);
  });

  test('what is no request is refused, by its own status', async () => {
    const statuses = await Promise.all([
      post(front.url, '/', 'no json').then(({ status }) => status),
      post(front.url, '/', []).then(({ status }) => status),
      post(front.url, '/get/kept', '').then(({ status }) => status),
      fetch(front.url, { headers: { authorization: `Bearer ${TOKEN}` } }).then(({ status }) => status),
      fetch(`${front.url}/health`, { method: 'POST' }).then(({ status }) => status),
    ]);
    expect(statuses).toEqual([400, 400, 404, 405, 405]);
  });

  test('too large a body, said beforehand or not, and too many commands are refused', async () => {
    const large = JSON.stringify(['SET', 'large', 'x'.repeat(OPTIONS.maxBytes)]);
    const said = await post(front.url, '/', large);
    const chunks = new Response(large).body as ReadableStream;
    const streamed = await fetch(front.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}` },
      body: chunks,
      duplex: 'half',
    } as RequestInit);
    const many = await post(front.url, '/pipeline', Array(101).fill(['INCR', 'many']));
    expect([said.status, streamed.status, many.status]).toEqual([413, 413, 413]);
    expect(said.json.error).toMatch('max request size exceeded'); // the words that Sluice knows
    expect(await raw.exists('large', 'many')).toBe(0);
  });

  test('more requests at once than it may have are told to come back, and nothing of them runs', async () => {
    const narrow = await start(server.url, { concurrency: 2 });
    await raw.call('CLIENT', 'PAUSE', PAUSE_MS, 'WRITE');
    let refused = 0;
    const incr = async () => {
      const answer = await post(narrow.url, '/', ['INCR', 'narrow']);
      if (answer.status === 429) refused += 1;
      return answer;
    };
    const asked = Promise.all(Array.from({ length: 6 }, incr));
    await eventually('all have come, and four are refused', () => refused === 4);
    await raw.call('CLIENT', 'UNPAUSE');
    const answers = await asked;
    const statuses = answers.map(({ status }) => status).toSorted();
    expect(statuses).toEqual([200, 200, 429, 429, 429, 429]);
    expect(answers.find(({ status }) => status === 429)?.headers.get('retry-after')).toBe('1');
    expect(await raw.get('narrow')).toBe('2');
    await narrow.close(0);
  });

  test('metrics are of requests by status, of commands, and of the masters', async () => {
    const counted = await start(server.url);
    await post(counted.url, '/', ['PING']);
    await post(counted.url, '/pipeline', [['PING'], ['KEYS', '*']]);
    await post(counted.url, '/', ['PING'], 'wrong');
    const answer = await fetch(`${counted.url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } });
    const text = await answer.text();
    for (const line of [
      'requests_total{status="200"} 2',
      'requests_total{status="401"} 1',
      'request_duration_seconds_count 3',
      'request_duration_seconds_bucket{le="+Inf"} 3',
      'commands_total 2',
      'commands_refused_total 1',
      'requests_in_flight 1',
      'masters 1',
      'masters_up 1',
    ])
      expect(text).toContain(`\nsluice_redis_http_${line}\n`);
    await counted.close(0);
  });

  test('a user of Redis as docs/redis-http.md has it is enough for Sluice, and its scripts may do no more', async () => {
    const [, rules = ''] = /^ACL SETUSER front (on .*)$/m.exec(readFileSync('docs/redis-http.md', 'utf8')) ?? [];
    await raw.call('ACL', 'SETUSER', 'front', ...rules.replace('PASSWORD', 'secret').split(' '));
    const limited = await start(server.url.replace('//', '//front:secret@'));
    const seen: unknown[] = [];
    const queue = defineQueue('jobs', { handler: async (message) => void seen.push(message.body) });
    const env = { UPSTASH_REDIS_REST_URL: limited.url, UPSTASH_REDIS_REST_TOKEN: TOKEN };
    const engine = openEngine(env, new Map([['jobs', queue]]));
    await engine.enqueue([{ queue, body: 'one', options: {}, path: '' }]);
    await engine.tick();
    expect(seen).toEqual(['one']);
    for (const script of [
      "redis.call('FLUSHALL')",
      "redis.call('SET', 'elsewhere', '1')",
      "redis.call('CONFIG', 'GET', '*')",
    ])
      expect((await post(limited.url, '/', ['EVAL', script, '0'])).json.error, script).toMatch(
        /The user executing the script can't|not allowed from script/,
      );
    await limited.close(0);
  });
});

describe.skipIf(!present)('when Redis goes', () => {
  test('health says so, requests are answered at once, and all is well when it is back', async () => {
    const first = await startRedisServer();
    const front = await start(first.url);
    await first.stop();
    const asked = steadyNow();
    const { status, headers } = await post(front.url, '/', ['PING']);
    expect([status, headers.get('retry-after'), steadyNow() - asked < 1_000]).toEqual([503, '1', true]);
    await eventually('health has seen it', async () => (await healthOf(front.url))[1] === 'unreachable');
    const second = await startRedisServer(['--port', String(first.port)]);
    await eventually('it is back', async () => (await healthOf(front.url))[1] === 'ok');
    expect((await post(front.url, '/', ['PING'])).status).toBe(200);
    await front.close(0);
    await second.stop();
  });

  test('it may come later than the front', async () => {
    const gone = await startRedisServer();
    await gone.stop();
    const front = await start(gone.url);
    expect([await healthOf(front.url), (await post(front.url, '/', ['PING'])).status]).toEqual([
      [503, 'unreachable'],
      503,
    ]);
    const server = await startRedisServer(['--port', String(gone.port)]);
    await eventually('it is there', async () => (await post(front.url, '/', ['PING'])).status === 200);
    await front.close(0);
    await server.stop();
    const kinds = ['redis+sentinel://127.0.0.1:1/main', 'redis+cluster://127.0.0.1:1'];
    const fronts = await Promise.all(kinds.map((url) => start(url)));
    for (const { url } of fronts)
      expect([await healthOf(url), (await post(url, '/', ['PING'])).status]).toEqual([[503, 'unreachable'], 503]);
    await Promise.all(fronts.map((each) => each.close(0)));
  });

  test('one that says nothing any more is given up in time, and its connection with it', async () => {
    const server = await startRedisServer();
    const front = await start(server.url, { timeoutMs: 300 });
    process.kill(server.pid, 'SIGSTOP');
    const { status } = await post(front.url, '/', ['INCR', 'n']);
    expect([503, 504]).toContain(status);
    await eventually('health has seen it', async () => (await healthOf(front.url))[0] === 503);
    process.kill(server.pid, 'SIGCONT');
    await eventually('it answers again', async () => (await post(front.url, '/', ['PING'])).status === 200);
    await front.close(0);
    await server.stop();
  });

  test('a primary that became a replica takes no writes: the answer is one to repeat', async () => {
    const [server, other] = await Promise.all([startRedisServer(), startRedisServer()]);
    const front = await start(server.url);
    const raw = new Redis(server.url);
    await raw.replicaof('127.0.0.1', other.port);
    const { status, json } = await post(front.url, '/', ['SET', 'a', '1']);
    expect(status, json.error).toBe(503);
    await eventually('health has seen it', async () => (await healthOf(front.url))[0] === 503);
    await raw.replicaof('NO', 'ONE');
    await eventually(
      'it takes writes again',
      async () => (await post(front.url, '/', ['SET', 'a', '1'])).status === 200,
    );
    raw.disconnect();
    await front.close(0);
    await Promise.all([server.stop(), other.stop()]);
  });

  test('sentinels name another primary, and that is written to', async () => {
    const [primary, replica] = await Promise.all([startRedisServer(), startRedisServer()]);
    const ofReplica = new Redis(replica.url);
    await ofReplica.replicaof('127.0.0.1', primary.port);
    const sentinel = await startSentinel('main', primary);
    const front = await start(`redis+sentinel://127.0.0.1:${sentinel.port}/main`);
    expect((await post(front.url, '/', ['SET', 'a', '1'])).status).toBe(200);
    const ofSentinel = new Redis(sentinel.url);
    await eventually('it knows the replica', async () => /slaves=1/.test(await ofSentinel.info('sentinel')));
    await eventually('it is in step', async () => (await ofReplica.get('a')) === '1');
    await primary.stop();
    await eventually(
      'it has begun to fail over',
      () => ofSentinel.call('SENTINEL', 'FAILOVER', 'main').then(Boolean, () => false),
      SENTINEL_MS,
    );
    await eventually(
      'the other one is written to',
      async () => (await post(front.url, '/', ['SET', 'a', '2'])).status === 200,
      SENTINEL_MS,
    );
    expect(await ofReplica.get('a')).toBe('2');
    await eventually('health has seen it', async () => (await healthOf(front.url))[1] === 'ok');
    for (const client of [ofReplica, ofSentinel]) client.disconnect();
    await front.close(0);
    await Promise.all([replica.stop(), sentinel.stop()]);
  }, 150_000);
});

const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

/** Whether a request is, beside the one that asks. */
async function isUnderWay(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } });
  return /in_flight 2$/m.test(await answer.text());
}

/** The command, listening. */
async function startCommand(redis: string, ...options: string[]) {
  const args = ['src/cli/sluice.js', 'redis-http', '--json', '--port', '0', ...options];
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH ?? '', REDIS_URL: redis, REDIS_HTTP_TOKEN: TOKEN },
  });
  children.push(child);
  const said = { out: '', err: '' };
  child.stdout.on('data', (chunk) => (said.out += chunk));
  child.stderr.on('data', (chunk) => (said.err += chunk));
  await eventually(`it listens: ${said.err}`, () => said.out.includes('"started"'));
  const started = JSON.parse(said.out.split('\n')[0] ?? '') as { url: string };
  return { child, said, started, url: started.url };
}

describe.skipIf(!present)('sluice redis-http', () => {
  let server: RedisServer;
  let raw: Redis;
  beforeAll(async () => {
    server = await startRedisServer();
    raw = new Redis(server.url);
  });
  afterAll(async () => {
    raw.disconnect();
    await server.stop();
  });

  test('two of them on one Redis are one: what one has begun the other ends, and one that ends finishes what it has', async () => {
    const [one, other] = await Promise.all([startCommand(server.url), startCommand(server.url)]);
    expect(one.started).toEqual({ event: 'started', url: one.url, redis: 'single', up: 1, masters: 1 });
    const seen: unknown[] = [];
    const queue = defineQueue('jobs', { handler: async (message) => void seen.push(message.body) });
    const queues = new Map([['jobs', queue]]);
    const [first, second] = [one, other].map(({ url }) =>
      openEngine({ UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: TOKEN }, queues),
    ) as [ReturnType<typeof openEngine>, ReturnType<typeof openEngine>];
    await first.enqueue(Array.from({ length: 20 }, (_, i) => ({ queue, body: i, options: {}, path: '' })));
    await second.tick();
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i));

    await raw.call('CLIENT', 'PAUSE', PAUSE_MS, 'WRITE');
    const underWay = post(one.url, '/', ['INCR', 'under-way']);
    await eventually('it has arrived', () => isUnderWay(one.url));
    const idle = fetch(`${one.url}/health`); // leaves a connection open
    await idle;
    one.child.kill('SIGTERM');
    await eventually('it is about to end', () => one.said.out.includes('"stopping"'));
    await raw.call('CLIENT', 'UNPAUSE');
    expect((await underWay).json).toEqual({ result: 1 });
    expect(await once(one.child, 'close')).toEqual([0, null]);
    expect([one.said.err, one.said.out.trim().split('\n').at(-1)]).toEqual(['', '{"event":"stopped","cutOff":0}']);
    expect((await post(other.url, '/', ['GET', 'under-way'])).json).toEqual({ result: '1' });
    other.child.kill('SIGINT');
    expect(await once(other.child, 'close')).toEqual([0, null]);
  });

  test('says what the grace was too short for', async () => {
    const { child, url, said } = await startCommand(server.url, '--grace', '50ms');
    await raw.call('CLIENT', 'PAUSE', PAUSE_MS, 'WRITE');
    const underWay = post(url, '/', ['INCR', 'cut-off']).catch(() => 'cut off');
    await eventually('it has arrived', () => isUnderWay(url));
    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([1, null]);
    await raw.call('CLIENT', 'UNPAUSE');
    expect([await underWay, said.out.trim().split('\n').at(-1)]).toEqual(['cut off', '{"event":"stopped","cutOff":1}']);
  });

  const refused: [what: string, args: string[], env: Record<string, string>, said: RegExp][] = [
    ['no Redis', [], { REDIS_HTTP_TOKEN: TOKEN }, /no Redis: give --redis, or set REDIS_URL/],
    ['no token', ['--redis', 'redis://h'], {}, /no token: set REDIS_HTTP_TOKEN/],
    ['a short token', ['--redis', 'redis://h'], { REDIS_HTTP_TOKEN: 'short' }, /a token must be 32 or more/],
    ['a token that others see', ['--token', TOKEN, '--redis', 'redis://h'], {}, /not --token: others could read it/],
    [
      'a password that others see',
      ['--redis', 'redis://:hidden@h'],
      { REDIS_HTTP_TOKEN: TOKEN },
      /set REDIS_URL to it/,
    ],
    ['another URL', ['--redis', 'http://h'], { REDIS_HTTP_TOKEN: TOKEN }, /the URL of Redis must be redis:\/\//],
    ['no file', ['--redis', 'redis://h', '--token-file', '/nowhere'], {}, /cannot read --token-file/],
    [
      'what cannot be allowed',
      ['--redis', 'redis://h', '--allow', 'select'],
      { REDIS_HTTP_TOKEN: TOKEN },
      /SELECT cannot be allowed/,
    ],
  ];
  test.concurrent.each(refused)('%s is wrong usage', async (_what, args, env, said) => {
    const ended = await runCli(['redis-http', ...args], { env });
    expect([ended.code, ended.out]).toEqual([2, '']);
    expect(ended.err).toMatch(said);
    expect(ended.err).not.toMatch(/hidden|nobody-guesses|at .*\.ts:/);
  });

  test('a port that is taken is told by its number', async () => {
    const args = ['redis-http', '--redis', server.url, '--port', String(server.port)];
    const { code, err } = await runCli(args, { env: { REDIS_HTTP_TOKEN: TOKEN } });
    expect([code, err]).toEqual([1, expect.stringMatching(`:${server.port}: another program listens there; --port`)]);
  });
});
