/** What the calls for shards bring along: ticks that bring to its end what they have begun, and the audit of what ticks should have. */
import { findIdlePins, tendShards } from './tend.ts';

export const features = { shards: { tend: tendShards, findIdlePins } };
