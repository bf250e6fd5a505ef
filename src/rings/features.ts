/** What rings bring along: `ring`, for handlers and other code. */
import type { Ring } from '../queue/ring.ts';
import type { Shard } from '../redis/shard.ts';
import { openRing } from './ring.ts';
import { openRings } from './store.ts';

export const features = {
  rings: (shard: Shard, name: string): Ring => openRing(openRings(shard), name),
};
