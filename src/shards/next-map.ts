/** Changes of the map of shards: what each may do, and the old homes that the next map remembers. Pure. */
import {
  checkWeight,
  FORMER_MS,
  type FormerHomes,
  isActive,
  type MapEntry,
  makeEntry,
  type Pin,
  type ShardMap,
} from './map.ts';

/** What one change does, with the pins of what it must not move at once. */
export type MapChange = ShardChange & { readonly pins?: readonly Pin[] };

type ShardChange =
  | { readonly kind: 'activate'; readonly shard: string; readonly weight?: number }
  | { readonly kind: 'drain' | 'forget'; readonly shard: string }
  | { readonly kind: 'weigh'; readonly shard: string; readonly weight: number }
  | { readonly kind: 'pin' }
  | { readonly kind: 'unpin'; readonly unpin: readonly Omit<Pin, 'shard'>[] };

/** The most old homes that are kept. Who changes the map more often in a day loses sight of the oldest. */
const MOST_FORMER = 8;

/**
 * The map after a change.
 * @returns the same map where it says all that already, so that a call can be made again
 * @throws RangeError that says why the change cannot be made
 * @example nextMap(map, { kind: 'drain', shard: 'b', pins: [{ place: 'q:ledger', shard: 'b', until: 'empty' }] }, Date.now())
 */
export function nextMap(map: ShardMap, change: MapChange, nowMs: number): ShardMap {
  const shards = changeShards(map.shards, change);
  const pins = changePins(map.pins, change, shards);
  if (isSame(map.shards, shards) && isSame(map.pins, pins)) return map;
  const next = { epoch: map.epoch + 1, shards, pins };
  const hasSameHomes = isSame(map.shards, shards) && isSame(map.pins.map(reopened), pins.map(reopened));
  if (hasSameHomes) return { ...next, changedAt: map.changedAt, ...(map.before && { before: map.before }) };
  return { ...next, changedAt: nowMs, before: formerHomes(map, pins, change, nowMs) };
}

/** A pin that does not go. */
export const reopened = ({ closing: _, ...pin }: Pin): Pin => pin;

function changeShards(shards: readonly MapEntry[], change: MapChange): readonly MapEntry[] {
  switch (change.kind) {
    case 'activate':
      return activate(shards, change.shard, change.weight);
    case 'drain':
      return drain(shards, change.shard);
    case 'forget':
      return forget(shards, change.shard);
    case 'weigh':
      return replace(shards, { ...findShard(shards, change.shard), weight: checkWeight(change.weight) });
    default:
      return shards;
  }
}

/** One that drains may come back: what it holds is where it was. */
function activate(shards: readonly MapEntry[], name: string, given?: number): readonly MapEntry[] {
  const known = shards.find((shard) => shard.name === name);
  if (known === undefined) return [...shards, makeEntry(name, given ?? 1, 'active', shards)];
  if (known.state === 'gone') throw new RangeError(`shard ${name} is gone, and its name is not used again`);
  return replace(shards, { ...known, state: 'active', weight: checkWeight(given ?? known.weight) });
}

function drain(shards: readonly MapEntry[], name: string): readonly MapEntry[] {
  const shard = findShard(shards, name);
  if (shard.state === 'draining') return shards;
  if (shard.state !== 'active') throw new RangeError(`shard ${name} is ${shard.state}: only an active one drains`);
  if (shards.filter(isActive).length === 1) throw new RangeError(`shard ${name} is the last that is active`);
  return replace(shards, { ...shard, state: 'draining' });
}

/** One that never became active has got nothing: it can go as it is. */
function forget(shards: readonly MapEntry[], name: string): readonly MapEntry[] {
  const shard = findShard(shards, name);
  if (shard.state === 'active') throw new RangeError(`shard ${name} is active: it has to drain first`);
  return replace(shards, { ...shard, state: 'gone' });
}

function changePins(pins: readonly Pin[], change: MapChange, shards: readonly MapEntry[]): readonly Pin[] {
  const given = new Map((change.pins ?? []).map((pin) => [keyOf(pin), checkPin(pin, shards)]));
  const lifted = new Set(change.kind === 'unpin' ? change.unpin.map(keyOf) : []);
  const known = new Set(pins.map(keyOf));
  const stay = pins.filter((pin) => given.has(keyOf(pin)) || !(lifted.has(keyOf(pin)) || isEndedBy(change, pin)));
  const come = [...given].filter(([key]) => !known.has(key)).map(([, pin]) => pin);
  return [...stay.map((pin) => given.get(keyOf(pin)) ?? pin), ...come];
}

/** A shard that drains keeps what has to be emptied there; one that is gone keeps nothing. */
function isEndedBy(change: MapChange, { shard, until }: Pin): boolean {
  if (change.kind === 'drain') return shard === change.shard && until === undefined;
  return change.kind === 'forget' && shard === change.shard;
}

/** One place may have two pins: that of an operator, and one to an older home that is not empty yet. */
const keyOf = ({ place, until }: Omit<Pin, 'shard'>) => `${until ?? ''} ${place}`;

function checkPin({ place, shard: name, until, closing }: Pin, shards: readonly MapEntry[]): Pin {
  if (!PLACE.test(place)) throw new RangeError(`${JSON.stringify(place)} is no place`);
  const { state } = findShard(shards, name);
  if (state === 'active' || (state === 'draining' && until)) {
    return { place, shard: name, ...(until ? { until } : {}), ...(closing ? { closing } : {}) };
  }
  throw new RangeError(`nothing can be pinned to shard ${name}: it is ${state}`);
}

const PLACE = /^[qstrw]:./s;

/**
 * What a sweep lifts makes a map of its own, and there may be hundreds of them in a day: they stand in the old homes that are there, as
 * pins to where they were.
 */
function formerHomes(map: ShardMap, pins: readonly Pin[], change: MapChange, nowMs: number): FormerHomes {
  const { before, shards, pins: formerPins, changedAt } = map;
  const recent = before !== undefined && nowMs - changedAt <= FORMER_MS ? before : undefined;
  if (recent && isLift(change)) {
    const lifted = formerPins.filter((pin) => !pins.includes(pin)).map(reopened);
    const keys = new Set(lifted.map(keyOf));
    return { ...recent, pins: [...recent.pins.filter((pin) => !keys.has(keyOf(pin))), ...lifted] };
  }
  return { shards, pins: formerPins, changedAt, ...(recent && { before: keepLatest(recent, nowMs, MOST_FORMER - 1) }) };
}

/** Whether it only ends pins that last until something is empty: such a place has been nowhere else since the change that pinned it. */
function isLift(change: MapChange): boolean {
  return change.kind === 'unpin' && !change.pins?.length && change.unpin.every(({ until }) => until !== undefined);
}

function keepLatest({ before, ...homes }: FormerHomes, nowMs: number, most: number): FormerHomes {
  const isRecent = before !== undefined && most > 1 && nowMs - homes.changedAt <= FORMER_MS;
  return isRecent ? { ...homes, before: keepLatest(before, nowMs, most - 1) } : homes;
}

function isSame(one: readonly object[], other: readonly object[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function replace(shards: readonly MapEntry[], changed: MapEntry): readonly MapEntry[] {
  return shards.map((shard) => (shard.name === changed.name ? changed : shard));
}

function findShard(shards: readonly MapEntry[], name: string): MapEntry {
  const found = shards.find((shard) => shard.name === name);
  if (found === undefined) throw new RangeError(`shard ${name} is joining: it has to be activated first`);
  return found;
}
