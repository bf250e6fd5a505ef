/** Drains: each is one loop over the shard, with what this deployment adds: its settings, its log, its spans, its features. */
import { prepare } from '../broker/producer.ts';
import type { Config } from '../config/config.ts';
import type { Budget } from '../drain/budget.ts';
import type { Drainers } from '../drain/drainers.ts';
import { wakeFor } from '../drain/life.ts';
import { drain } from '../drain/loop.ts';
import type { Attention, DrainOptions, DrainReport, DrainShard, Unsettled } from '../drain/report.ts';
import { openKeptOutcomes } from '../drain/unsettled.ts';
import { logError, logWarning, nameOfError, printFailure } from '../log.ts';
import { relabel } from '../message/ids.ts';
import { PUSH_POOL, parseGroupName } from '../message/lane.ts';
import type { HandlerContext } from '../queue/handler.ts';
import type { AnyQueue } from '../queue/queue.ts';
import type { Shard } from '../redis/shard.ts';
import type { Invocation } from '../runtime/invocation.ts';
import type { Fleet } from '../shards/fleet.ts';
import { openPlacing } from '../shards/placing.ts';
import type { FireDue } from '../store/due.ts';
import type { Store } from '../store/store.ts';
import { tracedDrain } from '../telemetry/traced.ts';
import type { SpanBatch } from '../telemetry/tracing.ts';
import type { Capacity } from './capacity.ts';
import type { Claims } from './claims.ts';
import type { FanOut, Place } from './fan-out.ts';
import type { Features } from './features.ts';
import type { Groups } from './groups.ts';
import { isAway, type Shards } from './shards.ts';
import { sideBySide } from './side-by-side.ts';

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
  groups: Groups;
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
  extends Pick<
    DrainOptions,
    'onLeft' | 'onBusy' | 'onDue' | 'onAway' | 'onFailure' | 'pollMs' | 'random' | 'handOff' | 'lease' | 'woken'
  > {
  /** Where it was started by another, or stays. */
  place?: Place | undefined;
  /** The place where another has begun it, by which it serves its shards: also when that is given back. */
  begunAt?: number | undefined;
}

export interface Drains {
  /** Settles what earlier drains of this isolate could not, on this shard. @throws StorageError */
  settleKept(shard: DrainShard): Promise<void>;
  /** @throws StorageError */
  run(budget: Budget, attention: Attention, more: OwnOptions): Promise<DrainReport>;
}

export function openDrains(options: DrainsOptions): Drains {
  const { config, queues, shards, claims, features } = options;
  const kept = openKeptOutcomes();
  const fixed = fixedOptions(options, kept.keep);
  /** Where one of several is away, or a drain has something in hand of which nobody else knows, the drain begins all the same. */
  const settleOn = async (served: readonly DrainShard[], hasHandOff: boolean) => {
    for (const result of await sideBySide(served, fixed.mostSyncs, kept.settle)) {
      if (result.status === 'fulfilled') continue;
      const isOfSeveral = served.length > 1 && isAway(result.reason);
      if (!hasHandOff && !isOfSeveral) throw result.reason;
      logWarning('earlier outcomes not settled', { error: nameOfError(result.reason) });
    }
  };
  const run = async (
    budget: Budget,
    attention: Attention,
    { place, begunAt, ...more }: OwnOptions & Pick<DrainOptions, 'trace'>,
  ) => {
    const fleet = shards.ofDrain(budget);
    const group = chooseGroup(
      options.groups,
      fleet.all,
      begunAt ?? place?.number,
      more.handOff?.shard ?? more.woken?.[0],
    );
    const isBegun = begunAt !== undefined || (place?.starts() ?? 0) > 0; // whoever began it sees to others too
    const served = openServed(options, fleet, options.groups.membersOf(group, fleet.all));
    const othersBegun = isBegun ? undefined : beginOthers(options, budget, fleet.all, group, more.woken);
    const disabling = features.topics?.openDisabling(shards.besideDrain(budget), queues, budget.afford);
    await settleOn(served, more.handOff !== undefined);
    const own = {
      onAway: (error) => {
        logWarning('shard does not answer', { shard: error.shard ?? '', reason: error.message });
        claims.noteWork();
        more.onAway?.(error);
      },
      onSpent: (names) => options.onSpent(budget.invocation, names),
      onFailure: (message, settlement) => {
        logFailure(config, message, settlement);
        more.onFailure?.(message, settlement);
        if (settlement.disables !== undefined) disabling?.note(message, settlement.disables);
      },
    } satisfies Partial<DrainOptions>;
    const following = options.fanOut?.follow(budget, group, place);
    const drained = { ...fixed, shards: served, budget, attention, ...more, ...own, onTake: following?.onTake };
    try {
      const report = await drain(drained).finally(disabling?.ended);
      await following?.end(report);
      await othersBegun;
      return report;
    } catch (error) {
      await following?.fail();
      throw error;
    }
  };
  return {
    settleKept: kept.settle,
    run(budget, attention, more) {
      const isClaimed = claims.takeWork(); // it looks: where that work is, is not known
      const { handOff, woken = handOff?.shard === undefined ? undefined : [handOff.shard] } = more;
      const beginning = { ...more, woken: isClaimed ? undefined : woken };
      const work = (trace: DrainOptions['trace']) => run(budget, attention, { ...beginning, trace });
      return tracedDrain(options.openSpans?.(), work, options.drainers?.isResident ? EXPORT_MS : undefined);
    },
  };
}

/** The shards that a drain serves: those of its place, or with the one where it has something in hand, or there is work. */
function chooseGroup(
  groups: Groups,
  all: readonly Shard[],
  place: number | undefined,
  name: string | undefined,
): number {
  if (place !== undefined) return groups.ofPlace(place);
  const at = all.findIndex(({ identity }) => identity.name === name);
  return groups.ofPlace(Math.max(0, at));
}

/** Has drains begin for the shards that this one does not serve, where there is work, or where that is not known. */
async function beginOthers(
  { fanOut, groups }: DrainsOptions,
  budget: Budget,
  all: readonly Shard[],
  own: number,
  woken: readonly string[] | undefined,
): Promise<void> {
  for (let group = 0; group < groups.count; group++) {
    const members = groups.membersOf(group, all);
    const hasWork = members.some(({ identity }) => woken?.includes(identity.name) ?? true);
    if (group !== own && hasWork) await fanOut?.begin(budget, group);
  }
}

function openServed(
  { openStore, fireOn, queues }: DrainsOptions,
  fleet: Fleet,
  shards: readonly Shard[],
): DrainOptions['shards'] {
  const open = (shard: Shard): DrainShard => ({
    name: shard.identity.name,
    store: openStore(shard),
    fire: fireOn(shard),
    ...(fleet.topology.isMany && { prepare: chainedOn(fleet, shard, queues) }),
  });
  return shards.map(open) as [DrainShard, ...DrainShard[]];
}

/** What belongs to another shard goes there in a parcel, under the id that its handler is told. */
function chainedOn(fleet: Fleet, { identity }: Shard, queues: DrainsOptions['queues']): DrainShard['prepare'] {
  const { topology } = fleet;
  const placing = openPlacing(topology, queues);
  return async (input, traceparent) => {
    await fleet.ready();
    const { id, ...prepared } = await prepare(queues, input, traceparent);
    const { message, home } = placing.placeFrom(prepared, identity.name, id);
    return { id: relabel(id, topology.identify(home).label), ...message };
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
    mostSyncs: capacity.mostRequests,
    leases: Math.min(config.SLUICE_LEASES, capacity.mostRequests), // a sync of each may wait for its answer
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
