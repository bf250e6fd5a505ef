/** Tending: what pins hold at its old home moves, or is seen to be empty there, and the pins go. Each step can be made again. */

import { parseLane } from '../message/lane.ts';
import type { Shard } from '../redis/shard.ts';
import { openAdminStore } from '../store/admin.ts';
import { readStanding } from '../store/moving.ts';
import { changeMap } from './change-map.ts';
import { bodyOf, type MovingOptions } from './evacuate.ts';
import { groupsOn } from './groups.ts';
import type { Pin } from './map.ts';
import { openParcel, PARCEL_QUEUE, readSegments } from './parcel.ts';
import { placeOf } from './places.ts';
import { listThings, moveThings } from './things.ts';

/** For so long after a change it is looked for what was copied and has not gone yet. */
const STRAYS_MS = 600_000;
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

/** Lifts pins of what is empty, or moved. @returns how many @throws StorageError */
export async function liftPins(options: MovingOptions): Promise<number> {
  const { fleet, queues } = options;
  const held = fleet.topology.map.pins.filter(({ until }) => until !== undefined);
  if (held.length === 0) return 0;
  const onTheWay = await findOnTheWay(fleet.all);
  if (!onTheWay) return 0;
  const free: Pin[] = [];
  for (const [name, pins] of Map.groupBy(held, ({ shard }) => shard)) {
    free.push(...(await findFree(options, fleet.named(name), pins, onTheWay)));
  }
  if (free.length === 0) return 0;
  await changeMap({ fleet, queues }, { kind: 'unpin', unpin: free });
  return free.length;
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
  const ofQueues = Map.groupBy(
    pins.filter(({ place }) => place.startsWith('q:')),
    ({ place }) => queueIn(place),
  );
  const free: Pin[] = [];
  for (const [queue, own] of ofQueues) {
    if (onTheWay.queues.has(queue)) continue;
    const groups = await groupsOn(shard, queue);
    const isPartitioned = queues.get(queue)?.partition === 'group';
    const taken = new Set(
      [...groups].map((group) => placeOf({ name: queue, partition: 'group' }, group === '' ? {} : { group }, '')),
    );
    const isEmpty = ({ place }: Pin) => (isPartitioned ? !taken.has(placeOfPin(place)) : groups.size === 0);
    free.push(...own.filter(isEmpty));
  }
  const things = new Set<string>(await listThings(shard));
  const others = pins.filter(({ place }) => !place.startsWith('q:'));
  // A topic or a ring is there until its pin has gone: by now it is copied.
  free.push(...others.filter(({ place }) => !place.startsWith('s:') || !things.has(place)));
  return free;
}

const queueIn = (place: string) => place.slice(2).split(/[/#!]/, 1)[0] as string;

const placeOfPin = (place: string) => place as ReturnType<typeof placeOf>;
