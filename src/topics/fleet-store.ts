/** Topics of several shards: each at its home, with its publications. */
import type { Shard } from '../redis/shard.ts';
import type { Fleet } from '../shards/fleet.ts';
import { formerHomesIn } from '../shards/map.ts';
import { placeOfTopic } from '../shards/places.ts';
import { openTopicStore, type TopicStore } from './store.ts';

/** With one shard its own store. */
export function openTopicsOn(fleet: Fleet): TopicStore {
  const { topology } = fleet;
  if (!topology.isMany) return openTopicStore(fleet.all[0]);
  const home = async (topic: string) => {
    await fleet.ready();
    return openTopicStore(fleet.home(placeOfTopic(topic)));
  };
  const former = (topic: string): Shard[] =>
    formerHomesIn(topology.map, placeOfTopic(topic), Date.now()).map((name) => fleet.named(name));
  return {
    async topics() {
      await fleet.ready();
      const answers = await fleet.askAll((shard) => openTopicStore(shard).topics());
      return new Map(answers.flatMap(({ answer }) => [...answer]));
    },
    async read(topic, token) {
      const found = await (await home(topic)).read(topic, token);
      if (token === undefined || found.applied) return found;
      // Under the same key it may have been published before its topic moved here.
      for (const shard of former(topic)) {
        const { applied } = await openTopicStore(shard).read(topic, token);
        if (applied) return { ...found, applied };
      }
      return found;
    },
    subscribe: async (topic, ...subscription) => (await home(topic)).subscribe(topic, ...subscription),
    unsubscribe: async (topic, id) => (await home(topic)).unsubscribe(topic, id),
  };
}
