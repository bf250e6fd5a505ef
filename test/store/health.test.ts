// What health tells: storage that answers and still cannot be trusted.
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Emulator, startEmulator } from '../../src/local/emulator/server.ts';
import { connect } from '../../src/store/client.ts';
import { healthCheck } from '../../src/store/health.ts';
import { type RedisServer, redisServerPresent, startRedisServer } from '../support/redis-server.ts';

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
    healthCheck(connect({ url: emulator.url, token, timeoutMs: () => 2_000 }), 'shard', clock);

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
    expect(full).toMatchObject({ code: 'refused', reason: 'OOM' });
    expect(deleted).toBe(0);
  });

  test('U4 says where eviction is turned off at Upstash, whose settings nobody can set by a command', async () => {
    const send = async ([name]: string[]) =>
      name === 'INFO' ? 'upstash_version:1\r\nmaxmemory_policy:optimistic-volatile\r\n' : 'OK';
    const { warnings } = await healthCheck(send, 'shard')();
    expect(warnings).toEqual([expect.stringMatching(/eviction is on.*console, Configuration, Eviction/)]);
  });

  test('a read-only token is refused by name', async () => {
    await expect(check('ro')()).rejects.toMatchObject({ code: 'refused', reason: 'NOPERM' });
  });

  test('a replica that takes no writes is refused by name', async () => {
    const other = await startRedisServer();
    await raw.call('REPLICAOF', '127.0.0.1', String(other.port));
    const error = await check()().catch((thrown: unknown) => thrown);
    await raw.call('REPLICAOF', 'NO', 'ONE');
    await other.stop();
    expect(error).toMatchObject({ code: 'refused', reason: 'READONLY' });
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
