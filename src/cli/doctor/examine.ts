/** The examination: one look after the other, each of which may end in several findings. None changes anything but a repair. */
import { SluiceError } from '../../client/index.ts';
import type { DestinationPage, Findings, Health, MessageReport, QueueReport, SourceReport, Stats } from '../answers.ts';
import { path } from '../api.ts';
import { isLoopback } from '../settings.ts';
import { type Finding, finding } from './finding.ts';
import {
  judgeClock,
  judgeCron,
  judgeDestinations,
  judgeQueues,
  judgeScopes,
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
  'is UPSTASH_REDIS_REST_URL (or KV_REST_API_URL) right, and is the database up? Its console says more';
/** By the code of the problem. */
const TODO: Record<string, string> = {
  misconfigured:
    'npx wrangler secret put NAME, or npx wrangler deploy --secrets-file FILE; what is no secret stands in wrangler.toml',
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
    const health = await site.see('GET', '/health', { anonymous: true });
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
    yield finding('reachable', 'fail', error.message, 'is the URL right, and is the Worker deployed?');
  }
}

async function* examineWithToken(site: Site, health: Seen, audited: Audited): AsyncGenerator<Finding> {
  const admin = await site.see('GET', '/v1/queues');
  yield judgeScopes({
    enqueue: await site.see('POST', '/v1/messages', { body: { messages: [] } }),
    receive: await site.see('POST', '/v1/receive', { body: { queues: [] } }),
    admin,
  });
  const seen = admin.status === 200 ? await site.see('GET', '/v1/stats?range=1h') : undefined;
  const stats = seen?.status === 200 ? (seen as Seen & { body: Stats }) : undefined;
  yield clock(health, stats);
  if (admin.status !== 200) {
    const why = admin.code === 'forbidden' ? 'the token lacks the scope admin' : `it answered ${admin.status}`;
    yield finding('queues', 'skip', why);
    return;
  }
  const lag = stats ? stats.body.now - stats.receivedAt : 0;
  const now = Date.now() + lag;
  const queues = await allQueues(site, admin.body as QueuePage);
  yield judgeCron(await signsOf(site, queues, stats?.body), now);
  yield* judgeQueues(queues, now);
  const sources = await site.see('GET', '/v1/sources');
  if (sources.status === 200) yield* judgeSources((sources.body as { sources: SourceReport[] }).sources);
  const failing = await site.see('GET', '/v1/destinations'); // its first page: who is down is rarely more
  if (failing.status === 200) yield judgeDestinations((failing.body as DestinationPage).destinations);
  yield* audit(site, audited);
}

interface QueuePage {
  queues: QueueReport[];
  cursor?: string;
}

async function allQueues(site: Site, first: QueuePage): Promise<QueueReport[]> {
  const queues = [...first.queues];
  for (let { cursor } = first; cursor; ) {
    const { body } = await site.see('GET', `/v1/queues?${new URLSearchParams({ cursor })}`);
    const page = body as QueuePage | undefined; // none where it was refused meanwhile
    queues.push(...(page?.queues ?? []));
    cursor = page?.cursor;
  }
  return queues;
}

function judgeUrl(url: string): Finding {
  const isSafe = url.startsWith('https:') || isLoopback(url);
  const todo = 'use https://: the token and the messages can be read on their way';
  return finding('url', isSafe ? 'ok' : 'warn', isSafe ? url : `${url} is not encrypted`, todo);
}

function* judgeHealth({ status, code, detail, body, ms }: Seen): Generator<Finding> {
  const took = `in ${Math.round(ms)} ms`;
  if (status !== 200) {
    yield finding('health', 'fail', `GET /health answered ${status}, ${detail}`, TODO[code ?? ''] ?? IS_IT_RIGHT);
    return;
  }
  yield finding('reachable', 'ok', `it answered ${took}`);
  const { warnings = [] } = body as Partial<Health>;
  if (warnings.length === 0) yield finding('storage', 'ok', 'it answers, may be written, and evicts nothing');
  for (const warning of warnings)
    yield finding('storage', 'fail', warning, 'change it at the database, before it loses or refuses messages');
}

/** Who has no token gets nothing. */
async function closed(site: Site): Promise<Finding> {
  const { status } = await site.see('GET', '/v1/queues', { anonymous: true });
  const todo = 'something in front of the Worker adds a token, or it is no Sluice';
  return finding('closed', status === 401 ? 'ok' : 'fail', `without a token: ${status}`, todo);
}

function clock(health: Seen, stats: (Seen & { body: Stats }) | undefined): Finding {
  if (stats) return judgeClock(stats.body.now, stats.receivedAt - stats.ms / 2, stats.ms / 2);
  if (health.dateAt === undefined) return finding('clock', 'skip', 'the server does not tell its time');
  return judgeClock(
    health.dateAt + DATE_STEP_MS / 2,
    health.receivedAt - health.ms / 2,
    health.ms / 2 + DATE_STEP_MS / 2,
  );
}

async function signsOf(site: Site, queues: QueueReport[], stats: Stats | undefined): Promise<Signs> {
  const lastSweepAt = stats?.lastSweepAt;
  const uncountedAt = stats && uncountedOf(stats.points, lastSweepAt ?? 0);
  const due: number[] = [];
  for (const { queue } of queues.filter(({ delayed }) => delayed > 0).slice(0, MOST_LOOKED_INTO)) {
    const { body } = await site.see('GET', `${path`/v1/queues/${queue}/messages`}?state=delayed&limit=1`); // the first due
    due.push(...((body as { messages: MessageReport[] } | undefined)?.messages ?? []).flatMap(({ at }) => at ?? []));
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
  const incomplete = new Set<string>();
  let found = 0;
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const query = new URLSearchParams({ repair: String(repair), ...(deep ? { deep: 'true' } : {}) });
    if (cursor !== '') query.set('cursor', cursor);
    const { status, body } = await site.see('GET', `/v1/audit?${query}`);
    if (status !== 200) {
      const failed = finding(
        'audit',
        'fail',
        `GET /v1/audit answered ${status}`,
        'try again; the log of the Worker says more',
      );
      yield status === 403 ? finding('audit', 'skip', 'it takes a token for all queues') : failed;
      return;
    }
    const page = body as Findings;
    const broken = page.findings.filter(({ finding: what }) => what !== 'unknown-queue'); // told with the queues
    const todo = repair ? 'mended as far as it can be: run it again' : 'sluice doctor --repair';
    for (const { finding: what, name } of broken) yield finding('audit', 'fail', `${what} ${name}`, todo);
    for (const what of page.incomplete ?? []) incomplete.add(what);
    found += broken.length;
    cursor = page.cursor;
  }
  if (incomplete.size > 0) {
    const what = `too much is at work to judge ${[...incomplete].join(' and ')}`;
    yield finding('audit', 'warn', what, 'run it again when less is');
  }
  if (found === 0 && incomplete.size === 0) yield finding('audit', 'ok', 'nothing breaks an invariant');
}
