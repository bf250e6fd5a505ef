/** Queues: an overview of all, one with its counts, what operators set over its definition, and its purge. */
import type { Context } from 'hono';
import * as z from 'zod/mini';
import type { QueueReport } from '../../broker/admin.ts';
import { openAdminOn, openInspectorOn } from '../../engine/admin.ts';
import { milliseconds } from '../../formats/duration-schema.ts';
import { rule } from '../../formats/rule.ts';
import { QUEUE_NAME } from '../../message/message.ts';
import { LEAST_PERIOD_MS, MOST_PERIOD_MS } from '../../queue/limits.ts';
import type { AnyQueue } from '../../queue/queue.ts';
import { openFleetStats } from '../../stats/fleet-store.ts';
import { openStatsReader, type Stats } from '../../stats/stats.ts';
import { canUseQueue, requireQueue } from '../auth.ts';
import type { SluiceEnv } from '../context.ts';
import { namedQueue } from '../named-queue.ts';
import { outliving } from '../outliving.ts';
import { cursorSchema, flag, nameCursor, pageLimit } from '../page-query.ts';
import { route } from '../route.ts';
import type { Wire } from './wire.ts';

export const params = { queue: QUEUE_NAME };

const QueuesPage = z.strictObject({
  limit: pageLimit(1_000, 100),
  /** The name of the last queue of the page before. */
  cursor: nameCursor,
  /** A part of the name. */
  search: z._default(z.string().check(z.regex(/^[A-Za-z0-9_.-]{0,64}$/)), ''),
  /** With figures of the last minutes. */
  recent: flag(),
});

/** What an operator may set for a queue over its definition: at least one of them. */
const Override = z
  .strictObject({
    paused: z.optional(z.boolean()),
    /** null takes the operator's limit away: that of the definition counts again. */
    concurrency: z.optional(z.nullable(z.int().check(z.minimum(1), z.maximum(1_000_000)))),
    rate: z.optional(
      z.nullable(
        z.strictObject({
          limit: z.int().check(z.minimum(1), z.maximum(1_000_000)),
          per: milliseconds(LEAST_PERIOD_MS, MOST_PERIOD_MS, '100 ms to a day'),
        }),
      ),
    ),
  })
  .check(rule((set) => Object.keys(set).length > 0, 'or concurrency or rate must be set', ['paused']));

const Purge = z.strictObject({
  states: z._default(z.array(z.enum(['ready', 'delayed', 'dead'])).check(z.minLength(1)), ['ready', 'delayed']),
  /** As purge.lua makes it. */
  cursor: cursorSchema(/^(0|(-|[1-3]:\d{1,20}) (-|(\d{1,3}:)?\d{1,20}))$/, '0'),
});

export const listQueues = route(
  'GET /v1/queues',
  { scope: 'admin', query: QueuesPage },
  async (c, { query }): Promise<Wire<'QueueReports'>> => {
    const { engine, token } = c.var;
    const { limit, cursor, search, recent } = query();
    const told = (reports: QueueReport[]) =>
      recent === 'true' ? withRecent(openStatsReader(openFleetStats(engine.fleet)), reports) : reports;
    const isWanted = (name: string) => canUseQueue(token, name) && name.includes(search);
    const all = [...engine.queues.values()].filter(({ name }) => isWanted(name));
    const page = takePage(all, cursor, limit);
    const inspector = openInspectorOn(engine);
    const queues = await inspector.queues(page);
    if (page.length === limit && page.at(-1) !== all.at(-1)) {
      return { queues: await told(queues), cursor: page.at(-1)?.name };
    }
    // Behind those of the deployment come those that only storage knows.
    const begun = cursor !== '' && !engine.queues.has(cursor) ? cursor : '';
    const unknown = (await inspector.unknown()).filter(({ queue }) => isWanted(queue) && queue > begun);
    const shown = [...queues, ...unknown.slice(0, limit - queues.length)];
    const rest = shown.length < queues.length + unknown.length ? { cursor: shown.at(-1)?.queue ?? cursor } : {};
    return { queues: await told(shown), ...rest };
  },
);

export const getQueue = route(
  'GET /v1/queues/:queue',
  { scope: 'admin' },
  async (c): Promise<Wire<'QueueReport'>> => openAdminOn(c.get('engine')).queue(await namedQueue(c)),
);

export const overrideQueue = route(
  'PATCH /v1/queues/:queue',
  { scope: 'admin', body: Override },
  async (c, { body }): Promise<Wire<'Overridden'>> => {
    requireQueue(c.get('token'), c.req.param('queue'));
    return override(c, await body());
  },
);

export const pauseQueue = route(
  'POST /v1/queues/:queue/pause',
  { scope: 'admin' },
  (c): Promise<Wire<'Overridden'>> => override(c, { paused: true }),
);

export const resumeQueue = route(
  'POST /v1/queues/:queue/resume',
  { scope: 'admin' },
  (c): Promise<Wire<'Overridden'>> => override(c, { paused: false }),
);

export const purgeQueue = route(
  'POST /v1/queues/:queue/purge',
  { scope: 'admin', body: Purge },
  async (c, { body }): Promise<Wire<'Purged'>> => {
    const queue = await namedQueue(c);
    const { states, cursor } = await body();
    return outliving(c, openAdminOn(c.get('engine')).purge(queue, states, cursor));
  },
);

export const queues = [listQueues, getQueue, overrideQueue, pauseQueue, resumeQueue, purgeQueue];

async function withRecent(stats: Stats, reports: QueueReport[]): Promise<Wire<'QueueReport'>[]> {
  const recent = await stats.recent(reports.map(({ queue }) => queue));
  return reports.map((report, i) => ({ ...report, recent: recent[i] }));
}

/** What comes behind the queue that the cursor names; nothing where there is no such queue. */
function takePage(queues: AnyQueue[], cursor: string, limit: number): AnyQueue[] {
  const at = queues.findIndex(({ name }) => name === cursor);
  if (cursor !== '' && at === -1) return [];
  return queues.slice(at + 1, at + 1 + limit);
}

async function override(c: Context<SluiceEnv>, overrides: z.output<typeof Override>): Promise<Wire<'Overridden'>> {
  const queue = await namedQueue(c);
  await outliving(c, openAdminOn(c.get('engine')).override(queue, overrides)); // it may take two steps
  return { queue: queue.name, ...overrides };
}
