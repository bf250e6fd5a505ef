// The shards of a local run: each is a database of its own that can be away alone, all of them are in the settings, and none is left out.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { startEmbeddedRedis } from '../../src/dev/emulator/embedded.ts';
import { startLocal } from '../../src/dev/local.ts';
import { startRedis } from '../../src/dev/redis.ts';
import { startStack } from '../../src/dev/stack.ts';
import { type Storage, type StorageOptions, startStorage, storageSettings } from '../../src/dev/storage.ts';
import { builtOnce } from '../support/built-once.ts';
import { redisServerPresent } from '../support/redis-server.ts';

const real = redisServerPresent();
if (!real) console.warn('skipped: shards on a redis-server: there is none on the PATH');

const started: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const { close } of started.splice(0)) await close();
});

async function storage(options: Partial<StorageOptions>): Promise<Storage> {
  const emulator = (shard: string) => ({ token: `token-of-${shard}` });
  const storage = await startStorage({ emulator, ...options });
  started.push(storage);
  return storage;
}

async function folder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-shards-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function ask({ url, token }: { url: string; token: string }, ...command: string[]): Promise<unknown> {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(command) });
  return ((await answer.json()) as { result: unknown }).result;
}

const reach = (env: Record<string, string>) => readConfig(env).SLUICE_SHARDS;

describe('several shards', () => {
  test('are databases apart, which the settings lead to with a token each', async () => {
    const { shards, ...local } = await storage({ shards: 3 });
    const listed = reach(storageSettings({ shards, ...local }));
    expect(listed.map(({ name, token }) => [name, token])).toEqual([
      ['a', 'token-of-a'],
      ['b', 'token-of-b'],
      ['c', 'token-of-c'],
    ]);
    for (const shard of listed) expect(await ask(shard, 'SET', 'at', shard.name)).toBe('OK');
    for (const shard of shards) expect(await ask(shard, 'GET', 'at')).toBe(shard.name);
    expect([await local.billed(), local.requests()]).toEqual([6, 6]);
  });

  test('are away one by one, and have their data when they are back', async () => {
    const { shards } = await storage({ shards: 2 });
    const [a, b] = shards as unknown as [(typeof shards)[0], (typeof shards)[0]];
    await ask(b, 'SET', 'k', 'v');
    b.emulator.setAway(true);
    await expect(ask(b, 'SET', 'k', 'w')).rejects.toThrow();
    expect(await ask(a, 'PING')).toBe('PONG');
    b.emulator.setAway(false);
    expect(await ask(b, 'GET', 'k')).toBe('v');
  });

  test.skipIf(!real)('of a Redis that runs are its databases, from that of the URL on', async () => {
    const redis = await startRedis('auto');
    onTestFinished(redis.close);
    const local = await storage({ shards: 2, redis: `${redis.url}/3` });
    for (const shard of local.shards) await ask(shard, 'SET', 'at', shard.name);
    const own = await Promise.all(['3', '4'].map((database) => storage({ redis: `${redis.url}/${database}` })));
    expect(await Promise.all(own.map(({ shards }) => ask(shards[0], 'GET', 'at')))).toEqual(['a', 'b']);
    await expect(storage({ shards: 2, redis: `${redis.url}/15` })).rejects.toThrow('DB index is out of range');
    expect([await local.billed(), local.requests()]).toEqual([4, 2]); // the server counts for all of its databases
  });

  test('of a cluster are tags behind one address', async () => {
    const cluster = await startEmbeddedRedis({ cluster: { masters: 3 } });
    const local = await storage({ shards: 4, redis: cluster.url });
    started.push(cluster);
    const listed = reach(storageSettings(local));
    expect(listed.map(({ name }) => name)).toEqual(local.shards.map(({ name }) => name));
    expect(new Set(listed.map(({ url }) => url)).size).toBe(1);
    for (const { prefix, ...shard } of listed) expect(await ask(shard, 'SET', `{${prefix}}:x`, prefix)).toBe('OK');
    expect(await ask(local.shards[0], 'DBSIZE')).toBe(4);
  });
});

describe('data that is kept', () => {
  const fill = async ({ shards }: Storage) => {
    for (const shard of shards) await ask(shard, 'SET', 'at', shard.name);
  };
  const read = ({ shards }: Storage) => Promise.all(shards.map((shard) => ask(shard, 'GET', 'at')));
  const again = async (options: Partial<StorageOptions>) => {
    for (const { close } of started.splice(0)) await close();
    return storage(options);
  };

  test.each(real ? [undefined, 'auto'] : [undefined])('has its shards the next time, %s', async (redis) => {
    const data = await folder();
    await fill(await storage({ data, redis, shards: 2 }));
    expect(await read(await again({ data, redis }))).toEqual(['a', 'b']);
  });

  test('is not opened with fewer: what the others hold would be out of reach', async () => {
    const data = await folder();
    await fill(await storage({ data, shards: 3 }));
    await expect(again({ data, shards: 2 })).rejects.toThrow(
      `${data} has the data of 3 shards, and what all but 2 of them hold would be out of reach: --shards 3 takes all, --fresh begins anew`,
    );
    await expect(again({ data, shards: 1 })).rejects.toThrow('has the data of 3 shards');
  });

  test('is that of the first where there was one, which others join', async () => {
    const data = await folder();
    await fill(await storage({ data }));
    const grown = await again({ data, shards: 2 });
    expect(await read(grown)).toEqual(['main', null]);
    const states = (storage: Storage) => reach(storageSettings(storage)).map(({ name, state }) => [name, state]);
    const joined = [
      ['a', 'active'],
      ['b', 'joining'],
    ];
    expect(states(grown)).toEqual(joined);
    expect(states(await again({ data }))).toEqual(joined);
  });

  test('is not remembered where not all of them have started', async () => {
    const data = await folder();
    const { port } = new URL((await storage({})).shards[0].url);
    const emulator = (token: string, place: number) => ({ token, port: place === 1 ? Number(port) : 0 });
    await expect(startStorage({ data, shards: 2, emulator })).rejects.toThrow('EADDRINUSE');
    expect((await storage({ data, shards: 1 })).shards).toHaveLength(1);
  });
});

test.each([0, 17, 1.5, Number.NaN])('%d shards are refused', async (shards) => {
  await expect(storage({ shards })).rejects.toThrow(/^--shards must be a whole number from 1 to 16; got /);
});

test('startLocal gives a deployment all of them, the first also as its database', async () => {
  const local = await startLocal({ shards: 2 });
  started.push(local);
  expect(local.env.UPSTASH_REDIS_REST_URL).toBe(local.url);
  const [a, b] = reach(local.env);
  expect([a.name, a.url, b?.name]).toEqual(['a', local.url, 'b']);
  for (const shard of reach(local.env)) expect(await ask(shard, 'PING')).toBe('PONG');
});

test('the bundle that is deployed takes them, and works', async () => {
  const stack = await startStack({ bundle: await builtOnce(), shards: 2, log: () => {} });
  started.push(stack);
  const { url } = await stack.startWorker();
  expect((await fetch(`${url}/health`)).status).toBe(200);
  const answer = await fetch(`${url}/v1/queues/notification.email/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stack.token}` },
    body: JSON.stringify({ body: { to: 'ada@example.com', article: 'x' } }),
  });
  expect(answer.status).toBe(202);
  expect(Object.keys(stack.env)).not.toContain('UPSTASH_REDIS_REST_URL');
}, 60_000);
