/** What operators do to the shards of a deployment: look, activate, drain, evacuate, verify, forget, pin and weigh. */
import { QUEUE_NAME } from '../message/message.ts';
import type { Shard } from '../redis/shard.ts';
import { readMap } from '../store/map.ts';
import { changeMap, copySettings } from './change-map.ts';
import { moveCounts } from './counts.ts';
import { countQueues, evacuateMessages, type MovingOptions } from './evacuate.ts';
import type { Fleet } from './fleet.ts';
import { formerHomesIn, homeIn, isActive, type Pin, parseMap, type ShardMap, type ShardState, settle } from './map.ts';
import type { MapChange } from './next-map.ts';
import { PARCEL_QUEUE } from './parcel.ts';
import type { Place } from './placement.ts';
import { liftPins } from './tend.ts';
import { listThings, moveThings } from './things.ts';
import { type Verified, verifyShard } from './verify.ts';

/** How much of each kind a shard has. */
export interface Holdings {
  ready: number;
  delayed: number;
  leased: number;
  dead: number;
  /** What it holds for other shards. */
  parcels: number;
  schedules: number;
  topics: number;
  rings: number;
}

export interface ShardReport {
  shard: string;
  /** In the ids of its messages. */
  label: string;
  state: ShardState;
  weight: number;
  /** What has its home there until it is empty. */
  held: number;
  /** Not there where the shard does not answer. */
  has?: Holdings;
}

/** A queue, or a group of one (`queue/group`), that stays on a shard until that is empty of it. */
export interface HeldQueue {
  queue: string;
  shard: string;
  /** The name of the shard where it has its home from then on. */
  home: string;
}

export interface ShardsReport {
  /** Of the map; 0 where there is one shard. */
  epoch: number;
  shards: ShardReport[];
  /** Those of operators. */
  pins: Omit<Pin, 'until'>[];
  /** The first of them. */
  held: HeldQueue[];
}

export interface Evacuated {
  shard: string;
  /** In this call, without counters: what is held there is delivered meanwhile, and counted again and again. */
  moved: number;
  has: Holdings;
  /** What stays because of a pin, whatever calls are made, as long as it is not empty. */
  held: number;
  more: boolean;
}

export interface Forgotten {
  shard: string;
  /** The queues whose messages it may have had, where it was lost. */
  queues?: string[];
}

export interface ShardAdmin {
  list(): Promise<ShardsReport>;
  activate(shard: string, weight?: number): Promise<void>;
  drain(shard: string): Promise<void>;
  weigh(shard: string, weight: number): Promise<void>;
  /** @param unpin what is pinned there goes too: its order and its limits are not kept meanwhile */
  evacuate(shard: string, unpin: boolean): Promise<Evacuated>;
  verify(shard: string): Promise<Verified>;
  /** @param isLost its database is: nothing is asked of it */
  forget(shard: string, isLost: boolean): Promise<Forgotten>;
  /** @param queue its name, or the beginning of several and `*` */
  pin(queue: string, shard: string): Promise<void>;
  unpin(queue: string): Promise<void>;
}

/** Of a queue of many groups each may be held. */
const MOST_HELD = 100;

/** Names no shard of the deployment. */
export class UnknownShard extends Error {
  override readonly name = 'UnknownShard';
}

/** All throw StorageError, UnknownShard, and a RangeError that says why it cannot be done. */
export function openShardAdmin(options: MovingOptions): ShardAdmin {
  const { fleet, queues } = options;
  const change = (one: MapChange) => changeMap({ fleet, queues }, one);
  return {
    list: () => reportShards(options),
    async activate(name, weight) {
      const shard = await find(fleet, name);
      const [first] = fleet.all.filter((one) => one !== shard && isIn(fleet, one, 'active'));
      if (first) await copySettings(first, shard);
      await change({ kind: 'activate', shard: name, ...(weight !== undefined && { weight }) });
    },
    async drain(name) {
      await find(fleet, name);
      await change({ kind: 'drain', shard: name });
    },
    async weigh(name, weight) {
      await find(fleet, name);
      await change({ kind: 'weigh', shard: name, weight });
    },
    evacuate: (name, unpin) => evacuateStep(options, name, unpin),
    verify: async (name) => verifyShard(fleet, await find(fleet, name)),
    forget: (name, isLost) => forget(options, name, isLost),
    async pin(queue, name) {
      await find(fleet, name);
      await change({ kind: 'pin', pins: [{ place: placeOfPattern(queue), shard: name }] });
    },
    async unpin(queue) {
      await requireSeveral(fleet);
      await change({ kind: 'unpin', unpin: [{ place: placeOfPattern(queue) }] });
    },
  };
}

async function requireSeveral(fleet: Fleet): Promise<void> {
  if (!fleet.topology.isMany) throw new RangeError('this deployment has one shard: there is nothing to change');
  await readNewest(fleet);
}

/** Another isolate may have changed the map just now, and this one has heard nothing of it. */
async function readNewest(fleet: Fleet): Promise<void> {
  await fleet.ready();
  for (const { answer } of await fleet.askAll(readMap))
    if (answer !== undefined) fleet.topology.adopt(parseMap(answer));
}

async function find(fleet: Fleet, name: string): Promise<Shard> {
  await requireSeveral(fleet);
  const shard = fleet.all.find(({ identity }) => identity.name === name);
  if (!shard) throw new UnknownShard(name);
  return shard;
}

const isIn = ({ topology }: Fleet, { identity }: Shard, state: ShardState) => topology.stateOf(identity.name) === state;

function placeOfPattern(queue: string): string {
  const isPattern = queue.endsWith('*') && /^[\w.-]{0,64}\*$/.test(queue);
  if (!isPattern && !QUEUE_NAME.test(queue)) throw new RangeError(`${JSON.stringify(queue)} names no queues`);
  return `q:${queue}`;
}

async function reportShards(options: MovingOptions): Promise<ShardsReport> {
  const { fleet } = options;
  const { topology } = fleet;
  if (!topology.isMany) {
    const has = await countHoldings(options, fleet.all[0]);
    const shard = topology.settings[0]?.name ?? '';
    return { epoch: 0, shards: [{ shard, label: '', state: 'active', weight: 1, held: 0, has }], pins: [], held: [] };
  }
  await readNewest(fleet);
  const { map } = topology;
  const counted = await fleet.askAll((shard) => countHoldings(options, shard));
  const has = new Map(counted.map(({ shard, answer }) => [shard.identity.name, answer]));
  const listed = new Map(map.shards.map((entry) => [entry.name, entry]));
  for (const { name, weight } of topology.settings) {
    if (!listed.has(name)) listed.set(name, { name, label: '', state: 'joining', weight });
  }
  const shards = [...listed.values()].map(({ name, label, state, weight }): ShardReport => {
    const own = has.get(name);
    return { shard: name, label, state, weight, held: countHeld(fleet, name), ...(own && { has: own }) };
  });
  const pins = map.pins.filter(({ until }) => until === undefined);
  return { epoch: map.epoch, shards, pins, held: listHeld(map) };
}

function listHeld(map: ShardMap): HeldQueue[] {
  const settled = settle(map);
  const held = map.pins.filter(({ place, until }) => until !== undefined && place.startsWith('q:'));
  return held.slice(0, MOST_HELD).map(({ place, shard }) => ({
    queue: decodeURIComponent(place.slice(2)),
    shard,
    home: homeIn(settled, place as Place),
  }));
}

const countHeld = ({ topology }: Fleet, name: string): number =>
  topology.map.pins.filter(({ shard, until }) => shard === name && until !== undefined).length;

async function countHoldings({ queues }: MovingOptions, shard: Shard): Promise<Holdings> {
  const [counts, things] = await Promise.all([countQueues(shard, queues), listThings(shard)]);
  const holdings: Holdings = {
    ...{ ready: 0, delayed: 0, leased: 0, dead: 0, parcels: 0 },
    ...{ schedules: countOf(things, 's'), topics: countOf(things, 't'), rings: countOf(things, 'r') },
  };
  for (const [name, { ready, delayed, leased, dead }] of counts) {
    const allReady = Object.values(ready).reduce((sum, count) => sum + count, 0);
    if (name === PARCEL_QUEUE) holdings.parcels += allReady + delayed + leased;
    else {
      holdings.ready += allReady;
      holdings.delayed += delayed;
      holdings.leased += leased;
    }
    holdings.dead += dead;
  }
  return holdings;
}

const countOf = (places: readonly string[], kind: string) =>
  places.filter((place) => place.startsWith(`${kind}:`)).length;

async function evacuateStep(options: MovingOptions, name: string, unpin: boolean): Promise<Evacuated> {
  const { fleet, queues, isClosing } = options;
  const shard = await find(fleet, name);
  if (!isIn(fleet, shard, 'draining'))
    throw new RangeError(`shard ${name} is ${fleet.topology.stateOf(name)}: only one that drains is evacuated`);
  const { unknown } = fleet.topology;
  if (unknown !== undefined) throw new RangeError(`the settings of this deployment have no shard ${unknown}`);
  if (unpin) await liftQueues(options, name);
  let moved = await moveThings(options, shard);
  if (!isClosing()) moved += await evacuateMessages(options, shard);
  if (!isClosing() && (await liftPins(options)) > 0) moved += await moveThings(options, shard);
  if (!isClosing()) moved += await evacuateMessages({ fleet, queues, isClosing }, shard);
  if (!isClosing()) await moveCounts(options, shard);
  const has = await countHoldings(options, shard);
  const more = Object.values(has).some((count) => count > 0);
  return { shard: name, moved, has, held: countHeld(fleet, name), more };
}

async function liftQueues({ fleet, queues }: MovingOptions, name: string): Promise<void> {
  const pinned = ({ place, shard, until }: Pin) => shard === name && until !== undefined && place.startsWith('q:');
  const lifted = fleet.topology.map.pins.filter(pinned);
  if (lifted.length > 0) await changeMap({ fleet, queues }, { kind: 'unpin', unpin: lifted });
}

async function forget(options: MovingOptions, name: string, isLost: boolean): Promise<Forgotten> {
  const { fleet, queues } = options;
  await requireSeveral(fleet);
  const { topology } = fleet;
  if (topology.stateOf(name) === 'gone') return { shard: name };
  const shard = await find(fleet, name);
  if (isLost) {
    const lost = [...queues.keys()].filter((queue) => mayHaveHad(options, name, queue));
    const isFirst = topology.map.shards.some((one) => one.name === name && isActive(one));
    const drain = isFirst ? [{ kind: 'drain', shard: name } as const] : [];
    await changeMap({ fleet, queues, lost: [name] }, ...drain, { kind: 'forget', shard: name });
    return { shard: name, queues: lost };
  }
  if (!topology.map.shards.some((one) => one.name === name))
    throw new RangeError(`shard ${name} was never active: take it out of the settings`);
  const isEmpty = isIn(fleet, shard, 'active') || (await verifyShard(fleet, shard)).isEmpty; // of one that is active the change says so
  if (!isEmpty) throw new RangeError(`shard ${name} is not empty: evacuate it, and see with verify what is left`);
  await changeMap({ fleet, queues }, { kind: 'forget', shard: name });
  return { shard: name };
}

/** A queue whose home it is, or was in the last day, or that is on all shards. */
function mayHaveHad({ fleet: { topology }, queues }: MovingOptions, shard: string, queue: string): boolean {
  const place: Place = `q:${queue}`;
  if (queues.get(queue)?.partition !== undefined) return true;
  return [topology.home(place), ...formerHomesIn(topology.map, place, Date.now())].includes(shard);
}
