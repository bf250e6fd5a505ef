/** The engine: one deployment's queues on its Redis. It composes store, producer and drain; requests and cron ticks use it. */
import { type Config, readConfig } from './config.ts';
import { type Budget, openBudget } from './drain/budget.ts';
import { type DrainReport, drain } from './drain/pump.ts';
import { BadSettings } from './errors.ts';
import { logError } from './log.ts';
import { DRAINED } from './message.ts';
import { type Draft, type Enqueued, enqueueDrafts, type RequestName } from './producer.ts';
import type { AnyQueue } from './queue.ts';
import { connect } from './store/client.ts';
import { scriptRunner } from './store/script.ts';
import { openStore, type Store } from './store/store.ts';

export interface SweepReport {
  /** Timers fired. */
  fired: number;
  /** Entries that expired leases gave back. */
  requeued: number;
  dead: number;
}

export interface Engine {
  readonly config: Config;
  readonly queues: ReadonlyMap<string, AnyQueue>;
  /** @throws InvalidMessage, StorageError, RequestMismatch */
  enqueue(drafts: Draft[], name?: RequestName): Promise<Enqueued>;
  /** Works until nothing is ready or the time is over. @throws StorageError */
  drain(timeMs: number): Promise<DrainReport>;
  /** Fires everything that is due. @throws StorageError */
  sweep(): Promise<SweepReport>;
  /** What a cron tick does: sweep, and drain if there is work or will be soon. @throws StorageError */
  tick(): Promise<{ sweep: SweepReport; drain?: DrainReport }>;
  /** One free command. @throws StorageError */
  ping(): Promise<void>;
}

/** What a drain needs for itself: sweep, exchanges, and scripts that storage has to be told again. */
const OWN_REQUESTS = 12;
/** At the end of its budget a drain gives its last request this long all the same. */
const LEAST_TIMEOUT_MS = 100;

/** A drain that a request woke has to end before the platform ends it: 30 s after the response at the latest. */
export const WOKEN_DRAIN_MS = 20_000;

export function openEngine(env: unknown, queues: ReadonlyMap<string, AnyQueue>): Engine {
  const config = readConfig(env);
  const requestsPerDelivery = Math.max(0, ...[...queues.values()].map(({ requests }) => requests));
  if (requestsPerDelivery > config.SLUICE_DRAIN_REQUESTS - OWN_REQUESTS) {
    throw new BadSettings(
      `SLUICE_DRAIN_REQUESTS: a queue's "requests" (${requestsPerDelivery}) leaves a drain too few`,
    );
  }
  const sendWithin = (msLeft: () => number) =>
    connect({
      url: config.UPSTASH_REDIS_REST_URL,
      token: config.UPSTASH_REDIS_REST_TOKEN,
      timeoutMs: () => Math.max(LEAST_TIMEOUT_MS, Math.min(config.SLUICE_REDIS_TIMEOUT_MS, msLeft())),
    });
  const send = sendWithin(() => config.SLUICE_REDIS_TIMEOUT_MS);
  const store = openStore({ runner: scriptRunner({ send }), prefix: config.SLUICE_PREFIX });
  const storeFor = ({ onRequest, msLeft }: Budget) =>
    openStore({ runner: scriptRunner({ send: sendWithin(msLeft), onRequest, msLeft }), prefix: config.SLUICE_PREFIX });
  const budgetFor = (timeMs: number) =>
    openBudget(
      {
        timeMs,
        requests: config.SLUICE_DRAIN_REQUESTS,
        requestsPerDelivery,
        messages: config.SLUICE_DRAIN_MESSAGES,
      },
      Date.now,
    );
  const drainWithin = (budget: Budget) =>
    drain({
      store: storeFor(budget),
      pool: DRAINED,
      queues,
      env,
      budget,
      concurrency: config.SLUICE_CONCURRENCY,
      batch: config.SLUICE_BATCH,
      leaseMs: config.SLUICE_LEASE_MS,
      // The kind only: the text of a handler's error may hold anything. It is kept with the message.
      onFailure: ({ queue, id, attempt }, { outcome, failure }) =>
        logError(`${queue} ${id}: attempt ${attempt} ${failure?.kind}${outcome === 'dead' ? ', dead' : ''}`),
    });

  return {
    config,
    queues,
    enqueue: (drafts, name) => enqueueDrafts(store, drafts, name),
    drain: (timeMs) => drainWithin(budgetFor(timeMs)),
    sweep: async () => (await sweepAll(store, budgetFor(config.SLUICE_DRAIN_MS))).report,
    async tick() {
      const budget = budgetFor(config.SLUICE_DRAIN_MS);
      const { report, ready, nextInMs } = await sweepAll(storeFor(budget), budget);
      if (!ready && nextInMs > budget.msLeft()) return { sweep: report };
      return { sweep: report, drain: await drainWithin(budget) };
    },
    async ping() {
      await send(['PING']);
    },
  };
}

async function sweepAll(store: Store, budget: Budget) {
  const report: SweepReport = { fired: 0, requeued: 0, dead: 0 };
  for (;;) {
    const { now, nextDue, fired, requeued, dead, ready } = await store.sweep(DRAINED);
    report.fired += fired;
    report.requeued += requeued;
    report.dead += dead;
    const nextInMs = nextDue === undefined ? Number.POSITIVE_INFINITY : nextDue - now;
    if (fired === 0 || nextInMs > 0 || budget.isClosing()) return { report, ready, nextInMs };
  }
}
