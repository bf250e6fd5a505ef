/** The place where all is measured: one redis-server, and the emulator in front of it. It ends what it started. */
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { redisServerPresent, startRedisServer } from '../support/redis-server.ts';
import { startChild } from './child.ts';
import type { Place } from './contender.ts';

export interface OpenPlace extends Place {
  close(): Promise<void>;
}

/** @throws Error where there is no redis-server */
export async function openPlace(): Promise<OpenPlace> {
  if (!redisServerPresent()) {
    throw new Error('there is no redis-server on the PATH: install Redis 7 or Valkey, nothing else is measured here');
  }
  const server = await startRedisServer();
  const raw = new Redis(server.url);
  const file = join(import.meta.dirname, 'emulator-process.ts');
  const child = await startChild<{ url: string }>('the emulator', file, [server.url]);
  return {
    redisUrl: server.url,
    raw,
    emulator: {
      url: child.first.url,
      token: 'bench',
      requests: async () => (await child.ask<{ requests: number }>('requests')).requests,
    },
    async close() {
      child.end();
      raw.disconnect();
      await server.stop();
    },
  };
}
