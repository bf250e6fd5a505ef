/** The engine: one deployment's queues on its Redis. It composes store, producer and drain; requests and cron ticks use it. */

import { type Admin, openAdmin } from './broker/admin.ts';
import { type AuditReport, type AuditRequest, auditWithin } from './broker/audit.ts';
import { type Receive, type Received, receive, type Settle, type Settled, settle } from './broker/consumer.ts';
import { MOST_REQUESTS as INSPECTING, type Inspector, openInspector } from './broker/inspector.ts';
import { type Enqueued, enqueueInputs, type RequestName } from './broker/producer.ts';
import type { MessageInput } from './broker/validate.ts';
import { type Config, readConfig } from './config/config.ts';
import { withSenders } from './delivery/http.ts';
import { type Budget, openBudget } from './drain/budget.ts';
import type { Attention, DrainOptions, DrainReport } from './drain/drain.ts';
import type { Round, Watch } from './drain/drainer.ts';
import { type Drainers, drainersOf } from './drain/drainers.ts';
import { openKeptOutcomes } from './drain/kept.ts';
import { ASKED_MS, alarmLife, type Life, lifeOf, MOST_TIMEOUT_MS, wakeFor, wokenLife } from './drain/life.ts';
import { drain } from './drain/loop.ts';
import { BadSettings, StorageError } from './errors.ts';
import type { AddressRules } from './formats/address.ts';
import { openSessions, type Sessions } from './http/session-store.ts';
import { logError, logWarning, nameOfError, printFailure } from './log.ts';
import { PUSH_POOL, parseGroupName } from './message/lane.ts';
import { definitionsOf } from './queue/limits.ts';
import type { AnyQueue } from './queue/queue.ts';
import { connect } from './redis/connect.ts';
import { type Health, healthCheck } from './redis/health.ts';
import { recognisedMsFor, scriptRunner } from './redis/runner.ts';
import type { Send } from './redis/send.ts';
import type { Rings } from './rings/ring.ts';
import { openRings } from './rings/store.ts';
import { Invocation } from './runtime/invocation.ts';
import { sleep } from './runtime/sleep.ts';
import { isOutOfSubrequests } from './runtime/subrequests.ts';
import { FLOATING, type Waits } from './runtime/wait-until.ts';
import { openSchedules, type Schedules } from './schedules/admin.ts';
import type { Schedule } from './schedules/definition.ts';
import { consumeFiring, firingStore } from './schedules/firing-store.ts';
import { registrar } from './schedules/register.ts';
import { openScheduleStore } from './schedules/store.ts';
import { type Stats, statsOf } from './stats/stats.ts';
import { openStats } from './stats/store.ts';
import { openAdminStore } from './store/admin.ts';
import { openStore, type Store } from './store/store.ts';
import { ANYBODYS, type SweepAnswer } from './store/sweep.ts';
import { type Origin, tracedDrain, tracedEnqueue } from './telemetry/traced.ts';
import { openTracing } from './telemetry/tracing.ts';
import { openDisabling } from './topics/disabling.ts';
import { openTopicStore } from './topics/store.ts';
import { openTopics, type Topics } from './topics/topics.ts';
import { openSources, type Sources } from './webhooks/counters.ts';
import { openSourceCounters } from './webhooks/counters-store.ts';
import type { AnySource } from './webhooks/source.ts';

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
  /** The same as one caller has it: see Caller. What a caller makes ready wakes a drain by itself, where it can keep one alive. */
  under(caller: Caller): Engine;
  readonly config: Config;
  readonly queues: ReadonlyMap<string, AnyQueue>;
  /** Who sends webhooks. */
  readonly sources: Sources;
  /**
   * Sees to it that this ends though the answer is sent, or the caller hangs up: the platform cancels all else then. Where no platform
   * keeps anything alive it just goes on.
   */
  keepAlive(work: Promise<unknown>): void;
  /** @throws InvalidMessage, StorageError, RequestMismatch */
  enqueue(inputs: MessageInput[], name?: RequestName, origin?: Origin): Promise<Enqueued>;
  /** @throws StorageError */
  receive(request: Receive): Promise<Received>;
  /** @throws StorageError */
  settle(request: Settle): Promise<Settled>;
  readonly admin: Admin;
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
  /**
   * What a request wakes behind its answer: it ends before the platform ends it. Where one is at work under this invocation, that
   * looks again instead.
   * @returns undefined where none began
   * @throws StorageError
   */
  drainWoken(): Promise<DrainReport | undefined>;
  /** Starts a drain for what nobody was woken for, if there is anything, and tells a drainer of what is due. */
  attendClaims(): void;
  /** What the alarm of a drainer runs: it takes as much as a drain of cron. @throws StorageError */
  drainAlarmed(watch: Watch): Promise<Round>;
  /** Where some are bound. */
  readonly drainers: Drainers | undefined;
  /** Whether `attendClaims` would do something. */
  hasClaims(): boolean;
  /** Whether work is left, or became ready, that nobody was woken for. Told once: whoever asks has to start a drain. */
  claimsDrain(): boolean;
  /** When something is due that a drainer has to be told of, epoch ms; Infinity: nothing is. Told once. */
  claimsDue(): number;
  /** Fires everything that is due. @throws StorageError */
  sweep(): Promise<SweepReport>;
  /**
   * What a cron tick does: sweep, and drain if there is work or will be soon.
   * @param asked by a request, which waits for it: it ends in time for that
   * @throws StorageError
   */
  tick(asked?: 'asked'): Promise<{ sweep: SweepReport; drain?: DrainReport }>;
  /** Whether storage can be trusted. @throws StorageError where it does not answer or may not be written */
  health(): Promise<Health>;
}

/** Who asks something of the engine: a request, a tick, or code of the Worker. */
export interface Caller {
  /** Its requests are counted there, and its drains share what they leave. */
  invocation: Invocation;
  /** What keeps work alive behind its answer. Without one it wakes no drain, which would end with it: others do. */
  context?: Waits | undefined;
  /** It is code of the Worker: it may go on to enqueue, and drains leave it some requests for that. */
  isCode?: boolean;
}

/** What a drain needs for itself: sweep, syncs, and scripts that storage has to be told again. */
const OWN_REQUESTS = 12;
/** At the end of its budget a drain gives its last request this long all the same. */
const LEAST_TIMEOUT_MS = 100;

/**
 * So often an idle sweep leaves its instant, for whoever asks whether cron runs: each time would be a command more. One that
 * rolls up counters leaves it anyway. A tick comes each minute, so 9.5 minutes are every tenth. noted.lua knows it too.
 */
const NOTE_EVERY_MS = 570_000;

const DAY_MS = 86_400_000;

/** Storage was away when a woken drain began: it tries again so much later, as long as its own time lasts. */
const STORAGE_WAIT_MS = 1_000;

/** Cron tells a drainer of what is due so soon: before that another tick would not. */
const TOLD_MS = 120_000;

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
  const requests = delivered.map((queue) => queue.subrequests);
  const timeoutsMs = delivered.map(({ timeoutMs }) => timeoutMs);
  const most = Math.max(0, ...requests);
  const fewest = Math.min(most, ...requests);
  /** Where each handler needs connections, no more than find theirs. */
  const atOnce = Math.min(config.SLUICE_CONCURRENCY, Math.max(1, Math.floor(config.SLUICE_CONNECTIONS / fewest)));
  const woken = wokenLife(config.SLUICE_DRAIN_MS, timeoutsMs);
  const alarmed = alarmLife(config.SLUICE_DRAIN_MS, timeoutsMs);
  const drainers = drainersOf(env as object, config.SLUICE_DRAINERS);
  /** Of a drain that is woken now. */
  const fresh = drainers ? alarmed : woken;
  const slow = delivered.find(({ timeoutMs }) => timeoutMs > MOST_TIMEOUT_MS);
  if (slow) {
    const reason = `the timeout of queue "${slow.name}" (${slow.timeoutMs} ms) is more than any drain lives`;
    throw new BadSettings(`SLUICE_DRAIN_MS: ${reason}, which is ${MOST_TIMEOUT_MS} ms`);
  }
  if (most > config.SLUICE_DRAIN_REQUESTS - OWN_REQUESTS) {
    throw new BadSettings(`SLUICE_DRAIN_REQUESTS: a queue's "subrequests" (${most}) leaves a drain too few`);
  }
  const sendWithin = (msLeft: () => number) =>
    connect({
      url: config.UPSTASH_REDIS_REST_URL,
      token: config.UPSTASH_REDIS_REST_TOKEN,
      timeoutMs: () => Math.max(LEAST_TIMEOUT_MS, Math.min(config.SLUICE_REDIS_TIMEOUT_MS, msLeft())),
    });
  const send = sendWithin(() => config.SLUICE_REDIS_TIMEOUT_MS);
  const prefix = config.SLUICE_PREFIX;
  const format = { isKnown: false };
  const policies = definitionsOf(queues.values(), {
    letters: config.SLUICE_DEAD_LETTERS,
    ms: config.SLUICE_DEAD_DAYS * DAY_MS,
  });
  const all = [...queues.values()];
  const recognisedMs = recognisedMsFor(config.SLUICE_REDIS_TIMEOUT_MS);
  const known = { queues, ids: new Set(schedules.map(({ id }) => id)) };
  /** Work is left, or became ready, and nobody was woken for it. */
  let unattended = false;
  const noteWork = () => {
    unattended = true;
  };
  const claimsDrain = () => {
    const claims = unattended;
    unattended = false;
    return claims;
  };
  /** When something is due that no drainer was told of. */
  let dueAt = Number.POSITIVE_INFINITY;
  const noteDue = <Answer extends { dueInMs?: number }>(answer: Answer): Answer => {
    if (drainers && answer.dueInMs !== undefined) dueAt = Math.min(dueAt, Date.now() + answer.dueInMs);
    return answer;
  };
  const claimsDue = () => {
    const claimed = dueAt;
    dueAt = Number.POSITIVE_INFINITY;
    return claimed;
  };
  const tellSpent = ({ requests: counted }: Invocation, names: string[] = []) => {
    noteWork();
    const allowed = config.SLUICE_DRAIN_REQUESTS;
    const told = names.map((name) => `${name} (subrequests: ${queues.get(name)?.subrequests})`).join(', ');
    const advice =
      counted < allowed
        ? 'set "subrequests" of these queues to what a delivery makes, and SLUICE_DRAIN_REQUESTS lower by what other code makes'
        : 'set SLUICE_DRAIN_REQUESTS lower, or the limit of the platform higher';
    logError('subrequests used up', { counted, allowed, queues: told, advice });
  };
  /** Where no drain looks itself whether the platform refuses. */
  const noticing =
    (invocation: Invocation, sending: Send): Send =>
    async (command) => {
      try {
        return await sending(command);
      } catch (error) {
        if (isOutOfSubrequests(error) && !invocation.isSpent) {
          invocation.isSpent = true;
          tellSpent(invocation);
        }
        throw error;
      }
    };
  const storesFor = ({ onRequest, msLeft }: Budget, sending: Send) => {
    const runner = scriptRunner({ send: sending, format, onRequest, msLeft });
    return {
      store: openStore({ runner, prefix, queues: all, policies, recognisedMs }),
      schedules: openScheduleStore({ runner, prefix }),
    };
  };
  const noticedStores = (budget: Budget) => storesFor(budget, noticing(budget.invocation, sendWithin(budget.msLeft)));
  const firing = (stores: ReturnType<typeof storesFor>) => firingStore(stores.store, stores.schedules, known);
  const register = registrar(schedules, known);
  const kept = openKeptOutcomes();
  /** Where the next sweep goes on inspecting: that of a new isolate where the last that was noted stood, whoever made it. */
  let place = { cursor: ANYBODYS, round: 0 };
  /** When a sweep was last remembered, by the clock of this isolate. */
  let notedAt = Number.NEGATIVE_INFINITY;
  const sweepWithin = async (budget: Budget, follow?: (swept: SweepAnswer) => Promise<boolean>) => {
    const now = Date.now();
    const note = now - notedAt >= NOTE_EVERY_MS;
    const store = firing(noticedStores(budget));
    await kept.settle(store);
    const swept = await sweepAll(store, budget, { ...place, note }, follow);
    if (note) notedAt = now - swept.notedMsAgo;
    place = swept.place;
    if (swept.ready) noteWork();
    return swept;
  };
  const { SLUICE_OTLP_ENDPOINT: endpoint, SLUICE_OTLP_HEADERS: headers } = config;
  /** Of the spans of one drain or enqueue; undefined where traces are off. */
  const batchOf = endpoint === undefined ? undefined : openTracing({ endpoint, headers });
  const budgetFor = (
    life: Life,
    invocation: Invocation,
    { reserved = 0, start }: { reserved?: number; start?: number } = {},
  ) =>
    openBudget(
      {
        ...life,
        requests: config.SLUICE_DRAIN_REQUESTS - (batchOf ? 1 : 0) - reserved, // one is the export's
        requestsPerDelivery: fewest,
        messages: config.SLUICE_DRAIN_MESSAGES,
      },
      Date.now,
      invocation,
      start,
    );
  const cronBudget = (invocation: Invocation) => budgetFor(lifeOf(config.SLUICE_DRAIN_MS, timeoutsMs), invocation);
  const askedLife = wokenLife(config.SLUICE_DRAIN_MS, timeoutsMs, ASKED_MS);
  const disablingWithin = ({ msLeft, afford }: Budget) => {
    const runner = scriptRunner({ send: sendWithin(msLeft), format, repeatAfterMs: [] });
    return openDisabling(openTopicStore({ runner, prefix }), queues, afford);
  };
  /** What a drain of this life cannot take is for cron's. */
  const leftFor = (life: Life) => (timeoutMs: number, inMs: number) => {
    const wake = wakeFor(life, [timeoutMs]);
    if (wake && inMs <= wake.withinMs) noteWork();
  };
  const drainOnce = async (budget: Budget, attention: Attention, more: Partial<DrainOptions>) => {
    const disabling = disablingWithin(budget);
    const store = firing(storesFor(budget, sendWithin(budget.msLeft)));
    await kept.settle(store);
    return drain({
      store,
      attention,
      pool: PUSH_POOL,
      queues,
      env,
      budget,
      concurrency: atOnce,
      connections: most === 0 ? Number.POSITIVE_INFINITY : config.SLUICE_CONNECTIONS, // none is needed
      batch: config.SLUICE_BATCH,
      leaseMs: config.SLUICE_LEASE_MS,
      onLeft: leftFor(fresh),
      onDue: (dueInMs) => noteDue({ dueInMs }),
      onTripped: (tripped) => {
        for (const { name, openUntil } of tripped) {
          const { queue, group = '' } = parseGroupName(name);
          if (openUntil)
            logWarning('destination left alone', { queue, group, until: new Date(openUntil).toISOString() });
          else logWarning('destination works again', { queue, group });
        }
      },
      onRefused: ({ message }) => logError(`drain: ${message}`),
      onSpent: (names) => tellSpent(budget.invocation, names),
      onUnsettled: kept.keep,
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
      ...more,
    }).finally(disabling.ended);
  };
  const drainWithin = (budget: Budget, attention: Attention, more: Partial<DrainOptions> = {}) => {
    unattended = false;
    return tracedDrain(batchOf?.(), (trace) => drainOnce(budget, attention, { ...more, trace }));
  };
  /** The drain at work under an invocation. */
  const attended = new WeakMap<Invocation, Attention>();
  const attending = async <Result>(
    invocation: Invocation,
    work: (attention: Attention, of: Invocation) => Promise<Result>,
    attention: Attention = { asked: false },
  ) => {
    attended.set(invocation, attention);
    try {
      return await work(attention, invocation);
    } finally {
      attended.delete(invocation);
      if (attention.asked) noteWork();
    }
  };
  /** The end of a drain that storage did not answer. */
  const unlooked = (error: unknown): never => {
    noteWork();
    throw error;
  };
  /** One drain after the other, as long as somebody asks and there is time: they share what the invocation may use. */
  const drainUnder = async (invocation: Invocation, attention: Attention): Promise<DrainReport | undefined> => {
    const start = Date.now();
    for (;;) {
      const begunAt = Date.now();
      const budget = budgetFor(woken, invocation, { start });
      let report: DrainReport | undefined;
      try {
        if (!budget.isClosing()) report = await drainWithin(budget, attention, { onLeft: leftFor(woken) });
      } catch (error) {
        const isAway = error instanceof StorageError && !error.isFinal && error.code !== 'subrequests';
        // Told only now that nobody has looked: while it tries, the next requests need not.
        if (!isAway || budget.isClosing() || budget.msToClosing() < STORAGE_WAIT_MS) return unlooked(error);
        await sleep(STORAGE_WAIT_MS);
        continue;
      }
      // What was left to its caller it may use when that has ended.
      const isLeft = report?.ended === 'budget' && invocation.callerEndsIn(begunAt) > 0;
      const waitMs = report?.ended === 'idle' ? 0 : invocation.callerEndsIn(Date.now());
      const goesOn = waitMs > 0 || isLeft || (report && attention.asked);
      if (!goesOn || invocation.isSpent || budget.msToClosing() <= waitMs) {
        if (!report) noteWork();
        return report;
      }
      if (waitMs > 0) await sleep(waitMs);
    }
  };
  /** @returns whether one looks then: whatever is noted for later it finds by itself */
  const wakeDrainer = async (at: number, invocation?: Invocation): Promise<boolean> => {
    if (!drainers) return false;
    if (at <= Date.now()) unattended = false;
    if (at <= dueAt) dueAt = Number.POSITIVE_INFINITY;
    if (invocation) invocation.requests += 1;
    return drainers.wake(at);
  };
  /** What a drain has left, or put off, is for a drainer. */
  const handOn = async (invocation: Invocation) => {
    const isLeft = claimsDrain();
    const at = isLeft ? Date.now() : claimsDue();
    if (at < Number.POSITIVE_INFINITY && !(await wakeDrainer(at, invocation)) && isLeft) noteWork();
  };
  /** What an enqueue of these has to know of the drain it wakes; nothing where its caller cannot keep one alive. */
  const wakeOf = (inputs: MessageInput[], wakes: boolean) => {
    const queuesOf = inputs.flatMap(({ queue }) => (queue?.pool === PUSH_POOL ? [queue.timeoutMs] : []));
    if (!wakes && queuesOf.length > 0) noteWork();
    return wakes && wakeFor(fresh, queuesOf);
  };

  const counting = openSources(
    sources,
    openSourceCounters({ runner: scriptRunner({ send, format }), prefix, recognisedMs }),
    env as object,
  );
  const health = healthCheck(send, prefix, { monthlyCommands: config.SLUICE_MONTHLY_COMMANDS });

  /** @param caller without one each drain has an invocation of its own, and whoever asks starts them by itself */
  const under = (caller?: Caller): Engine => {
    const { invocation: shared, context, isCode = false } = caller ?? {};
    const invocation = () => shared ?? new Invocation();
    const wakes = !caller || context !== undefined;
    const runner = shared
      ? scriptRunner({
          format,
          send: noticing(shared, send),
          onRequest: () => {
            shared.requests += 1;
          },
        })
      : scriptRunner({ send, format });
    const store = lazily(() => openStore({ runner, prefix, queues: all, policies, recognisedMs }));
    const scheduleStore = lazily(() => openScheduleStore({ runner, prefix }));
    const adminStore = lazily(() => openAdminStore({ runner, prefix, onWork: noteWork }));
    const inspector = lazily(() => openInspector(adminStore(), queues));
    const admin = lazily((): Admin => {
      const opened = openAdmin(adminStore(), config.SLUICE_DRAIN_REQUESTS - OWN_REQUESTS - (shared?.requests ?? 0));
      return {
        ...opened,
        async override(queue, overrides) {
          await opened.override(queue, overrides);
          if (!overrides.paused && queue.pool === PUSH_POOL) attend(true); // what waited for it may go
        },
        async redrive(...which) {
          const messages = await opened.redrive(...which);
          attend(messages.some(({ status }) => status === 'redriven'));
          return messages;
        },
      };
    });
    const topics = lazily(() => {
      const opened = openTopics({
        topics: openTopicStore({ runner, prefix }),
        store: store(),
        queues,
        wakeOf: (inputs) => wakeOf(inputs, wakes),
        wakes,
      });
      return {
        ...opened,
        publish: (...all: Parameters<Topics['publish']>) => waking(2, () => opened.publish(...all)), // it reads the subscriptions first
      };
    });
    const rings = lazily(() => openRings({ runner, prefix }));
    const stats = lazily(() => statsOf(openStats({ runner, prefix })));
    const schedulesOf = lazily(() => openSchedules(scheduleStore(), known));
    const sessions = lazily(() => openSessions(send, prefix));
    const drainWoken = async () => {
      const of = invocation();
      const atWork = attended.get(of);
      if (!atWork) return attending(of, (attention) => drainUnder(of, attention));
      atWork.asked = true;
      atWork.look?.();
      return undefined;
    };
    /** Wakes a drainer that is bound, for now or for this instant, epoch ms; without one it drains here. */
    const startDrain = async (at: number) => {
      if (await wakeDrainer(at, shared)) return;
      const isFar = at - Date.now() > woken.takesMs; // cron's is the drain for that
      if (!isFar) await drainWoken();
    };
    /** Its failure is told to the log only: the messages are stored, and cron drains them. */
    const wakeDrain = (at: number) =>
      context?.waitUntil(
        startDrain(at).catch((error: unknown) => {
          const reason = error instanceof StorageError ? error.message : nameOfError(error);
          logError('woken drain failed', { reason });
        }),
      );
    /**
     * For what a drain has left, or this caller made ready, or is due later where a drainer has to be told.
     * @param wake whether a drain is wanted in any case: it may be the one that left something, so that stays noted for the next
     */
    const attend = (wake: boolean) => {
      if (!context) return;
      if (wake || claimsDrain()) wakeDrain(Date.now());
      const at = claimsDue();
      if (at < Number.POSITIVE_INFINITY) wakeDrain(at);
    };
    /** @param requests to storage that code of the Worker makes by it */
    const waking = async <Answer extends { wake: boolean; dueInMs?: number }>(
      requests: number,
      work: () => Promise<Answer>,
    ) => {
      if (isCode) shared?.noteCaller(requests, Date.now());
      const answer = noteDue(await work());
      if (isCode) shared?.noteCaller(0, Date.now());
      attend(answer.wake);
      return answer;
    };
    const consuming = async <Answer>(consume: (store: Store) => Promise<Answer>) => {
      const { wake = false, ...answer } = await consumeFiring(store(), scheduleStore(), known, consume);
      attend(wake);
      return answer as Answer;
    };
    return {
      under,
      config,
      queues,
      sources: counting,
      async enqueue(inputs, name, origin = {}) {
        if (shared && batchOf) shared.requests += 1; // the export of its span
        const storing = (traceparent?: string) =>
          enqueueInputs(store(), queues, inputs, { ...name, wake: wakeOf(inputs, wakes) }, traceparent);
        const exporting = { ...origin, waitUntil: (exported: Promise<unknown>) => context?.waitUntil(exported) };
        return waking(1, () => tracedEnqueue(batchOf?.(), inputs, exporting, storing));
      },
      keepAlive: (work) => (context ?? FLOATING).waitUntil(work),
      receive: (request) => consuming((consumed) => receive(consumed, request)),
      settle: (request) => consuming((consumed) => settle(consumed, request)),
      get schedules() {
        return schedulesOf();
      },
      get admin() {
        return admin();
      },
      get inspector() {
        return inspector();
      },
      get rings() {
        return rings();
      },
      get topics() {
        return topics();
      },
      get stats() {
        return stats();
      },
      get sessions() {
        return sessions();
      },
      async audit(request) {
        const budget = budgetFor(lifeOf(AUDIT_MS, []), invocation(), { reserved: INSPECTING });
        const report = await auditWithin(budget, noticedStores(budget).store, inspector(), request);
        if (request.repair && report.findings.length > 0) noteWork(); // what was mended may be ready
        return report;
      },
      drain: (timeMs) =>
        attending(invocation(), (attention, of) => drainWithin(budgetFor(lifeOf(timeMs, timeoutsMs), of), attention)),
      drainWoken,
      attendClaims: () => attend(false),
      async drainAlarmed({ attention: asked, onBusy }) {
        const alarm = (attention: Attention, of: Invocation) =>
          drainWithin(budgetFor(alarmed, of), attention, { onBusy });
        const { delivered, ended } = await attending(invocation(), alarm, asked);
        const isStored = ended !== 'storage';
        const dueInMs = claimsDue() - Date.now();
        return { isFruitful: delivered > 0 && isStored, againInMs: claimsDrain() || !isStored ? 0 : dueInMs };
      },
      drainers,
      hasClaims: () => unattended || dueAt < Number.POSITIVE_INFINITY,
      claimsDrain,
      claimsDue,
      sweep: async () => (await sweepWithin(cronBudget(invocation()))).report,
      async tick(asked) {
        const of = invocation();
        const budget = asked ? budgetFor(askedLife, of) : cronBudget(of);
        const follow = (swept: SweepAnswer) => register(noticedStores(budget).schedules, swept);
        const { report, ready, nextInMs } = await sweepWithin(budget, follow);
        const polls = config.SLUICE_POLL_MS; // only drains of cron poll: there is about one at a time
        if (!ready && polls === 0) {
          if (nextInMs <= TOLD_MS && (await wakeDrainer(Date.now() + nextInMs, of))) return { sweep: report };
          if (nextInMs > budget.msToSleep()) return { sweep: report };
        }
        const drained = attending(of, (attention) => drainWithin(budget, attention, { pollMs: polls }));
        const drainReport = await drained.catch(unlooked);
        await handOn(of);
        return { sweep: report, drain: drainReport };
      },
      health,
    };
  };
  return under();
}

/** Most requests need one or two of what an engine has. */
function lazily<Made>(make: () => Made): () => Made {
  let made: Made | undefined;
  return () => {
    made ??= make();
    return made;
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
  const first = await store.sweep(PUSH_POOL, from);
  const { cursor, round } = first;
  const kept = { report, place: { cursor, round }, notedMsAgo: first.now - first.notedAt };
  let followed = false;
  for (let swept = first; ; swept = await store.sweep(PUSH_POOL, { round })) {
    report.fired += swept.fired;
    report.requeued += swept.requeued;
    report.dead += swept.dead;
    report.repaired += swept.findings.length;
    for (const { finding, name } of swept.findings) logError('sweep repaired', { finding, name });
    const nextInMs = swept.nextDue === undefined ? Number.POSITIVE_INFINITY : swept.nextDue - swept.now;
    const fired = swept.fired > 0 && nextInMs <= 0;
    let again = fired || swept.schedules !== undefined || swept.rollupDue === true; // what was fired may be ready, or due soon again
    if (!again && !followed) {
      again = await follow({ ...first, ...swept });
      followed = true;
    }
    if (!again || budget.isClosing()) return { ...kept, ready: swept.ready, nextInMs };
  }
}
