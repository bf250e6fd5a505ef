/** What each shard of the demo was given, and what overtook: within a shard, where nothing may, and across all of them. Pure. */
import { type Enqueued, type Synced, whatHappened } from '../../scripts/lua/observe.ts';
import type { Observation } from '../../src/dev/emulator/backend.ts';
import type { StorageShard } from '../../src/dev/storage.ts';
import { parseEntry } from '../../src/message/ids.ts';
import { parseLane } from '../../src/message/lane.ts';
import { PARCEL_QUEUE } from '../../src/shards/parcel.ts';
import { type Inversions, watchInversions } from './inversions.ts';

export interface ShardWatch {
  /** @param shard where the command ran */
  see(shard: string, observation: Observation): void;
  /** Messages that overtook a more urgent one of the same shard. */
  within(): number;
  /** The same, of any shard. Each drain learns by its next look what the others have, so some may. */
  across(): number;
  /** Messages in leases now. */
  held(): number;
  /** How many messages were stored there. */
  messages(shard: string): number;
}

export function watchShards(): ShardWatch {
  const shards = new Map<string, { inversions: Inversions; messages: number }>();
  const all = watchInversions();
  const parcels = new Set<string>();
  return {
    see(shard, observation) {
      const event = withoutParcels(whatHappened(observation), parcels);
      if (!event) return;
      const known = shards.get(shard) ?? { inversions: watchInversions(), messages: 0 };
      shards.set(shard, known);
      known.inversions.see(event);
      all.see(event);
      if (event.what === 'enqueued') known.messages += event.messages.length;
    },
    within: () => [...shards.values()].reduce((sum, { inversions }) => sum + inversions.count(), 0),
    across: () => all.count(),
    held: () => all.held(),
    messages: (shard) => shards.get(shard)?.messages ?? 0,
  };
}

/** Parcels are no messages of anybody. @param parcels the ids of those that were seen */
function withoutParcels(event: Enqueued | Synced | undefined, parcels: Set<string>): Enqueued | Synced | undefined {
  if (event?.what === 'enqueued') {
    const [own, others] = [[] as Enqueued['messages'], [] as Enqueued['messages']];
    for (const message of event.messages) (parseLane(message.lane).queue === PARCEL_QUEUE ? others : own).push(message);
    for (const { id } of others) parcels.add(id);
    return { ...event, messages: own };
  }
  if (!event || parcels.size === 0) return event;
  const isMessage = (entry: string) => !parcels.has(parseEntry(entry).id);
  const settlements = event.settlements.filter(({ entry }) => isMessage(entry));
  return { ...event, settlements, taken: event.taken.filter(isMessage) };
}

/** @returns the shard that a script ran on: by its tag, where the shards are tags of one cluster, else by where it was asked */
export function nameShardOf(shards: readonly StorageShard[], prefixes: readonly string[]) {
  const tags = new Map(prefixes.map((prefix, place) => [prefix, shards[place]?.name ?? '']));
  return (asked: string, { command }: Observation): string => {
    const [, tag = ''] = /^\{(.*?)\}/.exec(command[3] ?? '') ?? [];
    return tags.size > 1 ? (tags.get(tag) ?? asked) : asked;
  };
}
