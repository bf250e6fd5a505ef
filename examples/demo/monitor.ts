/**
 * `npm run demo -- --scenario monitor`: a ring of sites is checked turn by turn by several Workers at once, while some of
 * the sites fail, hang, refuse and come back.
 */
import { Redis } from '@upstash/redis';
import { whatHappened } from '../../scripts/lua/observe.ts';
import { type Stack, startStack } from '../../src/dev/stack.ts';
import type { LocalWorker } from '../../src/dev/worker.ts';
import { removeKeys } from './keys.ts';
import { type Outbox, startOutbox } from './outbox.ts';
import { httpProducer } from './producer.ts';
import { startProgress } from './progress.ts';
import { type Site, type SiteState, startSite } from './sites.ts';
import { type Checked, figuresOfTurns, isSound, type MonitorFigures, type Turn, tableOfSites } from './turns.ts';

const SITES = 30;
const WORKERS = 3;
/** A turn of the ring is six messages of five sites. */
const SITES_A_CHECK = 5;
const TIMEOUT_MS = 2_500; // what a hanging site costs a turn; where this machine stands still for as long, one that is up seems down
const GIVE_UP_MS = 30_000;

/** What changes before each turn: site and what becomes of it. The first site is down twice. */
const SCRIPT: [site: number, becomes: SiteState][][] = [
  [],
  [
    [0, 'failing'],
    [1, 'hanging'],
    [2, 'refusing'],
  ],
  [[3, 'failing']],
  [[0, 'up']],
  [
    [0, 'refusing'],
    [1, 'up'],
    [2, 'up'],
  ],
  [
    [0, 'up'],
    [3, 'up'],
  ],
];

export async function monitorScenario(flags: {
  redis?: string | undefined;
  shards?: string | undefined;
  json?: boolean | undefined;
}): Promise<void> {
  if (flags.shards !== undefined) throw new RangeError('--shards is for the scenario "main": one ring is on one shard');
  const outbox = await startOutbox(() => false);
  const prefix = `demo-${process.pid}-${Date.now()}`;
  const drains = new Set<string>();
  const stack = await startStack({
    redis: flags.redis,
    env: {
      OUTBOX_URL: outbox.url,
      SLUICE_PREFIX: prefix,
      SLUICE_DRAIN_MS: '10000',
      SLUICE_CONCURRENCY: '2', // so that every Worker gets its share of a turn
      SLUICE_BATCH: '2',
    },
    emulator: {
      observe: (observation) => {
        const event = whatHappened(observation);
        if (event?.what === 'synced' && event.taken.length > 0) drains.add(event.lease);
      },
    },
    log: () => {}, // each failed check is a result, not a line
  });
  const sites = await Promise.all(Array.from({ length: SITES }, (_, i) => startSite(`site ${i + 1}`)));
  const redis = new Redis({ url: stack.emulator.url, token: stack.emulator.token });
  try {
    const started = performance.now();
    const judged = await run(stack, outbox, sites);
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    const figures = { ...judged, drains: drains.size, seconds, redis: stack.redis };
    console.log(`\n${tableOfSites(figures.sites)}\n\n${summaryOf(figures)}`);
    if (flags.json) console.log(JSON.stringify(figures));
    process.exitCode = isSound(figures) ? 0 : 1;
  } finally {
    await removeKeys({ redis, root: `{${prefix}}:` });
    await stack.close();
    await outbox.close();
    await Promise.all(sites.map((site) => site.close()));
  }
}

async function run(stack: Stack, outbox: Outbox, sites: Site[]): Promise<MonitorFigures> {
  const workers = await Promise.all(Array.from({ length: WORKERS }, () => stack.startWorker()));
  const call = apiOf(workers[0] as LocalWorker, stack.token);
  const turns: Turn[] = [];
  const alerts = () => new Map(outbox.deliveries.map(({ id, body }) => [id, (body as { site: string }).site]));
  const progress = startProgress(() => `turns ${turns.length} of ${SCRIPT.length}, alerts ${alerts().size}`);
  try {
    progress.say(`Redis: ${stack.redis}. ${SITES} sites in a ring, ${WORKERS} Workers`);
    await call('PUT', '/v1/rings/monitor.sites/items', { items: sites.map(({ url }) => url) });
    for (const changes of SCRIPT) {
      for (const [i, becomes] of changes) await sites[i]?.become(becomes);
      if (changes.length > 0) progress.say(changes.map(([i, becomes]) => `${sites[i]?.name} is ${becomes}`).join(', '));
      const checks = await turn(stack, workers, call);
      turns.push({ checks, down: sites.filter((site) => site.state() !== 'up').map(({ url }) => url) });
    }
    await until(async () => isDelivered(await call('GET', '/v1/queues/monitor.alert')));
  } finally {
    progress.stop();
  }
  return figuresOfTurns(new Map(sites.map(({ url, name }) => [url, name])), turns, [...alerts().values()]);
}

/**
 * One full turn of the ring, checked by all Workers at once. In a deployment a schedule enqueues the checks; here this does.
 * @returns what the handlers found
 */
async function turn(stack: Stack, workers: LocalWorker[], call: Api): Promise<Checked[]> {
  const body = { count: SITES_A_CHECK, timeoutMs: TIMEOUT_MS };
  const ticks = Array.from({ length: SITES / SITES_A_CHECK }, () => ({
    queue: 'monitor.check',
    body,
    resultTtl: '10m', // what the handler returns is the report
  }));
  const posted = await httpProducer(() => workers[0]?.url ?? '', stack.token).postAll(ticks);
  await Promise.all(workers.map((worker) => worker.tick()));
  const checks: Checked[] = [];
  for (const { id } of posted) {
    let report: MessageReport = {};
    await until(async () => {
      report = (await call('GET', `/v1/messages/${id}`)) as MessageReport;
      return report.state === 'done';
    });
    checks.push(...(report.result?.checks ?? [])); // of one that failed nothing: its sites show as missed
  }
  return checks;
}

interface MessageReport {
  state?: string;
  result?: { checks: Checked[] };
}

type Api = (method: string, path: string, body?: object) => Promise<unknown>;

function apiOf(worker: LocalWorker, token: string): Api {
  return async (method, path, body) => {
    const answer = await fetch(worker.url + path, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    if (answer.ok) return answer.json();
    throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  };
}

function isDelivered(queue: unknown): boolean {
  const { ready, delayed, leased } = queue as { ready: object; delayed: number; leased: number };
  return Object.keys(ready).length === 0 && delayed === 0 && leased === 0;
}

/** Waits for it, at most so long: what is missing then shows in the figures. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + GIVE_UP_MS;
  while (!(await holds()) && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
}

function summaryOf(figures: MonitorFigures & { drains: number; seconds: number; redis: string }): string {
  const { turns, checks, missed, repeated, misjudged, outages, alerts, wronglyAlerted, drains, seconds } = figures;
  return [
    `${turns} turns of the ring, ${checks} checks by ${drains} drains in ${WORKERS} Workers, in ${seconds} s on ${figures.redis} Redis`,
    `${missed} times a turn left a site out, ${repeated} times it took one twice, ${misjudged} checks misjudged a site`,
    `${outages} outages, ${alerts} alerts; ${wronglyAlerted} sites were not alerted exactly once for each outage`,
  ].join('\n');
}
