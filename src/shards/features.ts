/** What the calls for shards bring along: ticks that bring to its end what they have begun. */
import { tendShards } from './tend.ts';

export const features = { shards: tendShards };
