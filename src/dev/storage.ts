/** The storage of a machine: a Redis with the REST API in front of it, loaded where it is asked for, and the settings that lead to it. */
import type { Limits } from './emulator/plan.ts';
import { importPeer } from './peers.ts';

export interface StorageOptions {
  /** See startRedis. */
  redis?: string | undefined;
  /** See startRedis: where its data is kept. */
  data?: string | undefined;
  /** Of the REST API. */
  token: string;
  /** Default: a free one. */
  port?: number | undefined;
  limits?: Limits | undefined;
}

export interface Storage {
  /** For people: which Redis is used. */
  redis: string;
  url: string;
  token: string;
  close(): Promise<void>;
}

/** @throws MissingPeer; RangeError where `redis` is no such URL; Error where the port is taken */
export async function startStorage({ redis: wanted, data, ...options }: StorageOptions): Promise<Storage> {
  const { startRedis } = await importPeer(() => import('./redis.ts'));
  const { startEmulator } = await importPeer(() => import('./emulator/server.ts'));
  const { name, ...redis } = await startRedis(wanted, data);
  try {
    const emulator = await startEmulator({ ...redis, ...options });
    return {
      redis: name,
      url: emulator.url,
      token: emulator.token,
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

/** The settings of a deployment on this machine. @param token of its API */
export function localEnvironment({ url, token: secret }: Pick<Storage, 'url' | 'token'>, token: string) {
  return {
    UPSTASH_REDIS_REST_URL: url,
    UPSTASH_REDIS_REST_TOKEN: secret,
    SLUICE_TOKEN: token,
    SLUICE_DESTINATION_LOCAL: 'true', // receivers are on this machine too
    SLUICE_LOG_ERRORS: 'true',
  };
}
