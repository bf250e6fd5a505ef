/** Stats over several shards: counters are sums, so the texts of all shards stand one behind the other. */
import type { Fleet } from '../shards/fleet.ts';
import { openStats, type StoredStats } from './store.ts';

export function openFleetStats(fleet: Fleet): StoredStats {
  if (!fleet.topology.isMany) return openStats(fleet.all[0]);
  const askAll = async <Answer>(ask: (stats: StoredStats) => Promise<Answer>): Promise<Answer[]> => {
    await fleet.ready();
    return (await fleet.askAll((shard) => ask(openStats(shard)))).map(({ answer }) => answer);
  };
  return {
    async steps(queues, wanted) {
      const asked = await askAll((stats) => stats.steps(queues, wanted));
      return {
        now: Math.max(...asked.map(({ now }) => now)),
        ...leastSwept(asked),
        steps: joinTexts(asked.map(({ steps }) => steps)),
      };
    },
    recent: async (queues, wanted) => joinTexts(await askAll((stats) => stats.recent(queues, wanted))),
    async totals(queues) {
      const asked = await askAll((stats) => stats.totals(queues));
      const texts = queues.map((_, index) => asked.map((each) => each.texts[index] ?? '').join(' '));
      return { ...leastSwept(asked), texts };
    },
  };
}

/** By this it is judged whether cron runs: a shard that is not swept is not made up for by others. */
function leastSwept(asked: { sweptAt?: number }[]): { sweptAt?: number } {
  const least = Math.min(...asked.map(({ sweptAt = 0 }) => sweptAt));
  return least > 0 ? { sweptAt: least } : {};
}

function joinTexts<Key>(maps: ReadonlyMap<Key, string>[]): Map<Key, string> {
  const joined = new Map<Key, string>();
  for (const [key, text] of maps.flatMap((map) => [...map])) {
    const before = joined.get(key);
    joined.set(key, before === undefined ? text : `${before} ${text}`);
  }
  return joined;
}
