/** The engine: one deployment's queues on its Redis. It composes store, producer and drain; requests and cron ticks use it. */
import { type AuditReport, type AuditRequest, auditWithin } from './audit.ts';
import type { Draft } from './complete.ts';
import { type Config, readConfig } from './config.ts';
import { type Receive, type Received, receive, type Settle, type Settled, settle } from './consumer.ts';
import type { AddressRules } from './destinations/address.ts';
import { withSenders } from './destinations/send.ts';
import { openDisabling } from './disabling.ts';
import { type Budget, openBudget } from './drain/budget.ts';
import type { DrainOptions, DrainReport } from './drain/drain.ts';
import { type Life, lifeOf, MOST_TIMEOUT_MS, wakeFor, wokenLife } from './drain/life.ts';
import { drain } from './drain/pump.ts';
import { BadSettings, StorageError } from './errors.ts';
import { type Inspector, openInspector } from './inspector.ts';
import { definitionsOf } from './limits.ts';
import { logError, logWarning, printFailure } from './log.ts';
import { DRAINED, parseGroupName } from './message.ts';
import { type Operator, openOperator } from './operator.ts';
import { type Enqueued, enqueueDrafts, type RequestName } from './producer.ts';
import type { AnyQueue } from './queue.ts';
import type { Rings } from './ring.ts';
import type { Schedule } from './schedule/definition.ts';
import { consumeFiring, firingStore } from './schedule/firing-store.ts';
import { openSchedules, type Schedules } from './schedule/operate.ts';
import { registrar } from './schedule/register.ts';
import { type Stats, statsOf } from './stats.ts';
import { connect } from './store/client.ts';
import { type Health, healthCheck } from './store/health.ts';
import { openOperations } from './store/operations.ts';
import { openRings } from './store/rings.ts';
import { openScheduleStore } from './store/schedules.ts';
import { recognisedMsFor, scriptRunner } from './store/script.ts';
import { openSessions, type Sessions } from './store/sessions.ts';
import { openStats } from './store/stats.ts';
import { ANYBODYS, openStore, type Store, type SweepAnswer } from './store/store.ts';
import { openTallies } from './store/tallies.ts';
import { openTopicStore } from './store/topics.ts';
import { type Origin, tracedDrain, tracedEnqueue } from './telemetry/traced.ts';
import { openTracing } from './telemetry/tracing.ts';
import { openTopics, type Topics } from './topics.ts';
import type { AnySource } from './webhooks/source.ts';
import { openSources, type Sources } from './webhooks/tally.ts';

export interface SweepReport {
  /** Timers fired. */
  fired: number;
  /** Entries that expired leases gave back. */
  requeued: number;
  dead: number;
  /** What broke an invariant and was mended, or at least reported. */
  repaired: number;
}

export interface Engine {
  readonly config: Config;
  readonly queues: ReadonlyMap<string, AnyQueue>;
  /** Who sends webhooks. */
  readonly sources: Sources;
  /** @throws InvalidMessage, StorageError, RequestMismatch */
  enqueue(drafts: Draft[], name?: RequestName, origin?: Origin): Promise<Enqueued>;
  /** @returns with `wake` where the caller should start a drain. @throws StorageError */
  receive(request: Receive): Promise<Received & { wake?: true }>;
  /** @returns with `wake` where the caller should start a drain. @throws StorageError */
  settle(request: Settle): Promise<Settled & { wake?: true }>;
  readonly operator: Operator;
  readonly inspector: Inspector;
  readonly rings: Rings;
  readonly topics: Topics;
  readonly schedules: Schedules;
  readonly stats: Stats;
  /** Of browsers. */
  readonly sessions: Sessions;
  /** As much of the audit as one invocation may do. @throws StorageError */
  audit(request: AuditRequest): Promise<AuditReport>;
  /** Takes messages until none is ready or the time is over, and sees them to their end. @throws StorageError */
  drain(timeMs: number): Promise<DrainReport>;
  /** What a request wakes behind its answer: it ends before the platform ends it. @throws StorageError */
  drainWoken(): Promise<DrainReport>;
  /** Whether work is left, or became ready, that nobody was woken for. Told once: whoever asks has to start a drain. */
  claimsDrain(): boolean;
  /** Fires everything that is due. @throws StorageError */
  sweep(): Promise<SweepReport>;
  /** What a cron tick does: sweep, and drain if there is work or will be soon. @throws StorageError */
  tick(): Promise<{ sweep: SweepReport; drain?: DrainReport }>;
  /** Whether storage can be trusted. @throws StorageError where it does not answer or may not be written */
  health(): Promise<Health>;
}

/** What a drain needs for itself: sweep, exchanges, and scripts that storage has to be told again. */
const OWN_REQUESTS = 12;
/** At the end of its budget a drain gives its last request this long all the same. */
const LEAST_TIMEOUT_MS = 100;

/**
 * So often an idle sweep leaves its instant, for whoever asks whether cron runs: each time would be a command more. One that
 * folds figures leaves it anyway. A tick comes each minute, so 9.5 minutes are every tenth. noted.lua knows it too.
 */
const NOTE_EVERY_MS = 570_000;

const DAY_MS = 86_400_000;

/** Storage was away when a woken drain began: it tries again so much later, as long as its own time lasts. */
const STORAGE_WAIT_MS = 1_000;

/** An audit answers after so long at the latest, with a cursor where there is more: whoever asked for it still waits. */
const AUDIT_MS = 12_000;

/** What a deployment has besides queues. */
interface Apart {
  sources?: ReadonlyMap<string, AnySource>;
  schedules?: readonly Schedule[];
}

export function openEngine(
  env: unknown,
  defined: ReadonlyMap<string, AnyQueue>,
  { sources = new Map(), schedules = [] }: Apart = {},
): Engine {
  const config = readConfig(env);
  const addresses: AddressRules = { hosts: config.SLUICE_DESTINATION_HOSTS, local: config.SLUICE_DESTINATION_LOCAL };
  const queues = withSenders(defined, addresses, env);
  const delivered = [...queues.values()].filter(({ handler }) => handler !== undefined);
  const requests = delivered.map((queue) => queue.requests);
  const timeoutsMs = delivered.map(({ timeoutMs }) => timeoutMs);
  const most = Math.max(0, ...requests);
  const fewest = Math.min(most, ...requests);
  /** Where each handler needs connections, no more than find theirs. */
  const atOnce = Math.min(config.SLUICE_CONCURRENCY, Math.max(1, Math.floor(config.SLUICE_CONNECTIONS / fewest)));
  const woken = wokenLife(config.SLUICE_DRAIN_MS, timeoutsMs);
  const slow = delivered.find(({ timeoutMs }) => timeoutMs > MOST_TIMEOUT_MS);
  if (slow) {
    const reason = `the timeout of queue "${slow.name}" (${slow.timeoutMs} ms) is more than any drain lives`;
    throw new BadSettings(`SLUICE_DRAIN_MS: ${reason}, which is ${MOST_TIMEOUT_MS} ms`);
  }
  if (most > config.SLUICE_DRAIN_REQUESTS - OWN_REQUESTS) {
    throw new BadSettings(`SLUICE_DRAIN_REQUESTS: a queue's "requests" (${most}) leaves a drain too few`);
  }
  const sendWithin = (msLeft: () => number) =>
    connect({
      url: config.UPSTASH_REDIS_REST_URL,
      token: config.UPSTASH_REDIS_REST_TOKEN,
      timeoutMs: () => Math.max(LEAST_TIMEOUT_MS, Math.min(config.SLUICE_REDIS_TIMEOUT_MS, msLeft())),
    });
  const send = sendWithin(() => config.SLUICE_REDIS_TIMEOUT_MS);
  const prefix = config.SLUICE_PREFIX;
  const policies = definitionsOf(queues.values(), {
    letters: config.SLUICE_DEAD_LETTERS,
    ms: config.SLUICE_DEAD_DAYS * DAY_MS,
  });
  const all = [...queues.values()];
  const recognisedMs = recognisedMsFor(config.SLUICE_REDIS_TIMEOUT_MS);
  const store = openStore({ runner: scriptRunner({ send }), prefix, queues: all, policies, recognisedMs });
  const known = { queues, ids: new Set(schedules.map(({ id }) => id)) };
  const storesFor = ({ onRequest, msLeft }: Budget) => {
    const runner = scriptRunner({ send: sendWithin(msLeft), onRequest, msLeft });
    return {
      store: openStore({ runner, prefix, queues: all, policies, recognisedMs }),
      schedules: openScheduleStore({ runner, prefix }),
    };
  };
  const storeFor = (budget: Budget) => {
    const within = storesFor(budget);
    return firingStore(within.store, within.schedules, known);
  };
  const scheduleStore = openScheduleStore({ runner: scriptRunner({ send }), prefix });
  const consuming = <Answer>(consume: (store: Store) => Promise<Answer>) =>
    consumeFiring(store, scheduleStore, known, consume);
  const register = registrar(schedules, known);
  /** Work is left, or became ready, and nobody was woken for it. */
  let unattended = false;
  const noteWork = () => {
    unattended = true;
  };
  const operations = openOperations({ runner: scriptRunner({ send }), prefix, onWork: noteWork });
  const inspector = openInspector(operations, queues);
  /** Where the next sweep goes on inspecting: that of a new isolate where the last that was noted stood, whoever made it. */
  let place = { cursor: ANYBODYS, round: 0 };
  /** When a sweep was last remembered, by the clock of this isolate. */
  let notedAt = Number.NEGATIVE_INFINITY;
  const sweepWithin = async (budget: Budget, follow?: (swept: SweepAnswer) => Promise<boolean>) => {
    const now = Date.now();
    const note = now - notedAt >= NOTE_EVERY_MS;
    const swept = await sweepAll(storeFor(budget), budget, { ...place, note }, follow);
    if (note) notedAt = now - swept.notedMsAgo;
    place = swept.place;
    if (swept.ready) noteWork();
    return swept;
  };
  const { SLUICE_OTLP_ENDPOINT: endpoint, SLUICE_OTLP_HEADERS: headers } = config;
  /** Of the spans of one drain or enqueue; undefined where traces are off. */
  const batchOf = endpoint === undefined ? undefined : openTracing({ endpoint, headers });
  const budgetFor = (life: Life) =>
    openBudget(
      {
        ...life,
        requests: config.SLUICE_DRAIN_REQUESTS - (batchOf ? 1 : 0), // one is the export's
        requestsPerDelivery: fewest,
        messages: config.SLUICE_DRAIN_MESSAGES,
      },
      Date.now,
    );
  const disablingWithin = ({ msLeft, afford }: Budget) => {
    const runner = scriptRunner({ send: sendWithin(msLeft), repeatAfterMs: [] });
    return openDisabling(openTopicStore({ runner, prefix }), queues, afford);
  };
  const cronBudget = () => budgetFor(lifeOf(config.SLUICE_DRAIN_MS, timeoutsMs));
  const drainOnce = (budget: Budget, pollMs: number, trace: DrainOptions['trace']) => {
    const disabling = disablingWithin(budget);
    return drain({
      store: storeFor(budget),
      pool: DRAINED,
      queues,
      env,
      budget,
      concurrency: atOnce,
      connections: most === 0 ? Number.POSITIVE_INFINITY : config.SLUICE_CONNECTIONS, // none is needed
      batch: config.SLUICE_BATCH,
      leaseMs: config.SLUICE_LEASE_MS,
      pollMs,
      onLeft: (timeoutMs, inMs) => {
        const wake = wakeFor(woken, [timeoutMs]);
        if (wake && inMs <= wake.withinMs) noteWork(); // what a fresh drain cannot take is for cron's
      },
      onTripped: (tripped) => {
        for (const { name, openUntil } of tripped) {
          const { queue, group = '' } = parseGroupName(name);
          if (openUntil)
            logWarning('destination left alone', { queue, group, until: new Date(openUntil).toISOString() });
          else logWarning('destination works again', { queue, group });
        }
      },
      onRefused: ({ message }) => logError(`drain: ${message}`),
      // The kind only: the text of a handler's error may hold anything. It is kept with the message.
      onFailure: (message, { outcome, failure, disables }) => {
        const { queue, id, attempt, maxAttempts } = message;
        const fields = { queue, id, attempt, maxAttempts, kind: failure?.kind ?? '' };
        if (outcome === 'dead' || attempt >= maxAttempts) logError('message dead', fields);
        else logWarning('delivery failed', fields);
        if (config.SLUICE_LOG_ERRORS && failure) printFailure(failure);
        if (disables !== undefined) disabling.note(message, disables);
      },
      keepsStacks: config.SLUICE_FAILURE_STACKS,
      trace,
    }).finally(disabling.ended);
  };
  const drainWithin = (budget: Budget, pollMs = 0) => {
    unattended = false;
    return tracedDrain(batchOf?.(), (trace) => drainOnce(budget, pollMs, trace));
  };
  /** The end of a drain that storage did not answer. */
  const unlooked = (error: unknown): never => {
    noteWork();
    throw error;
  };
  /** What an enqueue of these has to know of the drain it wakes; nothing where its caller cannot keep one alive. */
  const wakeOf = (drafts: Draft[], wakes = true) => {
    const queuesOf = drafts.flatMap(({ queue }) => (queue?.pool === DRAINED ? [queue.timeoutMs] : []));
    if (!wakes && queuesOf.length > 0) noteWork();
    return wakes && wakeFor(woken, queuesOf);
  };

  return {
    config,
    queues,
    sources: openSources(sources, openTallies({ runner: scriptRunner({ send }), prefix, recognisedMs }), env as object),
    enqueue: (drafts, name, origin = {}) =>
      tracedEnqueue(batchOf?.(), drafts, origin, (traceparent) =>
        enqueueDrafts(store, queues, drafts, { ...name, wake: wakeOf(drafts, origin.wakes) }, traceparent),
      ),
    receive: (request) => consuming((firing) => receive(firing, request)),
    settle: (request) => consuming((firing) => settle(firing, request)),
    schedules: openSchedules(scheduleStore, known),
    operator: openOperator(operations, config.SLUICE_DRAIN_REQUESTS - OWN_REQUESTS),
    inspector,
    rings: openRings({ runner: scriptRunner({ send }), prefix }),
    topics: openTopics({
      topics: openTopicStore({ runner: scriptRunner({ send }), prefix }),
      store,
      queues,
      wakeOf,
    }),
    stats: statsOf(openStats({ runner: scriptRunner({ send }), prefix })),
    sessions: openSessions(send, prefix),
    async audit(request) {
      const budget = budgetFor(lifeOf(AUDIT_MS, []));
      const report = await auditWithin(budget, storesFor(budget).store, inspector, request);
      if (request.repair && report.findings.length > 0) noteWork(); // what was mended may be ready
      return report;
    },
    drain: (timeMs) => drainWithin(budgetFor(lifeOf(timeMs, timeoutsMs))),
    async drainWoken() {
      const budget = budgetFor(woken);
      for (;;) {
        try {
          return await drainWithin(budget);
        } catch (error) {
          const isAway = error instanceof StorageError && error.code !== 'refused';
          // Told only now that nobody has looked: while it tries, the next requests need not.
          if (!isAway || budget.isClosing() || budget.msToClosing() < STORAGE_WAIT_MS) return unlooked(error);
          await new Promise((resolve) => setTimeout(resolve, STORAGE_WAIT_MS));
        }
      }
    },
    claimsDrain() {
      const claims = unattended;
      unattended = false;
      return claims;
    },
    sweep: async () => (await sweepWithin(cronBudget())).report,
    async tick() {
      const budget = cronBudget();
      const follow = (swept: SweepAnswer) => register(storesFor(budget).schedules, swept);
      const { report, ready, nextInMs } = await sweepWithin(budget, follow);
      const polls = config.SLUICE_POLL_MS; // only drains of cron poll: there is about one at a time
      if (!ready && nextInMs > budget.msToSleep() && polls === 0) return { sweep: report };
      return { sweep: report, drain: await drainWithin(budget, polls).catch(unlooked) };
    },
    health: healthCheck(send, prefix),
  };
}

/** @param follow what is done when nothing more is due; where it did something another step is */
async function sweepAll(
  store: Store,
  budget: Budget,
  from: { cursor: string; round: number; note: boolean },
  follow = async (_swept: SweepAnswer) => false,
) {
  const report: SweepReport = { fired: 0, requeued: 0, dead: 0, repaired: 0 };
  const first = await store.sweep(DRAINED, from);
  const { cursor, round } = first;
  const kept = { report, place: { cursor, round }, notedMsAgo: first.now - first.notedAt };
  let followed = false;
  for (let swept = first; ; swept = await store.sweep(DRAINED, { round })) {
    report.fired += swept.fired;
    report.requeued += swept.requeued;
    report.dead += swept.dead;
    report.repaired += swept.findings.length;
    for (const { finding, name } of swept.findings) logError('sweep repaired', { finding, name });
    const nextInMs = swept.nextDue === undefined ? Number.POSITIVE_INFINITY : swept.nextDue - swept.now;
    const fired = swept.fired > 0 && nextInMs <= 0;
    let again = fired || swept.schedules !== undefined || swept.unfolded === true; // what was fired may be ready, or due soon again
    if (!again && !followed) {
      again = await follow({ ...first, ...swept });
      followed = true;
    }
    if (!again || budget.isClosing()) return { ...kept, ready: swept.ready, nextInMs };
  }
}
