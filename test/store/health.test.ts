// What health tells: storage that answers and still cannot be trusted.
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Emulator, startEmulator } from '../../src/dev/emulator/server.ts';
import { StorageError } from '../../src/errors.ts';
import { healthCheck } from '../../src/redis/health.ts';
import type { Send } from '../../src/redis/send.ts';
import { openShard } from '../../src/redis/shard.ts';
import { type RedisServer, redisServerPresent, startRedisServer } from '../support/redis-server.ts';

const shardOf = (send: Send) => openShard({ send, prefix: 'shard' });

const present = redisServerPresent();
if (!present) console.warn('skipped: health of a real Redis: no redis-server on the PATH');

describe.skipIf(!present)('health', () => {
  let server: RedisServer;
  let raw: Redis;
  let emulator: Emulator;
  beforeAll(async () => {
    server = await startRedisServer();
    raw = new Redis(server.url);
    emulator = await startEmulator({ url: server.url, token: 'rw', readOnlyToken: 'ro' });
  });
  afterAll(async () => {
    await emulator.close();
    raw.disconnect();
    await server.stop();
  });

  const check = (token = 'rw', clock?: () => number) =>
    healthCheck(openShard({ connection: { url: emulator.url, token, timeoutMs: 20_000 }, prefix: 'shard' }), { clock });

  test('ok: it answers, may be written, and evicts nothing', async () => {
    expect(await check()()).toEqual({ status: 'ok', warnings: [] });
  });

  test('ST3 eviction that is on is reported as unsafe', async () => {
    await raw.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const health = await check()();
    await raw.config('SET', 'maxmemory-policy', 'noeviction');
    expect(health).toEqual({ status: 'unsafe', warnings: [expect.stringContaining('eviction is on')] });
  });

  test('U4 memory that is nearly full is told before it is, and full memory is refused by name, though deletes go on', async () => {
    const used = Number(/used_memory:(\d+)/.exec(await raw.info('memory'))?.[1]);
    await raw.config('SET', 'maxmemory', String(Math.floor(used * 1.15)));
    const nearly = await check()();
    await raw.config('SET', 'maxmemory', String(Math.floor(used / 2)));
    const full = await check()().catch((thrown: unknown) => thrown);
    const deleted = await raw.unlink('nothing');
    await raw.config('SET', 'maxmemory', '0');
    expect(nearly).toEqual({
      status: 'unsafe',
      warnings: [expect.stringMatching(/^memory is (8[0-9]|9[0-9]) % full/)],
    });
    expect(full).toMatchObject({ code: 'refused', reason: expect.stringMatching(/^OOM: the database is full/) });
    expect(deleted).toBe(0);
  });

  test('U4 says where eviction is turned off at Upstash, whose settings nobody can set by a command', async () => {
    const send = async ([name]: string[]) =>
      name === 'INFO' ? 'upstash_version:1\r\nmaxmemory_policy:optimistic-volatile\r\n' : 'OK';
    const { warnings } = await healthCheck(shardOf(send))();
    expect(warnings).toEqual([expect.stringMatching(/eviction is on.*console, Configuration, Eviction/)]);
  });

  test('a read-only token is refused by name', async () => {
    await expect(check('ro')()).rejects.toMatchObject({
      code: 'refused',
      reason: expect.stringMatching(/^NOPERM: the token may not write/),
    });
  });

  test('a replica that takes no writes is refused by name', async () => {
    const other = await startRedisServer();
    await raw.call('REPLICAOF', '127.0.0.1', String(other.port));
    const error = await check()().catch((thrown: unknown) => thrown);
    await raw.call('REPLICAOF', 'NO', 'ONE');
    await other.stop();
    expect(error).toMatchObject({ code: 'refused', reason: expect.stringMatching(/^READONLY: it is a replica/) });
  });

  test('it costs one billed command in ten seconds, whoever asks', async () => {
    let now = 0;
    const health = check('rw', () => now);
    const before = await emulator.billed();
    for (let i = 0; i < 10; i++) await health();
    expect((await emulator.billed()) - before).toBe(1);
    now = 10_000;
    await health();
    expect((await emulator.billed()) - before).toBe(2);
  });
});

/** A database whose INFO tells how many commands it has processed, and which keeps what is set. */
function counting() {
  const kept = new Map<string, string>();
  const database = { processed: '1000', now: Date.UTC(2026, 10, 3), commands: 0, kept };
  const send: Send = async ([name = '', key = '', value = '']) => {
    if (name === 'INFO') return `upstash_version:1\r\ntotal_commands_processed:${database.processed}\r\n`;
    database.commands += 1;
    if (name === 'SET') kept.set(key, value);
    return name === 'GET' ? (kept.get(key) ?? null) : 'OK';
  };
  /** As a fresh isolate asks. */
  const warnings = async (processed: number, monthlyCommands = 500_000) => {
    database.processed = String(processed);
    return (await healthCheck(shardOf(send), { monthlyCommands, clock: () => database.now })()).warnings;
  };
  return { database, warnings };
}

describe("the month's commands", () => {
  test('U4 are told from 80 % of the plan on, counted from the first look of the month', async () => {
    const { database, warnings } = counting();
    expect(await warnings(9_000_000)).toEqual([]);
    database.now += 20 * 86_400_000;
    expect(await warnings(9_399_999)).toEqual([]);
    const [told = '', ...others] = await warnings(9_400_000);
    expect(others).toEqual([]);
    expect(told).toMatch(/^80 % of the 500,000 commands of the month are used, counted since 2026-11-03/);
    expect(told).toMatch(/refused until the month ends/);
    database.now = Date.UTC(2026, 11, 1);
    expect(await warnings(9_450_000)).toEqual([]);
  });

  test('are at least those since the database was started, where that was in this month', async () => {
    const { warnings } = counting();
    await warnings(9_000_000);
    expect(await warnings(399_999)).toEqual([]);
    expect(await warnings(450_000)).toEqual([expect.stringMatching(/^90 % of the 500,000 commands/)]);
  });

  test('are not looked at, and cost nothing, where nobody says how many there are, or the database does not count', async () => {
    const { database, warnings } = counting();
    expect(await warnings(9_000_000, 0)).toEqual([]);
    expect([database.commands, ...database.kept.keys()]).toEqual([1, '{shard}:health']);
    expect(
      await healthCheck(
        shardOf(async () => 'OK'),
        { monthlyCommands: 10 },
      )(),
    ).toMatchObject({ warnings: [] });
  });

  test('cost a command more each time, and what is remembered of a month goes by itself', async () => {
    const { database, warnings } = counting();
    await warnings(1);
    expect(database.commands).toBe(3);
    await warnings(2);
    expect(database.commands).toBe(5);
    expect([...database.kept.keys()]).toEqual(['{shard}:health', '{shard}:commands:2026-11']);
  });
});

describe('what storage refuses is said in plain words: what has ended, until when, and what to do', () => {
  test.each([
    [
      'max requests limit exceeded',
      /the month's commands are used up.*on 2026-12-01.*accepted before is kept.*larger plan/,
    ],
    ['max daily request limit exceeded', /the day's commands are used up.*on 2026-11-04.*larger plan/],
    ['DB capacity quota exceeded', /the database is full.*until there is room.*Purge.*larger/],
    ['max single record size exceeded', /one list or set is full.*Purge/],
    ['WRONGPASS', /the token is not known.*UPSTASH_REDIS_REST_TOKEN.*bad hour/],
    ['HTTP 404', /no database at this address.*archived/],
  ])('%s', async (reason, words) => {
    const send: Send = async () => {
      throw new StorageError('refused', reason, 7);
    };
    const failed = await healthCheck(shardOf(send), { clock: () => Date.UTC(2026, 10, 3) })().catch((error) => error);
    expect(failed).toMatchObject({ code: 'refused', afterMs: 7 });
    expect(failed.reason).toMatch(words);
    expect(failed.reason.startsWith(`${reason}: `)).toBe(true);
  });

  test('what is not known is said as it is', async () => {
    const send: Send = async () => {
      throw new StorageError('unreachable', 'no answer');
    };
    await expect(healthCheck(shardOf(send))()).rejects.toMatchObject({ code: 'unreachable', reason: 'no answer' });
  });
});
