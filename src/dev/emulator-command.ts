/** What `sluice emulator` does: only Redis and its REST API, for `npx wrangler dev`, which finds it by the .dev.vars that is written here. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { sentence } from './command.ts';
import { startTicker, tickAt } from './cron.ts';
import type { Limits } from './emulator/limits.ts';
import { startEmulator } from './emulator/server.ts';
import { startRedis } from './redis.ts';
import { newSecret, newSigningSecret } from './stack.ts';

export interface EmulatorFlags extends Limits {
  port: number;
  redis?: string;
  /** Where a Worker is whose cron handler is fired. */
  cron?: string;
}

/** Of the emulator. Known to everybody: it opens nothing but what is on this machine. */
const LOCAL_TOKEN = 'local';
const VARS = '.dev.vars';

/** It goes on until the process is told to end. */
export async function runEmulator({ port, redis: redisUrl, cron, ...limits }: EmulatorFlags): Promise<void> {
  const redis = await startRedis(redisUrl);
  const emulator = await startEmulator({ ...redis, token: LOCAL_TOKEN, port, limits }).catch(async (error) => {
    await redis.close();
    throw error;
  });
  if (!existsSync(VARS)) {
    writeFileSync(VARS, devVars(emulator.url));
    console.log(`wrote ${VARS}`);
  }
  const token = /^SLUICE_TOKEN=(.*)$/m.exec(readFileSync(VARS, 'utf8'))?.[1];
  if (token) console.log(`The API's bearer token: ${token}`);
  else console.error(`${VARS} has no SLUICE_TOKEN: the API is closed. Without the file, a new one is written.`);
  const ticker = cron ? startTicker(tickAt(cron), (error) => console.error(`cron: ${sentence(error)}`)) : undefined;
  const stop = async () => {
    ticker?.stop();
    await emulator.close();
    await redis.close();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  console.log(`Upstash REST API at ${emulator.url}, on ${redis.name} Redis, token "${LOCAL_TOKEN}". Ctrl-C ends it.`);
}

function devVars(url: string): string {
  const vars = {
    UPSTASH_REDIS_REST_URL: url,
    UPSTASH_REDIS_REST_TOKEN: LOCAL_TOKEN,
    SLUICE_TOKEN: newSecret(),
    SLUICE_DESTINATION_LOCAL: 'true', // receivers are on this machine too
    SLUICE_LOG_ERRORS: 'true',
    WEBHOOK_OUT_SECRETS: newSigningSecret(), // of the example queue webhook.out
  };
  return Object.entries(vars)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}
