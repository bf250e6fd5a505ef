/** The end of a demo on somebody's Redis: its keys go. */
import type { Redis } from '@upstash/redis';

export async function removeKeys(redis: Redis, root: string): Promise<void> {
  const keys = await redis.keys(`${root}*`);
  if (keys.length > 0) await redis.unlink(...keys);
}
