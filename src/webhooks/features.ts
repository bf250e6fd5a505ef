/** What webhooks bring along: the sources of a deployment, with what became of their requests. */
import type { Fleet } from '../shards/fleet.ts';
import { openSources, type Sources } from './counters.ts';
import { openSourceCountersOn } from './fleet-counters.ts';
import type { AnySource } from './source.ts';

export const features = {
  sources: (sources: ReadonlyMap<string, AnySource>, fleet: Fleet, env: object): Sources =>
    openSources(sources, openSourceCountersOn(fleet), env),
};
