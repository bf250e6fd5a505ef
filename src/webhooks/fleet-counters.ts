/** Counters of sources on several shards: what is counted together is kept together, and read from all. */
import type { Fleet } from '../shards/fleet.ts';
import { placeOfSource } from '../shards/places.ts';
import { openSourceCounters, type SourceCounters } from './counters-store.ts';

/** With one shard its own. */
export function openSourceCountersOn(fleet: Fleet): SourceCounters {
  if (!fleet.topology.isMany) return openSourceCounters(fleet.all[0]);
  return {
    async add(counts) {
      await fleet.ready();
      const [first = ''] = counts.keys();
      const [source = ''] = first.split(' ');
      await openSourceCounters(fleet.home(placeOfSource(source))).add(counts);
    },
    async read() {
      await fleet.ready();
      const sum = new Map<string, number>();
      for (const { answer } of await fleet.askAll((shard) => openSourceCounters(shard).read())) {
        for (const [field, count] of answer) sum.set(field, (sum.get(field) ?? 0) + count);
      }
      return sum;
    },
  };
}
