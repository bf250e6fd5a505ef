/** Everything a local run needs: Redis, the Upstash REST API in front of it, and the Worker in workerd. */
import { createHash } from 'node:crypto';
import { type Bundle, buildBundle } from './bundle.ts';
import { type Emulator, type EmulatorOptions, startEmulator } from './emulator/server.ts';
import { startRedis } from './redis.ts';
import { newSecret } from './secrets.ts';
import { type LocalWorker, type RateLimit, startWorker } from './worker.ts';

export interface Stack {
  /** For people: which Redis is used. */
  redis: string;
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
  /** The bearer token; left out, a new one. */
  token?: string | undefined;
  /** More bindings. */
  env?: Record<string, string>;
  emulator?: Partial<EmulatorOptions>;
  log?: (line: string) => void;
  bundle?: Bundle;
  rateLimit?: RateLimit;
  /** See LocalWorkerOptions, as the next. */
  drainer?: boolean | undefined;
  alarms?: string | undefined;
}

export async function startStack({
  redis: wanted,
  data,
  token = newSecret(),
  env = {},
  emulator: options,
  log,
  bundle,
  rateLimit,
  drainer,
  alarms,
}: StackOptions): Promise<Stack> {
  const [redis, built] = await Promise.all([startRedis(wanted, data), bundle ?? buildBundle()]);
  const emulator = await startEmulator({
    url: redis.url,
    token: newSecret(),
    commandsProcessed: redis.commandsProcessed,
    bytesStored: redis.bytesStored,
    ...options,
  });
  const bindings = {
    UPSTASH_REDIS_REST_URL: emulator.url,
    UPSTASH_REDIS_REST_TOKEN: emulator.token,
    SLUICE_TOKENS: tokensSetting(token),
    SLUICE_DRAIN_REQUESTS: '9000', // as on Workers Paid
    SLUICE_DESTINATION_LOCAL: 'true', // everything is on this machine
    ...env,
  };
  const workers: LocalWorker[] = [];
  return {
    redis: redis.name,
    emulator,
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
      await emulator.close();
      await redis.close();
    },
  };
}

/** SLUICE_TOKENS for one token with every scope. */
export function tokensSetting(token: string): string {
  const sha256 = createHash('sha256').update(token).digest('hex');
  return JSON.stringify([{ name: 'local', sha256, scopes: ['enqueue', 'receive', 'admin'] }]);
}
