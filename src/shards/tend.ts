/** Tending: what pins hold at its old home moves, or is seen to be empty there, and the pins go. Each step can be made again. */

import { parseLane } from '../message/lane.ts';
import type { Shard } from '../redis/shard.ts';
import { openAdminStore } from '../store/admin.ts';
import { type Counts, countLive } from '../store/admin-queues.ts';
import { readStanding } from '../store/moving.ts';
import { changeMap } from './change-map.ts';
import { bodyOf, type MovingOptions } from './evacuate.ts';
import { groupsOn } from './groups.ts';
import type { Pin } from './map.ts';
import { type MapChange, reopened } from './next-map.ts';
import { openParcel, PARCEL_QUEUE, readSegments } from './parcel.ts';
import { placeOf } from './places.ts';
import { listThings, moveThings } from './things.ts';

/** For so long after a change it is looked for what was copied and has not gone yet. */
const STRAYS_MS = 600_000;
/** It has to be decided before others go on without, as topology.ts says. */
const DECIDED_MS = 1_500;
/** Parcels looked at on each shard: with more, what they are for is not known. */
const PARCELS = 500;

/** What a tick does for the map of the shards: nothing where nothing is held. @throws StorageError */
export async function tendShards(options: MovingOptions): Promise<{ moved: number; lifted: number }> {
  const { fleet, isClosing } = options;
  if (!fleet.topology.isMany) return { moved: 0, lifted: 0 };
  await fleet.ready();
  const { map } = fleet.topology;
  const isHeld = map.pins.some(({ until }) => until !== undefined);
  if (!isHeld && Date.now() - map.changedAt > STRAYS_MS) return { moved: 0, lifted: 0 };
  const moveAll = async () => {
    let moved = 0;
    for (const shard of fleet.all) if (!isClosing()) moved += await moveThings(options, shard);
    return moved;
  };
  const moved = await moveAll();
  const lifted = isClosing() ? 0 : await liftPins(options);
  if (lifted > 0) await moveAll(); // what was copied goes
  return { moved, lifted };
}

/**
 * Lifts pins of what is empty, or moved. Queues are closed for a moment before: nothing may come in where it was seen that nothing is.
 * @returns how many
 * @throws StorageError
 */
export async function liftPins(options: MovingOptions): Promise<number> {
  const { fleet, queues } = options;
  const change = (...changes: MapChange[]) => changeMap({ fleet, queues }, ...changes);
  const held = () => fleet.topology.map.pins.filter(({ until }) => until !== undefined);
  const free = await findAllFree(options, held());
  const forgotten = held().filter(({ place, closing }) => closing && !free.some((pin) => pin.place === place));
  if (forgotten.length > 0) await change(reopen(forgotten)); // whoever closed them has died
  if (free.length === 0) return 0;
  const closed = free.filter(isOfQueue).map((pin): Pin => ({ ...pin, closing: true }));
  const others = free.filter((pin) => !isOfQueue(pin));
  const began = performance.now();
  if (closed.length > 0) await change({ kind: 'pin', pins: closed });
  const still = await findAllFree(options, closed).catch(() => []);
  const isInTime = performance.now() - began < DECIDED_MS;
  const lifted = [...others, ...(isInTime ? still : [])];
  const stay = closed.filter(({ place }) => !lifted.some((pin) => pin.place === place));
  const changes: MapChange[] = stay.length > 0 ? [reopen(stay)] : [];
  if (lifted.length > 0) changes.push({ kind: 'unpin', unpin: lifted });
  await change(...changes);
  return lifted.length;
}

/** Pins of queues that a tick would lift by now. @throws StorageError */
export function findIdlePins(options: MovingOptions): Promise<Pin[]> {
  const { pins } = options.fleet.topology.map;
  return findAllFree(
    options,
    pins.filter((pin) => pin.until !== undefined && isOfQueue(pin)),
  );
}

const isOfQueue = ({ place }: Pin) => place.startsWith('q:');

const reopen = (pins: readonly Pin[]): MapChange => ({ kind: 'pin', pins: pins.map(reopened) });

/** What parcels bring counts as being there already: they are looked at first, for from there it goes to the shard. */
async function findAllFree(options: MovingOptions, pins: readonly Pin[]): Promise<Pin[]> {
  if (pins.length === 0) return [];
  const { fleet } = options;
  const onTheWay = await findOnTheWay(fleet.all);
  if (!onTheWay) return [];
  const free: Pin[] = [];
  for (const [name, own] of Map.groupBy(pins, ({ shard }) => shard)) {
    free.push(...(await findFree(options, fleet.named(name), own, onTheWay)));
  }
  return free;
}

/** What parcels hold: names of queues, and the names of shards for which there is anything else. */
interface OnTheWay {
  queues: Set<string>;
  shards: Set<string>;
}

/** @returns undefined where there are too many to tell @throws StorageError */
async function findOnTheWay(shards: readonly Shard[]): Promise<OnTheWay | undefined> {
  const onTheWay: OnTheWay = { queues: new Set(), shards: new Set() };
  for (const shard of shards) {
    const counts = await openAdminStore(shard).count(PARCEL_QUEUE);
    if (counts.leased > 0 || !counts.complete) return undefined;
    for (const state of ['ready', 'delayed'] as const) {
      const { messages, cursor } = await readStanding(shard, PARCEL_QUEUE, state, PARCELS, '');
      if (cursor !== '' && messages.length >= PARCELS) return undefined;
      for (const { id, envelope } of messages) {
        const { args, isMoved } = openParcel(id, bodyOf(envelope));
        if (isMoved) onTheWay.shards.add(shard.identity.name);
        else for (const { message } of readSegments(args)) onTheWay.queues.add(parseLane(message.lane).queue);
      }
    }
  }
  return onTheWay;
}

async function findFree(
  { queues }: MovingOptions,
  shard: Shard,
  pins: readonly Pin[],
  onTheWay: OnTheWay,
): Promise<Pin[]> {
  if (onTheWay.shards.has(shard.identity.name)) return [];
  const ofQueues = Map.groupBy(pins.filter(isOfQueue), ({ place }) => queueIn(place));
  const names = [...ofQueues.keys()].filter((queue) => !onTheWay.queues.has(queue));
  const counts = await openAdminStore(shard).countAll(names);
  const free: Pin[] = [];
  for (const [i, queue] of names.entries()) {
    const own = ofQueues.get(queue) as Pin[];
    if (isNothing(counts[i] as Counts)) free.push(...own);
    else if (queues.get(queue)?.partition === 'group') free.push(...(await findFreeGroups(shard, queue, own)));
  }
  const things = new Set<string>(await listThings(shard));
  const others = pins.filter(({ place }) => !place.startsWith('q:'));
  // A topic or a ring is there until its pin has gone: by now it is copied.
  free.push(...others.filter(({ place }) => !place.startsWith('s:') || !things.has(place)));
  return free;
}

/** Dead letters stay where they are, and go back to where they died. */
function isNothing(counts: Counts): boolean {
  return counts.complete && countLive(counts) === 0;
}

async function findFreeGroups(shard: Shard, queue: string, pins: readonly Pin[]): Promise<Pin[]> {
  const groups = await groupsOn(shard, queue);
  const places = [...groups].map((group) =>
    placeOf({ name: queue, partition: 'group' }, group === '' ? {} : { group }, ''),
  );
  const taken = new Set<string>(places);
  return pins.filter(({ place }) => !taken.has(place));
}

const queueIn = (place: string) => place.slice(2).split(/[/#!]/, 1)[0] as string;
