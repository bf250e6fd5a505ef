/** The examination: one look after the other, each of which may end in several findings. None changes anything but a repair. */
import type { AuditQuery, Health, QueueReport, QueueReports, StatsReport } from '../../client/admin.ts';
import { SluiceError } from '../../client/index.ts';
import { isLoopback } from '../settings.ts';
import { type Finding, finding } from './finding.ts';
import {
  judgeAudited,
  judgeClock,
  judgeCron,
  judgeDestinations,
  judgePins,
  judgeQueues,
  judgeScopes,
  judgeShards,
  judgeSources,
  type Signs,
  uncountedOf,
} from './rules.ts';
import type { Seen, Site } from './site.ts';

/** Of the queues with delayed messages. */
const MOST_LOOKED_INTO = 10;
/** Steps of the Date header. */
const DATE_STEP_MS = 1_000;

/** Where storage was not reached, or not understood. */
const IS_IT_RIGHT =
  'is UPSTASH_REDIS_REST_URL (or KV_REST_API_URL, or its URL in SLUICE_SHARDS) right, and is the database up? Its console says more';
/** By the code of the problem. */
const TODO: Record<string, string> = {
  misconfigured:
    'set it where the platform has its settings. Of a Worker: npx wrangler secret put NAME, or npx wrangler deploy --secrets-file FILE; what is no secret stands in wrangler.toml',
  storage_refused: 'do what it says; docs/operations.md, "When it is red", and the console of the database say more',
};

/** What the audit is to do. */
interface Audited {
  repair: boolean;
  deep: boolean;
}

export async function* examine(site: Site, audited: Audited): AsyncGenerator<Finding> {
  try {
    yield judgeUrl(site.url);
    const health = await site.see(({ health }) => health(), { anonymous: true });
    yield* judgeHealth(health);
    if (health.status !== 200) return;
    yield await closed(site);
    if (!site.hasToken) {
      yield finding('token', 'fail', 'none was given', 'set SLUICE_TOKEN: without one nothing else can be seen');
      return;
    }
    yield* examineWithToken(site, health, audited);
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    yield finding('reachable', 'fail', error.message, 'is the URL right, and is it deployed?');
  }
}

async function* examineWithToken(site: Site, health: Seen<Health>, audited: Audited): AsyncGenerator<Finding> {
  const admin = await site.see(({ queues }) => queues.list());
  yield judgeScopes({
    enqueue: await site.see(({ enqueueMany }) => enqueueMany([])),
    receive: await site.see(({ receive }) => receive([])),
    admin,
  });
  const stats = admin.body && (await site.see((calls) => calls.stats({ range: '1h' })));
  yield clock(health, stats);
  if (!admin.body) {
    const why = admin.code === 'forbidden' ? 'the token lacks the scope admin' : `it answered ${admin.status}`;
    yield finding('queues', 'skip', why);
    return;
  }
  const lag = stats?.body ? stats.body.now - stats.receivedAt : 0;
  const now = Date.now() + lag;
  const queues = await allQueues(site, admin.body);
  yield judgeCron(await signsOf(site, queues, stats?.body), now);
  yield* judgeQueues(queues, now);
  const shards = await site.see((calls) => calls.shards.list()); // a deployment may be without that route
  if (shards.body) yield* judgePins(shards.body);
  const sources = await site.see((calls) => calls.sources());
  if (sources.body) yield* judgeSources(sources.body.sources);
  const failing = await site.see((calls) => calls.destinations()); // its first page: who is down is rarely more
  if (failing.body) yield judgeDestinations(failing.body.destinations);
  yield* audit(site, audited);
}

/** @param first the page that was seen already */
async function allQueues(site: Site, first: QueueReports): Promise<QueueReport[]> {
  const queues = [...first.queues];
  for (let { cursor } = first; cursor; ) {
    const { body } = await site.see((calls) => calls.queues.list({ cursor }));
    queues.push(...(body?.queues ?? [])); // none where it was refused meanwhile
    cursor = body?.cursor;
  }
  return queues;
}

function judgeUrl(url: string): Finding {
  const isSafe = url.startsWith('https:') || isLoopback(url);
  const todo = 'use https://: the token and the messages can be read on their way';
  return finding('url', isSafe ? 'ok' : 'warn', isSafe ? url : `${url} is not encrypted`, todo);
}

function* judgeHealth({ status, code, detail, body, ms }: Seen<Health>): Generator<Finding> {
  const took = `in ${Math.round(ms)} ms`;
  if (status !== 200) {
    yield finding('health', 'fail', `GET /health answered ${status}, ${detail}`, TODO[code ?? ''] ?? IS_IT_RIGHT);
    return;
  }
  yield finding('reachable', 'ok', `it answered ${took}`);
  const { shards = [] } = body ?? {};
  yield* judgeShards(shards);
  const isDown = (warning: string) =>
    shards.some(({ shard, status }) => status === 'down' && warning.startsWith(`shard ${shard}: `));
  const warnings = (body?.warnings ?? []).filter((warning) => !isDown(warning)); // these are told with the shards
  if (warnings.length === 0) yield finding('storage', 'ok', 'it answers, may be written, and evicts nothing');
  for (const warning of warnings)
    yield finding('storage', 'fail', warning, 'change it at the database, before it loses or refuses messages');
}

/** Who has no token gets nothing. */
async function closed(site: Site): Promise<Finding> {
  const { status } = await site.see(({ queues }) => queues.list(), { anonymous: true });
  const todo = 'something in front of it adds a token, or it is no Sluice';
  return finding('closed', status === 401 ? 'ok' : 'fail', `without a token: ${status}`, todo);
}

function clock(health: Seen, stats: Seen<StatsReport> | undefined): Finding {
  if (stats?.body) return judgeClock(stats.body.now, stats.receivedAt - stats.ms / 2, stats.ms / 2);
  if (health.dateAt === undefined) return finding('clock', 'skip', 'the server does not tell its time');
  return judgeClock(
    health.dateAt + DATE_STEP_MS / 2,
    health.receivedAt - health.ms / 2,
    health.ms / 2 + DATE_STEP_MS / 2,
  );
}

async function signsOf(site: Site, queues: QueueReport[], stats: StatsReport | undefined): Promise<Signs> {
  const lastSweepAt = stats?.lastSweepAt;
  const uncountedAt = stats && uncountedOf(stats.points, lastSweepAt ?? 0);
  const due: number[] = [];
  for (const { queue } of queues.filter(({ delayed }) => delayed > 0).slice(0, MOST_LOOKED_INTO)) {
    const first = await site.see((calls) => calls.queues.messages(queue, { state: 'delayed', limit: 1 })); // due
    due.push(...(first.body?.messages ?? []).flatMap(({ at }) => at ?? []));
  }
  return {
    hasStats: stats !== undefined,
    lastSweepAt,
    uncountedAt,
    overdueAt: due.length > 0 ? Math.min(...due) : undefined,
  };
}

/** Page by page: each call works for some seconds. */
async function* audit(site: Site, { repair, deep }: Audited): AsyncGenerator<Finding> {
  const how: AuditQuery = { repair: `${repair}`, deep: deep ? 'true' : undefined };
  const todo = repair ? 'mended as far as it can be: run it again' : 'sluice doctor --repair';
  const incomplete = new Set<string>();
  let found = 0;
  let cursor: string | undefined;
  do {
    const { status, body: page } = await site.see((calls) => calls.audit({ ...how, cursor }));
    if (!page) {
      yield notAudited(status);
      return;
    }
    const broken = page.findings.filter(({ finding: what }) => what !== 'unknown-queue'); // told with the queues
    for (const one of broken) yield judgeAudited(one, todo);
    for (const what of page.incomplete ?? []) incomplete.add(what);
    found += broken.length;
    cursor = page.cursor;
  } while (cursor !== undefined);
  if (incomplete.size > 0) {
    const what = `too much is at work to judge ${[...incomplete].join(' and ')}`;
    yield finding('audit', 'warn', what, 'run it again when less is');
  }
  if (found === 0 && incomplete.size === 0) yield finding('audit', 'ok', 'nothing breaks an invariant');
}

function notAudited(status: number): Finding {
  if (status === 403) return finding('audit', 'skip', 'it takes a token for all queues');
  return finding('audit', 'fail', `GET /v1/audit answered ${status}`, 'try again; its log says more');
}
