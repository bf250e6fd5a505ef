/** What rings bring along: `ring`, for handlers and other code. */
import type { Ring } from '../queue/ring.ts';
import type { Shard } from '../redis/shard.ts';
import { ringOf } from './ring.ts';
import { openRings } from './store.ts';

export const features = {
  rings: (shard: Shard, name: string): Ring => ringOf(openRings(shard), name),
};
