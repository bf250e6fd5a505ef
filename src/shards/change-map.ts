/**
 * Changing the map over all shards: what must not move at once is pinned by the same change, and no two callers can make different maps
 * of one epoch.
 */
import { StorageError } from '../errors.ts';
import { PUSH_POOL } from '../message/lane.ts';
import type { Shard } from '../redis/shard.ts';
import { openAdminStore } from '../store/admin.ts';
import { putMap, readMap } from '../store/map.ts';
import type { Fleet } from './fleet.ts';
import { groupsOn } from './groups.ts';
import { findLimited } from './limited.ts';
import { homeIn, type Pin, parseMap, type ShardMap, writeMap } from './map.ts';
import { type MapChange, nextMap } from './next-map.ts';
import { PARCEL_QUEUE } from './parcel.ts';
import type { Place } from './placement.ts';
import { isBound, type PartitionedQueue, placeOf } from './places.ts';
import type { PartitionedQueues } from './placing.ts';
import { listThings } from './things.ts';

export interface ChangeOptions {
  fleet: Fleet;
  queues: PartitionedQueues;
  /** Names of shards that are asked nothing: their databases are lost. */
  lost?: readonly string[];
}

/** So often a change is made anew where another came first. */
const TRIES = 5;

/**
 * Makes a change, and has all shards know of it. A call that ended half-way is finished by a repeat, or by a tick.
 * @param change a chain of changes makes one map
 * @throws RangeError that says why it cannot be made; StorageError where a shard is away: before the first write nothing is changed
 */
export async function changeMap(options: ChangeOptions, ...changes: MapChange[]): Promise<ShardMap> {
  const { fleet, lost = [] } = options;
  const { topology } = fleet;
  await fleet.ready();
  for (let tries = 0; tries < TRIES; tries++) {
    const shards = fleet.all.filter(({ identity }) => !lost.includes(identity.name));
    await readAll(fleet, shards);
    const { map } = topology;
    const next = await composeNext(options, shards, map, changes);
    const [agreed, ...others] = orderFor(map, next, shards);
    if (!agreed) throw new RangeError('no shard is left');
    const { stored } = await putMap(agreed, writeMap(next), next.epoch);
    topology.adopt(parseMap(stored));
    if (stored !== writeMap(next)) continue; // another change came first
    await putEach(others, next);
    return next;
  }
  throw new StorageError('garbled', 'the map of the shards changes all the time');
}

/** What is known is the newest map of all. @throws StorageError where one of them does not answer */
async function readAll({ topology }: Fleet, shards: readonly Shard[]): Promise<void> {
  const read = await settleAll(shards, readMap);
  for (const text of read) if (text !== undefined) topology.adopt(parseMap(text));
}

/** Homes are lost first: who knows the older map cannot store there any more when others begin to store elsewhere. */
function orderFor(map: ShardMap, next: ShardMap, shards: readonly Shard[]): Shard[] {
  const [agreed, ...others] = shards;
  const stateIn = ({ shards: entries }: ShardMap, name: string) => entries.find((shard) => shard.name === name)?.state;
  const rank = ({ identity: { name } }: Shard) => {
    const [before, after] = [stateIn(map, name), stateIn(next, name)];
    if (before !== after && after !== 'active') return 0;
    return before === 'active' ? 1 : 2;
  };
  return agreed ? [agreed, ...others.toSorted((one, other) => rank(one) - rank(other))] : [];
}

/** One after the other, in their order; who is away is told at the end. */
async function putEach(shards: readonly Shard[], map: ShardMap): Promise<void> {
  let failure: unknown;
  for (const shard of shards) {
    try {
      await putMap(shard, writeMap(map), map.epoch);
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure) throw failure;
}

async function settleAll<Answer>(shards: readonly Shard[], ask: (shard: Shard) => Promise<Answer>): Promise<Answer[]> {
  const results = await Promise.allSettled(shards.map(ask));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  return results.map((result) => (result as PromiseFulfilledResult<Answer>).value);
}

/** The pins of one change are found by what would move without them. */
async function composeNext(
  options: ChangeOptions,
  shards: readonly Shard[],
  map: ShardMap,
  changes: readonly MapChange[],
): Promise<ShardMap> {
  const nowMs = Date.now();
  let next = map;
  for (const change of changes) {
    const bare = nextMap(next, change, nowMs);
    if (bare === next) continue;
    const pins = isLift(change) ? [] : await findPins(options, shards, next, bare);
    next = nextMap(next, { ...change, pins: [...(change.pins ?? []), ...pins] }, nowMs);
  }
  return next;
}

/** It is known already that what its pins are for may move. */
function isLift(change: MapChange): boolean {
  const named = change.kind === 'unpin' ? change.unpin : change.kind === 'pin' ? (change.pins ?? []) : [];
  return named.length > 0 && named.every(({ until }) => until !== undefined);
}

/** What stays where it is until that is empty: what has an order, limits or consumers elsewhere, and what is one thing in storage. */
async function findPins(
  { queues }: ChangeOptions,
  shards: readonly Shard[],
  map: ShardMap,
  next: ShardMap,
): Promise<Pin[]> {
  const known = await settleAll(shards, (shard) => openAdminStore(shard).names([...queues.keys()]));
  const limited = await findLimited(shards[0] as Shard);
  const pins: Pin[] = [];
  const stay = (place: Place, shard: string) => pins.push({ place, shard, until: 'empty' });
  const pools = new Map(known.flat().map(({ name, pool }) => [name, pool]));
  pools.delete(PARCEL_QUEUE);
  for (const name of new Set([...queues.keys(), ...pools.keys()])) {
    const queue = queues.get(name);
    const pool = queue?.pool ?? pools.get(name);
    const place = placeOf({ name }, {}, '');
    const isKept = !queue || isBound(queue) || pool !== PUSH_POOL || limited.has(name);
    const home = homeIn(map, place);
    if (queue?.partition !== 'any' && isKept && homeIn(next, place) !== home) stay(place, home);
    if (queue?.partition === 'group') for (const pin of await findGroupPins(shards, queue, map, next)) pins.push(pin);
  }
  for (const shard of shards) {
    const { name } = shard.identity;
    for (const place of await listThings(shard)) {
      if (homeIn(map, place) === name && homeIn(next, place) !== name) stay(place, name);
    }
  }
  return pins.filter(({ shard }) => next.shards.some(({ name, state }) => name === shard && state !== 'gone'));
}

async function findGroupPins(
  shards: readonly Shard[],
  queue: PartitionedQueue,
  map: ShardMap,
  next: ShardMap,
): Promise<Pin[]> {
  const pins: Pin[] = [];
  for (const shard of shards) {
    const { name } = shard.identity;
    for (const group of await groupsOn(shard, queue.name)) {
      const place = placeOf(queue, { group }, '');
      if (homeIn(map, place) === name && homeIn(next, place) !== name)
        pins.push({ place, shard: name, until: 'empty' });
    }
  }
  return pins;
}

/** What operators have set is on each shard: one that joins has to have it before anything comes there. @throws StorageError */
export async function copySettings(from: Shard, to: Shard): Promise<void> {
  const settings = (await from.send(['HGETALL', from.keys.config])) as string[];
  const store = openAdminStore(to);
  for (let i = 0; i < settings.length; i += 2) {
    const queue = settings[i] as string;
    const [, state, pool = PUSH_POOL, limits = ''] = /^(\w+) (\S+)(.*)$/.exec(settings[i + 1] as string) ?? [];
    const word = (pattern: RegExp) => pattern.exec(limits)?.[0] ?? '';
    if (state === 'paused') await store.pause(queue, pool);
    if (limits !== '') await store.limit(queue, pool, { concurrency: word(/ c=\d+/), rate: word(/ r=\d+\/\d+/) });
  }
}
