/** Stats: what became of messages over time, for people and pages. */
import * as z from 'zod/mini';
import { openInspectorOn } from '../../engine/admin.ts';
import { QUEUE_NAME } from '../../message/message.ts';
import { openFleetStats } from '../../stats/fleet-store.ts';
import { openStatsReader } from '../../stats/stats.ts';
import { ANY_QUEUE, canUseQueue, requireQueue } from '../auth.ts';
import { unknown } from '../problem.ts';
import { route } from '../route.ts';
import type { Wire } from './wire.ts';

const StatsQuery = z.strictObject({
  range: z._default(z.enum(['1h', '24h']), '1h'),
  queue: z.optional(z.string().check(z.regex(QUEUE_NAME))),
});

/** All queues together, those included that this deployment no longer has. */
const ALL = '*';

export const getStats = route(
  'GET /v1/stats',
  { scope: 'admin', query: StatsQuery },
  async (c, { query }): Promise<Wire<'StatsReport'>> => {
    const { engine, token } = c.var;
    const { range, queue } = query();
    if (queue !== undefined) requireQueue(token, queue);
    if (queue !== undefined && !(await openInspectorOn(engine).named(queue))) throw unknown('unknown_queue', queue);
    const permitted = [...engine.queues.keys()].filter((name) => canUseQueue(token, name));
    const all = canUseQueue(token, ANY_QUEUE) ? [ALL] : permitted;
    return openStatsReader(openFleetStats(engine.fleet)).report(range, queue === undefined ? all : [queue]);
  },
);

export const stats = [getStats];
