/**
 * The databases of a run over several shards: a Redis each, with the emulator in front of it, which can be away for a while. Then it
 * refuses whoever comes, or it is gone from its port, or its Redis is killed with it; and it comes back with what it had.
 */
import { Redis } from '@upstash/redis';
import type { Observation } from '../../../src/dev/emulator/backend.ts';
import type { Faults } from '../../../src/dev/emulator/faults.ts';
import { type Emulator, startEmulator } from '../../../src/dev/emulator/server.ts';
import { startRedis } from '../../../src/dev/redis.ts';
import { newSecret } from '../../../src/dev/secrets.ts';
import { startControlledRedis } from '../../support/redis-control.ts';
import { redisServerPresent } from '../../support/redis-server.ts';

/** How a database is away. */
export const ABSENCES = ['refuses', 'stopped', 'killed'] as const;
export type Absence = (typeof ABSENCES)[number];

export interface Storage {
  /** By which settings name it. */
  name: string;
  url: string;
  token: string;
  /** For people: what is used. */
  redis: string;
  /** For the run itself. */
  client: Redis;
  isAway(): boolean;
  leave(how: Absence): Promise<void>;
  comeBack(): Promise<void>;
  close(): Promise<void>;
}

export interface StorageOptions {
  name: string;
  /** As of a run over one. */
  redis: string;
  faults: Faults;
  observe: (observation: Observation) => void;
}

/** What is under way when a database leaves is seen to its end: what Redis did and nobody saw could not be judged. */
const QUIET_MS = 150;

export async function startStorage({ name, redis: wanted, faults, observe }: StorageOptions): Promise<Storage> {
  const server = await startServer(wanted);
  const token = newSecret();
  let away: Absence | undefined;
  const open = (port: number) =>
    startEmulator({
      ...{ url: server.url, token, port, observe },
      ...{ commandsProcessed: server.commandsProcessed, bytesStored: server.bytesStored },
      faults: (request) => (away ? { kind: 'reset' } : faults(request)),
    });
  let emulator: Emulator | undefined = await open(0);
  const { url } = emulator;
  return {
    ...{ name, url, token, redis: server.name },
    client: new Redis({ url, token }),
    isAway: () => away !== undefined,
    async leave(how) {
      away = how;
      if (how === 'refuses') return;
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
      await emulator?.close();
      emulator = undefined;
      if (how === 'killed') await server.kill?.();
    },
    async comeBack() {
      if (away === 'killed') await server.start?.();
      emulator ??= await open(Number(new URL(url).port));
      away = undefined;
    },
    async close() {
      await emulator?.close();
      await server.close();
    },
  };
}

interface Server {
  name: string;
  url: string;
  commandsProcessed?: (() => number) | undefined;
  bytesStored?: (() => number) | undefined;
  /** Where it can be killed and started again. */
  kill?(): Promise<void>;
  start?(): Promise<void>;
  close(): Promise<void>;
}

async function startServer(wanted: string): Promise<Server> {
  if (wanted !== 'auto' || !redisServerPresent()) return startRedis(wanted === 'embedded' ? undefined : wanted);
  const redis = await startControlledRedis(['--appendfsync', 'everysec']); // what was written survives its process
  const { url, start, close } = redis;
  return { name: 'redis-server', url, start, close, kill: () => redis.stop('SIGKILL') };
}
