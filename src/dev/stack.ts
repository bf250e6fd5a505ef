/** Everything a local run needs: Redis, the Upstash REST API in front of it, once for each shard, and the Worker in workerd. */
import { createHash } from 'node:crypto';
import { type Bundle, buildBundle } from './bundle.ts';
import type { Emulator, EmulatorOptions } from './emulator/server.ts';
import { newSecret } from './secrets.ts';
import { type Storage, startStorage, storageSettings } from './storage.ts';
import { type LocalWorker, type RateLimit, startWorker } from './worker.ts';

export interface Stack extends Pick<Storage, 'redis' | 'shards' | 'billed' | 'requests'> {
  /** Of the first shard, which mostly is the only one. */
  emulator: Emulator;
  /** A bearer token with every scope. */
  token: string;
  /** The Worker's bindings. */
  env: Record<string, string>;
  /** Starts a Worker on this Redis; several may run. */
  startWorker(port?: number): Promise<LocalWorker>;
  close(): Promise<void>;
}

export interface StackOptions {
  /** See startRedis. */
  redis?: string | undefined;
  /** See startRedis: where its data is kept. */
  data?: string | undefined;
  /** See StorageOptions. Several are listed in SLUICE_SHARDS, each with a token of its own. */
  shards?: number | undefined;
  /** The bearer token; left out, a new one. */
  token?: string | undefined;
  /** More bindings. */
  env?: Record<string, string>;
  /** Of each shard the same, or by its name. */
  emulator?: Partial<EmulatorOptions> | ((shard: string) => Partial<EmulatorOptions>);
  log?: (line: string) => void;
  bundle?: Bundle;
  rateLimit?: RateLimit;
  /** See LocalWorkerOptions, as the next. */
  drainer?: boolean | undefined;
  alarms?: string | undefined;
}

export async function startStack({
  redis,
  data,
  shards,
  token = newSecret(),
  env = {},
  emulator = {},
  log,
  bundle,
  rateLimit,
  drainer,
  alarms,
}: StackOptions): Promise<Stack> {
  const optionsOf = typeof emulator === 'function' ? emulator : () => emulator;
  const [storage, built] = await Promise.all([
    startStorage({ redis, data, shards, emulator: (shard) => ({ token: newSecret(), ...optionsOf(shard) }) }),
    bundle ?? buildBundle(),
  ]);
  const bindings = {
    ...storageSettings(storage),
    SLUICE_TOKENS: tokensSetting(token),
    SLUICE_DRAIN_REQUESTS: '9000', // as on Workers Paid
    SLUICE_DESTINATION_LOCAL: 'true', // everything is on this machine
    ...env,
  };
  const workers: LocalWorker[] = [];
  return {
    ...{ redis: storage.redis, shards: storage.shards, billed: storage.billed, requests: storage.requests },
    emulator: storage.shards[0].emulator,
    token,
    env: bindings,
    async startWorker(port) {
      const worker = await startWorker({
        bundle: built,
        env: bindings,
        rateLimit,
        drainer,
        alarms,
        log,
        ...(port === undefined ? {} : { port }),
      });
      workers.push(worker);
      return worker;
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.kill()));
      await storage.close();
    },
  };
}

/** SLUICE_TOKENS for one token with every scope. */
export function tokensSetting(token: string): string {
  const sha256 = createHash('sha256').update(token).digest('hex');
  return JSON.stringify([{ name: 'local', sha256, scopes: ['enqueue', 'receive', 'admin'] }]);
}
