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
