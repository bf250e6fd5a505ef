/** Metrics: the figures of all queues for whoever scrapes. */
import { openInspectorOn } from '../../engine/admin.ts';
import { measureShards } from '../../shards/measure.ts';
import { openFleetStats } from '../../stats/fleet-store.ts';
import { openStatsReader } from '../../stats/stats.ts';
import { ANY_QUEUE, canUseQueue } from '../auth.ts';
import { metricsText } from '../prometheus.ts';
import { route } from '../route.ts';

/** Messages whose queue nobody knows. */
const NO_QUEUE = '-';

export const getMetrics = route('GET /metrics', { scope: 'admin' }, async (c) => {
  const { engine, token } = c.var;
  const permitted = [...engine.queues.values()].filter(({ name }) => canUseQueue(token, name));
  const sees = canUseQueue(token, ANY_QUEUE); // sources, and messages whose queue nobody knows, are nobody's
  const inspector = openInspectorOn(engine);
  const unknown = (await inspector.unknown()).filter(({ queue }) => canUseQueue(token, queue));
  const names = [...permitted.map(({ name }) => name), ...unknown.map(({ queue }) => queue)];
  const [known, { counters: totals, ...rest }, breakers, sources, fleet] = await Promise.all([
    inspector.queues(permitted),
    openStatsReader(openFleetStats(engine.fleet)).totals(sees ? [...names, NO_QUEUE] : names),
    inspector.breakers(permitted),
    sees ? engine.parts.sources?.report() : undefined,
    sees ? measureShards(engine.fleet) : undefined,
  ]);
  const queues = [...known, ...unknown];
  // A counter that falls is taken for one that began anew, and what it rises by when its shard is back for new: it is left out meanwhile.
  const isWhole = engine.away.length === 0;
  const counted = isWhole ? { totals, sources: sources ?? [] } : { totals: new Map(), sources: [] };
  const text = metricsText({ now: Date.now(), queues, breakers, fleet, ...counted, ...rest });
  return c.text(text, 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
});

export const metrics = [getMetrics];
