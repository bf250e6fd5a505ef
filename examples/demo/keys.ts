/** The end of a demo on somebody's Redis: its keys go. */
import { Redis } from '@upstash/redis';
import { readConfig } from '../../src/config/config.ts';

/** A shard's database, and what the keys of the demo begin with there. */
export interface Database {
  redis: Redis;
  prefix: string;
  root: string;
}

/** @param env the settings of a deployment */
export const openDatabases = (env: object): Database[] =>
  readConfig(env).SLUICE_SHARDS.map(({ url, token, prefix }) => ({
    redis: new Redis({ url, token }),
    prefix,
    root: `{${prefix}}:`,
  }));

export async function removeKeys({ redis, root }: Pick<Database, 'redis' | 'root'>): Promise<void> {
  const keys = await redis.keys(`${root}*`);
  if (keys.length > 0) await redis.unlink(...keys);
}
