/** Drains: each is one loop over the shard, with what this deployment adds: its settings, its log, its spans, its features. */
import type { Config } from '../config/config.ts';
import type { Budget } from '../drain/budget.ts';
import type { Drainers } from '../drain/drainers.ts';
import { wakeFor } from '../drain/life.ts';
import { drain } from '../drain/loop.ts';
import type { Attention, DrainOptions, DrainReport, Unsettled } from '../drain/report.ts';
import { openKeptOutcomes } from '../drain/unsettled.ts';
import { logError, logWarning, nameOfError, printFailure } from '../log.ts';
import { PUSH_POOL, parseGroupName } from '../message/lane.ts';
import type { HandlerContext } from '../queue/handler.ts';
import type { AnyQueue } from '../queue/queue.ts';
import type { Shard } from '../redis/shard.ts';
import type { Invocation } from '../runtime/invocation.ts';
import type { FireDue } from '../store/due.ts';
import type { Store } from '../store/store.ts';
import { tracedDrain } from '../telemetry/traced.ts';
import type { SpanBatch } from '../telemetry/tracing.ts';
import type { Capacity } from './capacity.ts';
import type { Claims } from './claims.ts';
import type { FanOut, Place } from './fan-out.ts';
import type { Features } from './features.ts';
import type { Shards } from './shards.ts';

/** A drain that stays sends its spans so often. */
const EXPORT_MS = 1_000;

export interface DrainsOptions {
  env: unknown;
  config: Config;
  queues: ReadonlyMap<string, AnyQueue>;
  shards: Shards;
  capacity: Capacity;
  claims: Claims;
  features: Features;
  drainers: Drainers | undefined;
  /** Undefined where no drain can start another. */
  fanOut: FanOut | undefined;
  /** For handlers. */
  ring: HandlerContext['ring'];
  openStore(shard: Shard): Store;
  /** Fires the schedules that a drain on this shard meets; undefined where they stay due. */
  fireOn(shard: Shard): FireDue | undefined;
  /** Undefined where no traces are exported. */
  openSpans: (() => SpanBatch) | undefined;
  /** Called where the platform refuses a subrequest, with the queues whose messages were handled lately. */
  onSpent(invocation: Invocation, queues: string[]): void;
}

/** The options that differ from drain to drain. */
interface OwnOptions
  extends Pick<DrainOptions, 'onLeft' | 'onBusy' | 'onDue' | 'onFailure' | 'pollMs' | 'random' | 'handOff' | 'lease'> {
  /** Where it was started by another, or stays. */
  place?: Place | undefined;
}

export interface Drains {
  /** Settles what earlier drains of this isolate could not. @throws StorageError */
  settleKept(store: Store, fire: FireDue | undefined): Promise<void>;
  /** @throws StorageError */
  run(budget: Budget, attention: Attention, more: OwnOptions): Promise<DrainReport>;
}

export function openDrains(options: DrainsOptions): Drains {
  const { config, queues, shards, claims, features } = options;
  const kept = openKeptOutcomes();
  const fixed = fixedOptions(options, kept.keep);
  const run = async (
    budget: Budget,
    attention: Attention,
    { place, ...more }: OwnOptions & Pick<DrainOptions, 'trace'>,
  ) => {
    const [shard] = shards.ofDrain(budget).all;
    const store = options.openStore(shard);
    const fire = options.fireOn(shard);
    const disabling = features.topics?.openDisabling(shards.besideDrain(budget), queues, budget.afford);
    await kept.settle(store, fire).catch((error: unknown) => {
      if (!more.handOff) throw error; // nobody else knows of what this one has in hand
      logWarning('earlier outcomes not settled', { error: nameOfError(error) });
    });
    const own: Partial<DrainOptions> = {
      onSpent: (names) => options.onSpent(budget.invocation, names),
      onFailure: (message, settlement) => {
        logFailure(config, message, settlement);
        more.onFailure?.(message, settlement);
        if (settlement.disables !== undefined) disabling?.note(message, settlement.disables);
      },
    };
    const following = options.fanOut?.follow(budget, place);
    const drained = { ...fixed, store, fire, budget, attention, ...more, ...own, onTake: following?.onTake };
    try {
      const report = await drain(drained).finally(disabling?.ended);
      await following?.end(report);
      return report;
    } catch (error) {
      await following?.fail();
      throw error;
    }
  };
  return {
    settleKept: kept.settle,
    run(budget, attention, more) {
      claims.takeWork(); // it looks
      const work = (trace: DrainOptions['trace']) => run(budget, attention, { ...more, trace });
      return tracedDrain(options.openSpans?.(), work, options.drainers?.isResident ? EXPORT_MS : undefined);
    },
  };
}

function fixedOptions({ config, queues, env, ring, capacity, claims }: DrainsOptions, keep: (kept: Unsettled) => void) {
  const { concurrency, connections } = capacity;
  return {
    pool: PUSH_POOL,
    queues,
    env,
    ring,
    concurrency,
    connections,
    needsMs: longestFor(capacity, queues),
    batch: config.SLUICE_BATCH,
    leases: Math.min(config.SLUICE_LEASES, config.SLUICE_CONNECTIONS + 1), // a sync of each may wait for its answer
    leaseMs: config.SLUICE_LEASE_MS,
    keepsStacks: config.SLUICE_FAILURE_STACKS,
    onDue: claims.noteDue,
    onTransitions: logTripped,
    onRefused: ({ message }) => logError(`drain: ${message}`),
    onUnsettled: keep,
  } satisfies Partial<DrainOptions>;
}

function longestFor({ lives }: Capacity, queues: DrainsOptions['queues']): number {
  const delivered = [...queues.values()].filter(({ pool, handler }) => pool === PUSH_POOL && handler);
  const wake = wakeFor(
    lives.fresh,
    delivered.map(({ timeoutMs }) => timeoutMs),
  );
  return wake ? wake.needsMs : 0;
}

function logTripped(transitions: Parameters<NonNullable<DrainOptions['onTransitions']>>[0]): void {
  for (const { name, openUntil } of transitions) {
    const { queue, group = '' } = parseGroupName(name);
    if (openUntil) logWarning('destination left alone', { queue, group, until: new Date(openUntil).toISOString() });
    else logWarning('destination works again', { queue, group });
  }
}

/** Only the kind of a failure is logged: the text of a handler's error may hold anything. It is kept with the message. */
function logFailure(
  { SLUICE_LOG_ERRORS: isPrinted }: Config,
  ...[message, { outcome, failure }]: Parameters<NonNullable<DrainOptions['onFailure']>>
): void {
  const { queue, id, attempt, maxAttempts } = message;
  const fields = { queue, id, attempt, maxAttempts, kind: failure?.kind ?? '' };
  if (outcome === 'dead' || attempt >= maxAttempts) logError('message dead', fields);
  else logWarning('delivery failed', fields);
  if (isPrinted && failure) printFailure(failure);
}
