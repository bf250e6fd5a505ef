/** Stats in the store: what the scripts counted, step by step or since ever. */

import * as scripts from '../redis/lua/generated.ts';
import { digits } from '../redis/lua/script.ts';
import { list, pairs, strings } from '../redis/reply.ts';
import type { Shard } from '../redis/shard.ts';

/** How many steps, and the tier of rollup.lua that has them: 1 is kept minute by minute, 2 by ten minutes, both for a day. */
export interface Steps {
  tier: 1 | 2;
  count: number;
}

export interface StoredStats {
  /** Rolls up what waits, so that they are up to date. @param queues '*' is all of them together. @throws StorageError */
  steps(queues: string[], steps: Steps): Promise<{ now: number; sweptAt?: number; steps: Map<number, string> }>;
  /** Of the last steps that are over, by queue where anything happened. @throws StorageError */
  recent(queues: string[], steps: Steps): Promise<Map<string, string>>;
  /** Since ever, a text for each queue; '' where nothing happened. @throws StorageError */
  totals(queues: string[]): Promise<{ sweptAt?: number; texts: string[] }>;
}

export function openStats({ run, keys, now }: Shard): StoredStats {
  const { root, stats } = keys;
  const figures = async (by: 'step' | 'queue', queues: string[], { tier, count }: Steps) => {
    const { reply } = await run(
      scripts.getCounters,
      [stats],
      [root, now(), digits(tier), digits(count), by, ...queues],
    );
    const [at, swept, found] = list(reply);
    return { now: Number(at), ...sweptAt(swept), texts: pairs(strings(found)) };
  };
  return {
    async steps(queues, wanted) {
      const { texts, ...rest } = await figures('step', queues, wanted);
      return { ...rest, steps: new Map(texts.map(([step, text]) => [Number(step), text])) };
    },
    recent: async (queues, wanted) => new Map((await figures('queue', queues, wanted)).texts),
    async totals(queues) {
      const { reply } = await run(scripts.getTotals, [stats], [root, ...queues]);
      const [swept, ...texts] = strings(reply);
      return { ...sweptAt(swept), texts };
    },
  };
}

const sweptAt = (text: unknown) => (text === '' ? {} : { sweptAt: Number(text) });
