/** The storage of a machine: a Redis with the REST API in front of it, or one for each shard, loaded where it is asked for. */
import { mkdir } from 'node:fs/promises';
import type { Emulator, EmulatorOptions } from './emulator/server.ts';
import { importPeer } from './peers.ts';
import { folderFor, isCluster, isTheirs, type LocalShard, planShards, redisFor, rememberShards } from './shards.ts';

export interface StorageOptions {
  /** See startRedis. */
  redis?: string | undefined;
  /** See startRedis: where its data is kept. */
  data?: string | undefined;
  /** How many: each has a Redis and an address. Those of a cluster are its tags, and share it. Default: as many as the data has, or one. */
  shards?: number | undefined;
  /** Of the REST API of each. */
  emulator: (shard: string, place: number) => Partial<EmulatorOptions> & { token: string };
}

export interface Storage {
  /** For people: which Redis is used. */
  redis: string;
  /** The first is that of a deployment without a list of them. */
  shards: readonly [StorageShard, ...StorageShard[]];
  /** Whether they are the tags of a cluster. */
  isCluster: boolean;
  /** Commands the service would have billed so far, for all of them. */
  billed(): Promise<number>;
  /** HTTP requests so far, to all of them. */
  requests(): number;
  close(): Promise<void>;
}

/** Of a cluster's tags each has the same emulator. */
export interface StorageShard extends LocalShard {
  url: string;
  token: string;
  emulator: Emulator;
}

/** A Redis and what stands in front of it. */
interface Database {
  redis: string;
  emulator: Emulator;
  close(): Promise<void>;
}

/** @throws MissingPeer; RangeError where `redis` is no such URL; Error where a port is taken, or the data has more shards */
export async function startStorage({ redis, emulator, ...options }: StorageOptions): Promise<Storage> {
  const data = isTheirs(redis) ? undefined : options.data;
  const shards = await planShards(options.shards, data);
  const ofTags = isCluster(redis) && shards.length > 1;
  const databases: Database[] = [];
  const close = async () => {
    await Promise.all(databases.map((database) => database.close()));
  };
  try {
    for (const [place, shard] of (ofTags ? shards.slice(0, 1) : shards).entries()) {
      const folder = folderFor(data, shard, place);
      databases.push(await startDatabase(redisFor(redis, place), folder, emulator(shard.name, place)));
    }
    if (data !== undefined) await rememberShards(shards, data);
  } catch (error) {
    await close();
    throw error;
  }
  const [first] = databases as [Database];
  const reachable = shards.map(({ name, state }, place): StorageShard => {
    const { emulator } = databases[place] ?? first;
    return { name: ofTags ? `t${place}` : name, state, url: emulator.url, token: emulator.token, emulator };
  });
  const counting = isTheirs(redis) ? [first] : databases; // a server counts the commands of all its databases
  return {
    redis: first.redis,
    shards: reachable as unknown as Storage['shards'],
    isCluster: ofTags,
    billed: async () => sum(await Promise.all(counting.map(({ emulator }) => emulator.billed()))),
    requests: () => sum(databases.map(({ emulator }) => emulator.requests())),
    close,
  };
}

async function startDatabase(
  wanted: string | undefined,
  folder: string | undefined,
  options: Partial<EmulatorOptions> & { token: string },
): Promise<Database> {
  const { startRedis } = await importPeer(() => import('./redis.ts'));
  const { startEmulator } = await importPeer(() => import('./emulator/server.ts'));
  if (folder !== undefined) await mkdir(folder, { recursive: true, mode: 0o700 });
  const { name, ...redis } = await startRedis(wanted, folder);
  try {
    const emulator = await startEmulator({ ...redis, ...options });
    return {
      ...{ redis: name, emulator },
      async close() {
        await emulator.close();
        await redis.close();
      },
    };
  } catch (error) {
    await redis.close();
    throw error;
  }
}

const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);

/**
 * The settings of a deployment that lead to the storage: those of one database, or the list of the shards.
 * @param secretOf the name of the binding that has the token of a shard
 */
export function storageSettings(
  { shards, isCluster }: Pick<Storage, 'shards' | 'isCluster'>,
  secretOf: (name: string) => string = (name) => `SLUICE_SHARD_TOKEN_${name.toUpperCase()}`,
): Record<string, string> {
  const [{ name, url, token }] = shards;
  if (isCluster) {
    const secret = secretOf(name);
    return { SLUICE_SHARDS: JSON.stringify({ url, secret, tags: shards.length }), [secret]: token };
  }
  if (shards.length === 1) return { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token };
  const list = shards.map(({ name, url, state }) => ({
    ...{ name, url, secret: secretOf(name) },
    ...(state === 'active' ? {} : { state }),
  }));
  const tokens = shards.map((shard) => [secretOf(shard.name), shard.token]);
  return { SLUICE_SHARDS: JSON.stringify(list), ...Object.fromEntries(tokens) };
}

/** The settings of a deployment on this machine, whose shards have one token. @param token of its API */
export function localEnvironment(
  storage: Pick<Storage, 'shards' | 'isCluster'>,
  token: string,
): Record<string, string> {
  const { url } = storage.shards[0];
  return {
    ...(storage.isCluster ? {} : { UPSTASH_REDIS_REST_URL: url }), // a tag has keys of its own, and the database is none of them
    ...storageSettings(storage, () => 'UPSTASH_REDIS_REST_TOKEN'),
    SLUICE_TOKEN: token,
    SLUICE_DESTINATION_LOCAL: 'true', // receivers are on this machine too
    SLUICE_LOG_ERRORS: 'true',
  };
}
