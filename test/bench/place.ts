/** The place where all is measured: one redis-server, and the emulator in front of it. It ends what it started. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { redisServerPresent, startRedisServer } from '../support/redis-server.ts';
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
  const child = fork(join(import.meta.dirname, 'emulator-process.ts'), [server.url]);
  const { url } = (await answerOf(child)) as { url: string };
  return {
    redisUrl: server.url,
    raw,
    emulator: {
      url,
      token: 'bench',
      async requests() {
        child.send('requests');
        return ((await answerOf(child)) as { requests: number }).requests;
      },
    },
    async close() {
      child.disconnect();
      raw.disconnect();
      await server.stop();
    },
  };
}

async function answerOf(child: ChildProcess): Promise<unknown> {
  const done = new AbortController(); // else each question leaves a listener behind
  const { signal } = done;
  const gone = once(child, 'exit', { signal }).then(() => {
    throw new Error('the emulator ended');
  });
  try {
    const [answer] = await Promise.race([once(child, 'message', { signal }), gone]);
    return answer;
  } finally {
    gone.catch(() => {});
    done.abort();
  }
}
