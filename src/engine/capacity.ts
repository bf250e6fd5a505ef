/** Capacity: how long a drain of this deployment lives, how many messages it handles at once, and what it may use. */
import type { Config } from '../config/config.ts';
import { type Budget, openBudget } from '../drain/budget.ts';
import { ASKED_MS, alarmLife, type Life, MOST_TIMEOUT_MS, planLife, wokenLife } from '../drain/life.ts';
import { BadSettings } from '../errors.ts';
import { DEFAULT_TIMEOUT_MS } from '../queue/limits.ts';
import type { AnyQueue } from '../queue/queue.ts';
import type { Invocation } from '../runtime/invocation.ts';

export interface Capacity {
  readonly lives: Lives;
  /** Handlers at once. */
  readonly concurrency: number;
  readonly connections: number;
  /** The most requests to storage at once: it has a connection of its own beside those of handlers. */
  readonly mostRequests: number;
  /** The most that one invocation delivers. */
  readonly deliveries: number;
  budget(life: Life, invocation: Invocation, apart?: BudgetOptions): Budget;
}

interface BudgetOptions {
  /** When its time began, where that was earlier. */
  start?: number | undefined;
  /** Requests that something else of this invocation makes. */
  reserved?: number;
}

interface Lives {
  cron: Life;
  /** The drain of a tick that a request waits for. */
  asked: Life;
  /** A drain behind the answer of a request. */
  woken: Life;
  alarmed: Life;
  /** The drain that an enqueue wakes. */
  fresh: Life;
}

/** The requests that a drain needs for itself: of each shard a sweep, syncs, and scripts whose text storage has to be sent again. */
export const countOwnRequests = ({ SLUICE_SHARDS: shards }: Pick<Config, 'SLUICE_SHARDS'>): number =>
  8 + 4 * shards.length;

/**
 * @param hasDrainers whether drainers are bound
 * @param kept subrequests that a drain keeps back to start others at its end
 * @throws BadSettings where a queue asks for more than any drain has
 */
export function openCapacity(config: Config, queues: Iterable<AnyQueue>, hasDrainers: boolean, kept = 0): Capacity {
  const delivered = [...queues].filter(({ handler }) => handler !== undefined);
  checkDelivered(config, delivered);
  const hasParcels = config.SLUICE_SHARDS.length > 1; // each may take its time, and makes a request
  const timeoutsMs = [...delivered.map(({ timeoutMs }) => timeoutMs), ...(hasParcels ? [DEFAULT_TIMEOUT_MS] : [])];
  const subrequests = delivered.map((queue) => queue.subrequests);
  const most = Math.max(hasParcels ? 1 : 0, ...subrequests);
  const fewest = Math.min(most, ...subrequests);
  const { SLUICE_DRAIN_MS, SLUICE_WOKEN_MS, SLUICE_CONNECTIONS, SLUICE_CONCURRENCY } = config;
  const alarmed = alarmLife(SLUICE_DRAIN_MS, timeoutsMs);
  const woken = wokenLife(SLUICE_DRAIN_MS, timeoutsMs, SLUICE_WOKEN_MS);
  const exports = config.SLUICE_OTLP_ENDPOINT === undefined ? 0 : 1;
  const allowed = config.SLUICE_DRAIN_REQUESTS - exports - kept;
  return {
    lives: {
      cron: planLife(SLUICE_DRAIN_MS, timeoutsMs),
      asked: wokenLife(SLUICE_DRAIN_MS, timeoutsMs, ASKED_MS),
      woken,
      alarmed,
      fresh: hasDrainers ? alarmed : woken,
    },
    // Where each handler needs connections, no more than find theirs.
    concurrency: Math.min(SLUICE_CONCURRENCY, Math.max(1, Math.floor(SLUICE_CONNECTIONS / fewest))),
    deliveries: Math.min(config.SLUICE_DRAIN_MESSAGES, Math.floor((allowed - countOwnRequests(config)) / fewest)),
    connections: most === 0 ? Number.POSITIVE_INFINITY : SLUICE_CONNECTIONS, // none is needed
    mostRequests: SLUICE_CONNECTIONS + 1,
    budget(life, invocation, { start, reserved = 0 } = {}) {
      const shards = config.SLUICE_SHARDS.length;
      const uses = { requestsPerDelivery: fewest, messages: config.SLUICE_DRAIN_MESSAGES, shards };
      return openBudget({ ...life, ...uses, requests: allowed - reserved }, Date.now, invocation, start);
    },
  };
}

function checkDelivered(config: Config, delivered: AnyQueue[]): void {
  const slow = delivered.find(({ timeoutMs }) => timeoutMs > MOST_TIMEOUT_MS);
  if (slow) {
    const reason = `the timeout of queue "${slow.name}" (${slow.timeoutMs} ms) is more than any drain lives`;
    throw new BadSettings(`SLUICE_DRAIN_MS: ${reason}, which is ${MOST_TIMEOUT_MS} ms`);
  }
  const most = Math.max(0, ...delivered.map(({ subrequests }) => subrequests));
  if (most > config.SLUICE_DRAIN_REQUESTS - countOwnRequests(config)) {
    throw new BadSettings(`SLUICE_DRAIN_REQUESTS: a queue's "subrequests" (${most}) leaves a drain too few`);
  }
}
