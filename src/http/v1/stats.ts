/** The edge function for figures: stats over time for people and pages, metrics for whoever scrapes. */
import type { EdgeFunction } from '../app.ts';
import { ANY_QUEUE, allow, isPermitted, permit } from '../auth.ts';
import { readQuery } from '../body.ts';
import { metricsText } from '../metrics.ts';
import { unknown } from '../problem.ts';
import { StatsQuery } from './stats-schema.ts';

/** All queues together, those included that this deployment no longer has; and messages whose queue nobody knows. */
const ALL = '*';
const NO_QUEUE = '-';

export const stats: EdgeFunction = (app) => {
  app.get('/v1/stats', allow('operate'), async (c) => {
    const { engine, token } = c.var;
    const { range, queue } = readQuery(c, StatsQuery);
    if (queue !== undefined) permit(token, queue);
    if (queue !== undefined && !(await engine.inspector.named(queue))) throw unknown('unknown_queue', queue);
    const permitted = [...engine.queues.keys()].filter((name) => isPermitted(token, name));
    const all = isPermitted(token, ANY_QUEUE) ? [ALL] : permitted;
    return c.json(await engine.stats.report(range, queue === undefined ? all : [queue]));
  });

  app.get('/metrics', allow('operate'), async (c) => {
    const { engine, token } = c.var;
    const permitted = [...engine.queues.values()].filter(({ name }) => isPermitted(token, name));
    const sees = isPermitted(token, ANY_QUEUE); // sources, and messages whose queue nobody knows, are nobody's
    const unknown = (await engine.inspector.unknown()).filter(({ queue }) => isPermitted(token, queue));
    const names = [...permitted.map(({ name }) => name), ...unknown.map(({ queue }) => queue)];
    const [known, { figures: totals, ...rest }, breakers, sources] = await Promise.all([
      engine.inspector.queues(permitted),
      engine.stats.totals(sees ? [...names, NO_QUEUE] : names),
      engine.inspector.breakers(permitted),
      sees ? engine.sources.report() : [],
    ]);
    const queues = [...known, ...unknown];
    const text = metricsText({ now: Date.now(), queues, totals, breakers, sources, ...rest });
    return c.text(text, 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
  });
};
