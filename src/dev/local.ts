/** The entry `sluice/local`: Redis and its REST API in this process, for programs that run all of Sluice on one machine. */
import type { Limits } from './emulator/plan.ts';
import { importPeer } from './peers.ts';
import { newSecret } from './secrets.ts';
import { localEnvironment, startStorage } from './storage.ts';

export { MissingPeer } from './peers.ts';
export type { Limits };

export interface LocalOptions {
  /** `redis://host:port` of one that runs, or `auto` for a redis-server on the PATH where there is one. Default: an embedded one. */
  redis?: string;
  /** The folder where the data of a Redis that is started here is kept for the next start. Default: it ends with this one. */
  data?: string;
  /** How many shards it has, up to 16: each a Redis with an address of its own. Default: as many as its data has, or 1. */
  shards?: number;
  /** For the storage and for the API, 32 characters or more. Default: a new one. */
  token?: string;
}

export interface Local {
  /** Where the storage answers over HTTP: of several shards the first. */
  url: string;
  /** Of the storage and of the API: whoever has it may do everything. */
  token: string;
  /** The environment of a deployment on this storage, whose deliveries may go to this machine. */
  env: Record<string, string>;
  /** Ends what was started. */
  close(): Promise<void>;
}

export interface EmulatorOptions {
  /** `redis://host:port`, or `redis+cluster://host:port,…`. */
  url: string;
  /** Which its callers have to give. */
  token: string;
  /** Default: a free one. */
  port?: number;
  /** Of a plan of the service. Default: none. */
  limits?: Limits;
}

export interface Emulator {
  url: string;
  token: string;
  /** Changes the limits that are named, from the next request on. */
  limit(changes: Limits): void;
  /** Ends it, and not the Redis. */
  close(): Promise<void>;
}

/**
 * Starts a storage on this machine, some 50 ms long, without an account and without a network.
 * @throws MissingPeer where ioredis or js-redis-server is not installed; RangeError where `redis` is no such URL, or there may not be so
 * many shards; Error where the data has more of them
 * @example
 * const local = await startLocal();
 * const answer = await sluice.fetch(request, local.env);
 * await local.close();
 */
export async function startLocal({ token = newSecret(), ...options }: LocalOptions = {}): Promise<Local> {
  const storage = await startStorage({ ...options, emulator: () => ({ token }) });
  return { url: storage.shards[0].url, token, env: localEnvironment(storage, token), close: storage.close };
}

/**
 * Starts what answers as Upstash's REST API does, in front of a Redis that runs.
 * @throws MissingPeer where ioredis is not installed; Error where the Redis does not answer, or the port is taken
 * @example const emulator = await startEmulator({ url: 'redis://127.0.0.1:6379', token: 'local', port: 8079 })
 */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const server = await importPeer(() => import('./emulator/server.ts'));
  return server.startEmulator(options);
}
