/**
 * What is one thing in storage, and moves whole: schedules, topics and rings. A pin holds each at its old home until it is moved, so that
 * all who use it meet in one place.
 */
import * as scripts from '../redis/lua/generated.ts';
import { digits } from '../redis/lua/script.ts';
import { list, pairs, strings } from '../redis/reply.ts';
import { makeReplyRunner } from '../redis/runner.ts';
import type { Shard } from '../redis/shard.ts';
import { parseSchedules } from '../store/due.ts';
import { moveSchedule } from '../store/moving.ts';
import type { MovingOptions } from './evacuate.ts';
import type { Fleet } from './fleet.ts';
import { type Homes, homeIn, settle } from './map.ts';
import type { Place } from './placement.ts';
import { placeOfRing, placeOfSchedule, placeOfTopic } from './places.ts';
import { sendAway } from './sending.ts';

/** As get-schedules.lua takes them. */
const SCHEDULES = 50;
/** As ring-add.lua takes them, and ring-remove.lua. */
const [ITEMS, REMOVED_ITEMS] = [1_000, 25];
const RINGS = 1_000;
/** What was taken elsewhere is taken here: the limits of what callers may add are not asked. */
const ANY = digits(1_000_000_000);

/** The places of all that a shard has. @throws StorageError */
export async function listThings(shard: Shard): Promise<Place[]> {
  const { keys, send } = shard;
  const [schedules, topics, rings] = await Promise.all([
    send(['HKEYS', keys.schedules]),
    send(['HKEYS', keys.topics]),
    listRings(shard),
  ]);
  return [...strings(schedules).map(placeOfSchedule), ...strings(topics).map(placeOfTopic), ...rings.map(placeOfRing)];
}

async function listRings({ keys, send }: Shard): Promise<string[]> {
  const rings: string[] = [];
  for (let from = 0; ; from += RINGS) {
    const page = strings(await send(['ZRANGE', keys.rings, String(from), String(from + RINGS - 1)]));
    rings.push(...page);
    if (page.length < RINGS) return rings;
  }
}

/**
 * Moves what a shard has to where placement says, whatever holds it there until then: schedules go, of topics and rings there is a copy,
 * and what has its home elsewhere by now goes.
 * @returns how many went, or were copied
 * @throws StorageError
 */
export async function moveThings(options: MovingOptions, shard: Shard): Promise<number> {
  const { fleet, isClosing } = options;
  await fleet.ready();
  const { map } = fleet.topology;
  const settled = settle(map);
  const own = shard.identity.name;
  const schedules: string[] = [];
  let moved = 0;
  for (const place of await listThings(shard)) {
    const to = homeIn(settled, place);
    if (to === own) continue;
    if (isClosing()) return moved;
    const name = place.slice(2);
    const isHeld = homeIn(map, place) === own;
    if (place.startsWith('s:')) schedules.push(name);
    else if (place.startsWith('t:')) await moveTopic(shard, fleet.named(to), name, isHeld);
    else await moveRing(shard, fleet.named(to), name, isHeld);
    moved += 1;
  }
  return moved - schedules.length + (await sendSchedules(fleet, settled, shard, schedules));
}

async function sendSchedules(fleet: Fleet, homes: Homes, shard: Shard, ids: readonly string[]): Promise<number> {
  const { keys, now } = shard;
  let sent = 0;
  for (let from = 0; from < ids.length; from += SCHEDULES) {
    const asked = ids.slice(from, from + SCHEDULES).flatMap((id) => [id, '']);
    const args: [string, string, string, ...string[]] = [keys.root, now(), '', ...asked];
    const reply = await makeReplyRunner(shard)(scripts.getSchedules, [keys.schedules, keys.totals], args as never);
    const found = parseSchedules(list(reply)[1]).filter(({ record }) => record !== '');
    const leaving = found.map(({ id, record }) => ({
      to: homeIn(homes, placeOfSchedule(id)),
      moving: moveSchedule(id, record),
    }));
    sent += await sendAway(fleet, shard, leaving);
  }
  return sent;
}

/** @param isHeld it is still used where it is: it is copied as it stands there, and stays */
async function moveTopic(from: Shard, to: Shard, topic: string, isHeld: boolean): Promise<void> {
  const read = async (shard: Shard) => {
    const reply = await makeReplyRunner(shard)(scripts.getTopic, [shard.keys.topic(topic)], []);
    return new Map(pairs(strings(list(reply)[0])));
  };
  const [own, there] = await Promise.all([read(from), read(to)]);
  for (const [id, json] of own) {
    const isMissing = isHeld ? there.get(id) !== json : !there.has(id);
    if (isMissing) {
      const args: [string, string, string, typeof ANY, typeof ANY] = [topic, id, json, ANY, ANY];
      await makeReplyRunner(to)(scripts.subscribe, [to.keys.topic(topic), to.keys.topics], args);
    }
    if (!isHeld)
      await makeReplyRunner(from)(scripts.unsubscribe, [from.keys.topic(topic), from.keys.topics], [topic, id]);
  }
}

/** Items come in the order in which they would be given. */
async function moveRing(from: Shard, to: Shard, ring: string, isHeld: boolean): Promise<void> {
  for (let skip = 0; ; ) {
    const range: [`${number}`, `${number}`] = [digits(-skip - ITEMS), digits(-skip - 1)];
    const page = list(await makeReplyRunner(from)(scripts.ringPage, [from.keys.ring(ring)], range));
    const items = strings(page[1]).toReversed();
    if (items.length === 0) return;
    const { keys } = to;
    await makeReplyRunner(to)(scripts.ringAdd, [keys.ring(ring), keys.rings], [ring, ANY, ...items]);
    if (isHeld) skip += items.length;
    else await removeItems(from, ring, items);
  }
}

async function removeItems(shard: Shard, ring: string, items: readonly string[]): Promise<void> {
  const { keys } = shard;
  for (let from = 0; from < items.length; from += REMOVED_ITEMS) {
    const step = items.slice(from, from + REMOVED_ITEMS);
    await makeReplyRunner(shard)(scripts.ringRemove, [keys.ring(ring), keys.rings], [ring, ...step]);
  }
}
