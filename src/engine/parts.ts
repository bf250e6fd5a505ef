/** The parts of an engine: what is made once for the bindings of a deployment, and shared by all who call. */
import { type Config, readConfig } from '../config/config.ts';
import { withSenders } from '../delivery/http.ts';
import { type Drainers, openDrainers } from '../drain/drainers.ts';
import { logError } from '../log.ts';
import type { HandlerContext } from '../queue/handler.ts';
import { encodeDefinitions } from '../queue/limits.ts';
import type { AnyQueue } from '../queue/queue.ts';
import { refuseRing } from '../queue/ring.ts';
import type { Connect } from '../redis/send.ts';
import type { Shard } from '../redis/shard.ts';
import type { Invocation } from '../runtime/invocation.ts';
import type { Schedule } from '../schedules/schedule.ts';
import { type FleetHealth, fleetHealthCheck } from '../shards/health.ts';
import { PARCEL_QUEUE } from '../shards/parcel.ts';
import type { FireDue } from '../store/due.ts';
import { type Store, storeOpener } from '../store/store.ts';
import { openTracing, type SpanBatch } from '../telemetry/tracing.ts';
import type { Sources } from '../webhooks/counters.ts';
import type { AnySource } from '../webhooks/source.ts';
import { type Capacity, openCapacity } from './capacity.ts';
import { Claims } from './claims.ts';
import { type Drains, openDrains } from './drains.ts';
import { openFanOut, requestsForStarts } from './fan-out.ts';
import { collectFeatures, type Features } from './features.ts';
import { countGroups, openGroups } from './groups.ts';
import { defineParcelQueue } from './parcel-queue.ts';
import { openShards, type Shards } from './shards.ts';
import { openStarter } from './starter.ts';
import { Sweeps, type SweepsOptions } from './sweeps.ts';
import { Waking } from './waking.ts';

/** What a platform brings along. */
export interface PlatformParts {
  /** How storage is reached. Left out: by fetch. */
  connect?: Connect | undefined;
  /** The time that storage is given, epoch ms: that of a test. Left out: its own. */
  clock?: (() => number) | undefined;
  /** Who drains. Left out: the Durable Objects that are bound, where some are. */
  drainers?: Drainers | undefined;
}

/** What a deployment has besides queues. */
export interface EngineOptions extends PlatformParts {
  sources?: ReadonlyMap<string, AnySource>;
  schedules?: readonly Schedule[];
  features?: Features;
}

export interface Parts {
  readonly config: Config;
  readonly queues: ReadonlyMap<string, AnyQueue>;
  /** Of the code. */
  readonly schedules: readonly Schedule[];
  readonly features: Features;
  /** Who sends webhooks, where the deployment takes any. */
  readonly sources: Sources | undefined;
  readonly shards: Shards;
  readonly capacity: Capacity;
  readonly claims: Claims;
  readonly drains: Drains;
  readonly sweeps: Sweeps;
  readonly waking: Waking;
  /** Where some are bound. */
  readonly drainers: Drainers | undefined;
  readonly ring: HandlerContext['ring'];
  openStore(shard: Shard): Store;
  /** Fires schedules that are due. @param wakes whether the caller would start a drain */
  fireOn(shard: Shard, wakes: boolean): FireDue | undefined;
  /** What a tick does with the schedules of the code, behind its sweep. */
  followOn: SweepsOptions['followOn'];
  /** Of the spans of one drain or enqueue; undefined where there are no traces. */
  readonly openSpans: (() => SpanBatch) | undefined;
  /** Whether storage can be trusted. @throws StorageError where it does not answer or may not be written */
  health(): Promise<FleetHealth>;
}

const DAY_MS = 86_400_000;

/** @throws BadSettings */
export function openParts(env: object, defined: ReadonlyMap<string, AnyQueue>, apart: EngineOptions): Parts {
  const config = readConfig(env);
  const { sources = new Map(), schedules = [] } = apart;
  const features = collectFeatures([...schedules, { features: apart.features }]);
  const addresses = { hosts: config.SLUICE_DESTINATION_HOSTS, local: config.SLUICE_DESTINATION_LOCAL };
  const queues = withSenders(defined, addresses, env);
  const drainers =
    apart.drainers ?? openDrainers(env, Math.max(config.SLUICE_DRAINERS, countGroups(config.SLUICE_SHARDS.length)));
  const start = openStarter(config, drainers);
  const groups = openGroups(config.SLUICE_SHARDS.length, start !== undefined);
  const places = Math.max(1, Math.floor(config.SLUICE_DRAINERS / groups.count));
  const capacity = openCapacity(
    config,
    queues.values(),
    drainers !== undefined,
    start && requestsForStarts(places, config.SLUICE_SHARDS.length),
  );
  const claims = new Claims(drainers !== undefined);
  const onSpent = (invocation: Invocation, names: string[] = []) => {
    claims.noteWork();
    logSpent(config, queues, invocation, names);
  };
  const pools = [...queues.values()].map(({ pool }) => pool);
  const shards = openShards(config, pools, onSpent, apart);
  const { rings } = features;
  const ring = rings ? (name: string) => rings(shards.plain, name) : refuseRing;
  const scheduling = features.schedules?.(queues, schedules, shards.plain);
  const fireOn: Parts['fireOn'] = (on, wakes) => scheduling && ((due, now) => scheduling.fire(on, due, now, wakes));
  const followOn: SweepsOptions['followOn'] = (on) => scheduling && ((swept) => scheduling.follow(on, swept));
  const ofAll = { config, queues, features, shards, capacity, claims, drainers, ring };
  const worked = withParcels(queues, shards, claims);
  const opening = { openStore: openStores(config, worked), openSpans: spansOpener(config) };
  // A drain takes by itself what the schedules make that it meets.
  const shared = { ...ofAll, ...opening, queues: worked, fireOn: (on: Shard) => fireOn(on, false) };
  const fanOut = start && openFanOut({ ...ofAll, queues: worked, start, places, groups });
  const drains = openDrains({ ...shared, fanOut, groups, env, onSpent });
  const waking = new Waking({ ...ofAll, drains });
  const { shards: moving } = features;
  const tend: SweepsOptions['tend'] = moving && ((fleet, isClosing) => moving.tend({ fleet, queues, isClosing }));
  const sweeps = new Sweeps({ ...shared, drains, waking, followOn, tend, pollMs: config.SLUICE_POLL_MS });
  return {
    ...ofAll,
    ...opening,
    schedules,
    drains,
    waking,
    sweeps,
    fireOn,
    followOn,
    health: fleetHealthCheck(shards.plain, { monthlyCommands: config.SLUICE_MONTHLY_COMMANDS }),
    sources: features.sources?.(sources, shards.plain, env),
  };
}

/** What drains work on, and storage has to know: where there are several shards, their parcels too. */
function withParcels(queues: Parts['queues'], shards: Shards, { noteWork: onWork }: Claims): Parts['queues'] {
  if (!shards.topology.isMany) return queues;
  return new Map([...queues, [PARCEL_QUEUE, defineParcelQueue({ fleet: shards.forwarding, queues, onWork })]]);
}

function openStores(config: Config, queues: ReadonlyMap<string, AnyQueue>): Parts['openStore'] {
  const kept = { letters: config.SLUICE_DEAD_LETTERS, ms: config.SLUICE_DEAD_DAYS * DAY_MS };
  return storeOpener({ queues: queues.values(), policies: encodeDefinitions(queues.values(), kept) });
}

function spansOpener({ SLUICE_OTLP_ENDPOINT: endpoint, SLUICE_OTLP_HEADERS: headers }: Config): Parts['openSpans'] {
  return endpoint === undefined ? undefined : openTracing({ endpoint, headers });
}

function logSpent(
  { SLUICE_DRAIN_REQUESTS: allowed }: Config,
  known: Parts['queues'],
  { requests: counted }: Invocation,
  names: string[],
): void {
  const queues = names.map((name) => `${name} (subrequests: ${known.get(name)?.subrequests})`).join(', ');
  const advice =
    counted < allowed
      ? 'set "subrequests" of these queues to what a delivery makes, and SLUICE_DRAIN_REQUESTS lower by what other code makes'
      : 'set SLUICE_DRAIN_REQUESTS lower, or the limit of the platform higher';
  logError('subrequests used up', { counted, allowed, queues, advice });
}
