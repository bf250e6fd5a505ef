/**
 * The emulator with the limits of a plan of the service: what is refused when one is reached, in which words, also in the middle
 * of scripts; what goes on; and that all goes on when the limit is lifted.
 */
import { Redis as Raw } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startEmbeddedRedis } from '../src/dev/emulator/embedded.ts';
import { createPace } from '../src/dev/emulator/pace.ts';
import type { Limits } from '../src/dev/emulator/plan.ts';
import { type Emulator, type EmulatorOptions, startEmulator } from '../src/dev/emulator/server.ts';
import { connect } from '../src/redis/fetch.ts';
import { expectedForm } from './support/expected.ts';
import { redisServerPresent, startRedisServer } from './support/redis-server.ts';

const TOKEN = 'local';

type Backing = Pick<EmulatorOptions, 'url' | 'commandsProcessed' | 'bytesStored'> & { stop(): Promise<void> };

const backings: [string, () => Promise<Backing>][] = [
  [
    'the embedded Redis',
    async () => {
      const redis = await startEmbeddedRedis();
      return { ...redis, stop: redis.close };
    },
  ],
];
if (redisServerPresent()) backings.push(['redis-server', startRedisServer]);
else console.log('skipped: limits on a real redis-server, there is none on the PATH');

const NONE: Limits = {
  monthlyCommands: undefined,
  capacityBytes: undefined,
  scriptsWhenFull: undefined,
  recordBytes: undefined,
  keyBytes: undefined,
  requestBytes: undefined,
  commandsPerSecond: undefined,
};

describe.each(backings)('limits on %s', (_name, start) => {
  let backing: Backing;
  let raw: Raw;
  let emulator: Emulator;
  beforeAll(async () => {
    backing = await start();
    raw = new Raw(backing.url);
    const { url, commandsProcessed, bytesStored } = backing;
    emulator = await startEmulator({ url, commandsProcessed, bytesStored, token: TOKEN });
  });
  beforeEach(async () => {
    emulator.limit(NONE);
    await raw.flushall();
  });
  afterAll(async () => {
    raw?.disconnect();
    await emulator?.close();
    await backing?.stop();
  });

  async function post(path: string, body: unknown) {
    const init = { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` }, body: JSON.stringify(body) };
    const response = await fetch(emulator.url + path, init);
    return { status: response.status, json: (await response.json()) as unknown };
  }
  const run = (...command: unknown[]) => post('/', command);
  const refused = (error: RegExp) => ({ status: 400, json: { error: expect.stringMatching(error) } });

  describe('commands of the month', () => {
    const USED_UP = expectedForm('month-used-up.text');

    test('with the last everything is refused, reads and deletes too, and all goes on when there are more', async () => {
      await run('SET', 'k', 'v');
      emulator.limit({ monthlyCommands: (await emulator.billed()) + 1 });
      expect(await run('GET', 'k')).toEqual({ status: 200, json: { result: 'v' } });
      for (const command of [['GET', 'k'], ['DEL', 'k'], ['EVAL', 'return 1', '0'], ['PING']]) {
        expect(await run(...command)).toEqual(refused(USED_UP));
      }
      expect(await post('/pipeline', [['GET', 'k'], ['PING']])).toEqual({
        status: 200,
        json: [{ error: expect.stringMatching(USED_UP) }, { error: expect.stringMatching(USED_UP) }],
      });
      expect(await post('/multi-exec', [['GET', 'k']])).toEqual(refused(USED_UP));
      emulator.limit({ monthlyCommands: (await emulator.billed()) + 100 });
      expect(await run('GET', 'k')).toEqual({ status: 200, json: { result: 'v' } });
    });

    test('inner commands count, those of the guard do not, and a script is not stopped half-way', async () => {
      emulator.limit({ monthlyCommands: (await emulator.billed()) + 3, recordBytes: 1_000_000 });
      expect(await run('EVAL', "for i = 1, 9 do redis.call('INCR', 'n') end return 'done'", 0)).toEqual({
        status: 200,
        json: { result: 'done' },
      });
      expect(await run('GET', 'n')).toEqual(refused(USED_UP));
      const used = await emulator.billed();
      emulator.limit({ monthlyCommands: undefined });
      await run('EVAL', "for i = 1, 9 do redis.call('INCR', 'n') end", 0);
      expect((await emulator.billed()) - used).toBe(10);
    });
  });

  test('a command with too few arguments is told so, whatever is limited', async () => {
    emulator.limit({ keyBytes: 100 });
    for (const command of [['GET'], ['XREAD']]) {
      expect(await run(...command)).toEqual(refused(/^ERR wrong number of arguments for '\w+' command/));
    }
  });

  describe('capacity', () => {
    const FULL = expectedForm('database-full.text');

    async function fill(): Promise<void> {
      // More than what a Redis counts besides its data: that comes and goes, and with a long command its buffer.
      await raw.eval("redis.call('MSET', 'old', string.rep('x', 3000000), 'k', 'v')", 0);
      emulator.limit({ capacityBytes: (await emulator.usage()).bytes - 1_000_000 });
    }

    test('a full database refuses growing writes, and takes them again when something is deleted', async () => {
      await fill();
      expect(await run('SET', 'new', 'v')).toEqual(refused(FULL));
      expect(await run('LPUSH', 'list', 'v')).toEqual(refused(FULL));
      expect(await run('MSET', 'new', 'v')).toEqual(refused(FULL));
      expect(await run('GET', 'k')).toEqual({ status: 200, json: { result: 'v' } });
      expect(await run('PEXPIRE', 'k', '100000')).toEqual({ status: 200, json: { result: 1 } });
      expect(await run('DEL', 'old')).toEqual({ status: 200, json: { result: 1 } });
      expect(await run('SET', 'new', 'v')).toEqual({ status: 200, json: { result: 'OK' } });
    });

    test('in a script each growing write is refused, deletes and reads go on, and what it deletes is no room yet', async () => {
      await fill();
      const script = `local said = { redis.pcall('SET', 'a', '1').err } redis.call('UNLINK', 'old')
        said[2] = redis.pcall('RPUSH', 'b', '1').err said[3] = redis.call('GET', 'k') return said`;
      expect(await run('EVAL', script, 0)).toEqual({
        status: 200,
        json: { result: [expect.stringMatching(FULL), expect.stringMatching(FULL), 'v'] },
      });
      expect(await raw.exists('a', 'b', 'old')).toBe(0);
    });

    test('a script that fills it is refused from there on, and what it wrote before stays', async () => {
      // Half a value more than five: what a Redis counts besides its data comes and goes.
      emulator.limit({ capacityBytes: (await emulator.usage()).bytes + 550_000 });
      const script = "for i = 1, 20 do redis.call('SET', 'k' .. i, string.rep('x', 100000)) end return 'done'";
      expect(await run('EVAL', script, 0)).toEqual(refused(FULL));
      expect(await raw.dbsize()).toBe(6);
    });

    test('some begin no script then, not even one that only reads', async () => {
      await fill();
      emulator.limit({ scriptsWhenFull: 'refused' });
      expect(await run('EVAL', "return redis.call('GET', 'k')", 0)).toEqual(refused(FULL));
      expect(await run('GET', 'k')).toEqual({ status: 200, json: { result: 'v' } });
    });
  });

  describe('records', () => {
    const TOO_LARGE = /^ERR max single record size exceeded/;

    test('what would make one too large is refused, others are written', async () => {
      emulator.limit({ recordBytes: 10_000 });
      expect(await run('SET', 'k', 'x'.repeat(11_000))).toEqual(refused(TOO_LARGE));
      expect(await run('RPUSH', 'list', 'x'.repeat(6_000))).toEqual({ status: 200, json: { result: 1 } });
      expect(await run('RPUSH', 'list', 'x'.repeat(6_000))).toEqual(refused(TOO_LARGE));
      expect(await run('RPUSH', 'other', 'x'.repeat(6_000))).toEqual({ status: 200, json: { result: 1 } });
      expect(await run('LPOP', 'list')).toMatchObject({ status: 200 });
      expect(await run('RPUSH', 'list', 'x'.repeat(6_000))).toEqual({ status: 200, json: { result: 1 } });
    });

    test('in the middle of a script too, by key', async () => {
      emulator.limit({ recordBytes: 10_000 });
      await raw.rpush('full', ...Array.from({ length: 100 }, () => 'x'.repeat(100)));
      const script = `local said = {}
        local function try(...)
          local reply = redis.pcall(...)
          said[#said + 1] = type(reply) == 'table' and reply.err or 'ok'
        end
        try('RPUSH', 'full', 'x') try('RPUSH', 'other', 'x') try('MSET', 'a', '1', 'full', '1')
        try('LSET', 'other', 0, string.rep('x', 11000)) return said`;
      const { json } = await run('EVAL', script, 0);
      const { result } = json as { result: string[] };
      expect(result.map((said) => (TOO_LARGE.test(said) ? 'too large' : said))).toEqual([
        'too large',
        'ok',
        'too large',
        'too large',
      ]);
      expect(await raw.llen('full')).toBe(100);
    });
  });

  test('keys that are too long are refused, in scripts where something grows under them', async () => {
    emulator.limit({ keyBytes: 100 });
    const long = 'k'.repeat(101);
    const error = /^ERR max key size exceeded\. Limit: 100 bytes, Actual: 101 bytes/;
    expect(await run('GET', long)).toEqual(refused(error));
    expect(await run('EVAL', 'return 1', 1, long)).toEqual(refused(error));
    expect(await run('EVAL', "return redis.call('SET', ARGV[1], '1')", 0, long)).toEqual(refused(error));
    expect(await run('SET', 'k'.repeat(100), long)).toEqual({ status: 200, json: { result: 'OK' } });
  });

  test('INFO says whose service it is, and what is used of how much', async () => {
    await raw.set('k', 'x'.repeat(10_000));
    emulator.limit({ capacityBytes: 1_000_000, monthlyCommands: 1_000_000 });
    const { json } = await run('INFO');
    const fields = new Map(
      (json as { result: string }).result.split('\r\n').map((line) => line.split(':') as [string, string]),
    );
    expect(fields.get('upstash_version')).toBeTruthy();
    expect(fields.get('maxmemory')).toBe('1000000');
    expect(Number(fields.get('used_memory'))).toBeGreaterThan(10_000);
    expect(fields.get('total_commands_processed')).toBe(String(await emulator.billed()));
  });

  test('what comes faster than allowed waits, and is not refused', async () => {
    emulator.limit({ commandsPerSecond: 1_000 });
    const began = performance.now(); // before it: what comes too fast drains from when it was executed, whoever stands still meanwhile
    await run('EVAL', "for i = 1, 1200 do redis.call('INCR', 'n') end", 0);
    expect(await run('GET', 'n')).toEqual({ status: 200, json: { result: '1200' } });
    expect(performance.now() - began).toBeGreaterThan(150);
    emulator.limit({ commandsPerSecond: undefined });
    expect(await run('GET', 'n')).toMatchObject({ status: 200 });
  });

  test('our own client takes each for a refusal, by its name', async () => {
    const send = connect({ url: emulator.url, token: TOKEN, timeoutMs: () => 3_000 });
    const reason = (command: string[]) => send(command).then(String, (error: { reason: string }) => error.reason);
    emulator.limit({ monthlyCommands: 0 });
    expect(await reason(['GET', 'k'])).toBe('max requests limit exceeded');
    emulator.limit({ ...NONE, capacityBytes: 0 });
    expect(await reason(['SET', 'k', 'v'])).toBe('DB capacity quota exceeded');
    emulator.limit({ ...NONE, recordBytes: 0 });
    expect(await reason(['EVAL', "return redis.call('SET', 'k', 'v')", '0'])).toBe('max single record size exceeded');
    emulator.limit({ ...NONE, keyBytes: 1 });
    expect(await reason(['GET', 'kk'])).toBe('max key size exceeded');
  });
});

describe('pace', () => {
  test('a second may come at once; what is above it waits as long as it takes to drain', () => {
    const pace = createPace(100);
    expect(pace.waitMs(5_000, 0)).toBe(0); // what was executed before is nobody's debt
    expect(pace.waitMs(5_100, 0)).toBe(0);
    expect(pace.waitMs(5_150, 0)).toBe(500);
    expect(pace.waitMs(5_150, 500)).toBe(0);
    expect(pace.waitMs(5_250, 1_500)).toBe(0);
    expect(pace.waitMs(5_350, 1_500)).toBe(1_000);
  });
});
