/** The entry `sluice/local`: Redis and its REST API in this process, for programs that run all of Sluice on one machine. */
import type { Emulator, EmulatorOptions } from './emulator/server.ts';
import { importPeer } from './peers.ts';
import { newSecret } from './secrets.ts';

export { MissingPeer } from './peers.ts';
export type { Emulator, EmulatorOptions };

export interface LocalOptions {
  /** `redis://host:port` of one that runs, or `auto` for a redis-server on the PATH where there is one. Default: an embedded one. */
  redis?: string;
  /** The folder where the data of a Redis that is started here is kept for the next start. Default: it ends with this one. */
  data?: string;
  /** For the storage and for the API, 32 characters or more. Default: a new one. */
  token?: string;
}

export interface Local {
  /** Where the storage answers over HTTP. */
  url: string;
  /** Of the storage and of the API: whoever has it may do everything. */
  token: string;
  /** The environment of a deployment on this storage, whose deliveries may go to this machine. */
  env: Record<string, string>;
  /** Ends what was started. */
  close(): Promise<void>;
}

/**
 * Starts a storage on this machine, some 50 ms long, without an account and without a network.
 * @throws MissingPeer where ioredis or js-redis-server is not installed; RangeError where `redis` is no such URL
 * @example
 * const local = await startLocal();
 * const answer = await sluice.fetch(request, local.env);
 * await local.close();
 */
export async function startLocal({ redis: wanted, data, token = newSecret() }: LocalOptions = {}): Promise<Local> {
  const { startRedis } = await importPeer(() => import('./redis.ts'));
  const redis = await startRedis(wanted, data);
  try {
    const emulator = await startEmulator({ ...redis, token });
    return {
      url: emulator.url,
      token,
      env: localEnvironment(emulator, token),
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

/**
 * Starts what answers as Upstash's REST API does, in front of a Redis that runs.
 * @param options `{ url: 'redis://…', token, port?, limits? }`; without a port it takes a free one
 * @throws MissingPeer where ioredis is not installed; Error where the Redis does not answer, or the port is taken
 * @example const emulator = await startEmulator({ url: 'redis://127.0.0.1:6379', token: 'local', port: 8079 })
 */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const server = await importPeer(() => import('./emulator/server.ts'));
  return server.startEmulator(options);
}

/** The settings of a deployment on this machine. @param token of its API */
export function localEnvironment(emulator: Pick<Emulator, 'url' | 'token'>, token: string): Record<string, string> {
  return {
    UPSTASH_REDIS_REST_URL: emulator.url,
    UPSTASH_REDIS_REST_TOKEN: emulator.token,
    SLUICE_TOKEN: token,
    SLUICE_DESTINATION_LOCAL: 'true', // receivers are on this machine too
    SLUICE_LOG_ERRORS: 'true',
  };
}
