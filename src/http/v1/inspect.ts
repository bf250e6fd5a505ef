/** The edge function for overviews: many queues at once, the leases at work, and why messages died. */

import type { QueueReport } from '../../broker/admin.ts';
import { QUEUE_NAME } from '../../message/message.ts';
import type { AnyQueue } from '../../queue/queue.ts';
import type { Stats } from '../../stats/stats.ts';
import type { EdgeFunction } from '../app.ts';
import { ANY_QUEUE, allow, isPermitted, permit } from '../auth.ts';
import { readQuery } from '../body.ts';
import { unknown } from '../problem.ts';
import { LeasesPage, QueuesPage } from './inspect-schema.ts';

export const inspect: EdgeFunction = (app) => {
  app.get('/v1/queues', allow('operate'), async (c) => {
    const { engine, token } = c.var;
    const { limit, cursor, search, recent } = readQuery(c, QueuesPage);
    const told = (reports: QueueReport[]) => (recent === 'true' ? withRecent(engine.stats, reports) : reports);
    const isWanted = (name: string) => isPermitted(token, name) && name.includes(search);
    const all = [...engine.queues.values()].filter(({ name }) => isWanted(name));
    const page = pageOf(all, cursor, limit);
    const queues = await engine.inspector.queues(page);
    if (page.length === limit && page.at(-1) !== all.at(-1)) {
      return c.json({ queues: await told(queues), cursor: page.at(-1)?.name });
    }
    // Behind those of the deployment come those that only storage knows.
    const begun = cursor !== '' && !engine.queues.has(cursor) ? cursor : '';
    const unknown = (await engine.inspector.unknown()).filter(({ queue }) => isWanted(queue) && queue > begun);
    const shown = [...queues, ...unknown.slice(0, limit - queues.length)];
    const rest = shown.length < queues.length + unknown.length ? { cursor: shown.at(-1)?.queue ?? cursor } : {};
    return c.json({ queues: await told(shown), ...rest });
  });

  app.get('/v1/queues/:queue/dead/causes', allow('operate'), async (c) => {
    const name = c.req.param('queue');
    permit(c.var.token, name);
    if (!QUEUE_NAME.test(name) || !(await c.var.engine.inspector.named(name))) throw unknown('unknown_queue', name);
    return c.json(await c.var.engine.inspector.causes(name));
  });

  app.get('/v1/leases', allow('operate'), async (c) => {
    permit(c.var.token, ANY_QUEUE); // a lease may hold messages of any queue
    const { limit, cursor } = readQuery(c, LeasesPage);
    return c.json(await c.var.engine.inspector.leases(limit, cursor));
  });
};

async function withRecent(stats: Stats, reports: QueueReport[]): Promise<QueueReport[]> {
  const recent = await stats.recent(reports.map(({ queue }) => queue));
  return reports.map((report, i) => ({ ...report, recent: recent[i] }));
}

/** What comes behind the queue that the cursor names; nothing where there is no such queue. */
function pageOf(queues: AnyQueue[], cursor: string, limit: number): AnyQueue[] {
  const at = queues.findIndex(({ name }) => name === cursor);
  if (cursor !== '' && at === -1) return [];
  return queues.slice(at + 1, at + 1 + limit);
}
