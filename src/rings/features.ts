/** What rings bring along: `ring`, for handlers and other code. */
import type { Ring } from '../queue/ring.ts';
import type { Fleet } from '../shards/fleet.ts';
import { openRingsOn } from './fleet-store.ts';
import { openRing } from './ring.ts';

export const features = {
  rings: (fleet: Fleet, name: string): Ring => openRing(openRingsOn(fleet), name),
};
