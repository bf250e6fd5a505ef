/** What webhooks bring along: the sources of a deployment, with what became of their requests. */
import type { Shard } from '../redis/shard.ts';
import { openSources, type Sources } from './counters.ts';
import { openSourceCounters } from './counters-store.ts';
import type { AnySource } from './source.ts';

export const features = {
  sources: (sources: ReadonlyMap<string, AnySource>, shard: Shard, env: object): Sources =>
    openSources(sources, openSourceCounters(shard), env),
};
