/** Forwarding: the messages of a parcel are enqueued at its shard, once, however often and by whomever it is forwarded. */
import { HeldBack, ShardMoved, StorageError } from '../errors.ts';
import { parseLane } from '../message/lane.ts';
import * as scripts from '../redis/lua/generated.ts';
import type { Shard } from '../redis/shard.ts';
import { encodeSegments } from '../store/encode-messages.ts';
import { type EnqueueAnswer, enqueueSegments } from '../store/enqueue.ts';
import { adopt, splitMoved } from '../store/moving.ts';
import type { Wake } from '../store/wake.ts';
import type { Fleet } from './fleet.ts';
import { type Parcel, RECOGNISED_MS, readSegments } from './parcel.ts';
import { isBound } from './places.ts';
import { homeOfMoved, openPlacing, type PartitionedQueues, placeMessage } from './placing.ts';

/** So often one is forwarded by another map, where that changes meanwhile. */
const TRIES = 5;

/**
 * Forwards a parcel to its shard.
 * @param id of the parcel
 * @param wake the drain that the caller would wake
 * @param mayGo asked by each map
 * @returns undefined where it may not, or the shard is gone: nothing was stored
 * @throws StorageError; HeldBack where this deployment does not know the shard: another may, and forwards it
 */
export async function forward(
  fleet: Fleet,
  id: string,
  { to, args, count, isMoved }: Parcel,
  wake?: Wake | false,
  mayGo = () => true,
): Promise<Pick<EnqueueAnswer, 'wake' | 'duplicates'> | undefined> {
  const known = { token: tokenOf(id), recognisedMs: RECOGNISED_MS, wake };
  for (let tries = 0; tries < TRIES; tries++) {
    await fleet.ready();
    const shard = fleet.all.find(({ identity }) => identity.name === to);
    if (!shard && fleet.topology.stateOf(to) !== 'gone') throw unknownShard(to);
    if (!shard || !mayGo()) return undefined;
    const { epoch } = shard.identity;
    try {
      if (!isMoved) return await enqueueSegments(shard, { args, count, base: id, epoch, ...known });
      return { wake: await adopt(shard, { moved: args, epoch, ...known }), duplicates: new Map() };
    } catch (error) {
      if (!(error instanceof ShardMoved)) throw error;
      fleet.topology.noteEpoch(error.epoch);
    }
  }
  throw new StorageError('garbled', 'the map of the shards changes all the time');
}

/**
 * Forwards a parcel to wherever its messages belong by now: to its shard, as a rule.
 * @returns whether somebody should drain there
 * @throws StorageError where a part has not arrived: another try brings the rest
 */
export async function forwardHome(
  fleet: Fleet,
  queues: PartitionedQueues,
  id: string,
  parcel: Parcel,
): Promise<boolean> {
  const isOvertaken = () => hasMoved(fleet, queues, id, parcel);
  const mayGo = () => {
    if (isHeldUp(fleet, queues, id, parcel)) throw new StorageError('slow', 'its queue is about to move');
    return !isOvertaken();
  };
  const answer = await forward(fleet, id, parcel, undefined, mayGo);
  if (answer) return answer.wake;
  if (isOvertaken() && (await hasArrived(fleet, id))) return false; // at its shard, before its home was another
  return forwardAnew(fleet, queues, id, parcel);
}

/**
 * Each message to where it belongs by now, under the id that it has. Each is known by a name of its own: at another try the map may be
 * another, and they go elsewhere.
 */
async function forwardAnew(fleet: Fleet, queues: PartitionedQueues, id: string, parcel: Parcel): Promise<boolean> {
  const parts = parcel.isMoved ? divideMoved(fleet, queues, parcel) : divideMessages(fleet, queues, id, parcel);
  let isWanted = false;
  for (const [index, part] of parts.entries()) {
    const own = `${id}.${index}`;
    if (await hasArrived(fleet, own)) continue;
    const answer = await forward(fleet, own, part);
    if (!answer) throw new StorageError('garbled', 'the map of the shards has changed meanwhile');
    isWanted ||= answer.wake;
  }
  return isWanted;
}

function divideMoved({ topology }: Fleet, queues: PartitionedQueues, { args }: Parcel): Parcel[] {
  return splitMoved(args).map((item) => ({
    to: homeOfMoved(topology, queues, item),
    args: item,
    count: 1,
    isMoved: true,
  }));
}

function divideMessages({ topology }: Fleet, queues: PartitionedQueues, id: string, { args }: Parcel): Parcel[] {
  const placing = openPlacing(topology, queues);
  return readSegments(args).map(({ id: own, message }) => {
    const to = topology.home(placeMessage(queues, message, id));
    return { to, args: encodeSegments([placing.settle(message, to)], own), count: 1 };
  });
}

/** Where it is decided just now whether the home of a message moves, nothing comes there: another try brings it. */
function isHeldUp({ topology }: Fleet, queues: PartitionedQueues, id: string, { args, isMoved }: Parcel): boolean {
  if (isMoved) return false;
  return readSegments(args).some(({ message }) => topology.isClosing(placeMessage(queues, message, id)));
}

/** A message alone whose queue has an order or limits has to go where the others of it are by now. */
function hasMoved({ topology }: Fleet, queues: PartitionedQueues, id: string, parcel: Parcel): boolean {
  const { to, args, count, isMoved } = parcel;
  if (isMoved || count !== 1 || !topology.map.before || topology.stateOf(to) === 'gone') return false;
  const [first] = readSegments(args);
  if (!first) return false;
  const queue = queues.get(parseLane(first.message.lane).queue);
  return queue !== undefined && isBound(queue) && topology.home(placeMessage(queues, first.message, id)) !== to;
}

/**
 * Whether an earlier try has brought the parcel anywhere, by whichever map.
 * @throws StorageError where one of the shards does not say: it may be there; HeldBack where this deployment cannot ask one
 */
async function hasArrived({ topology, all }: Fleet, id: string): Promise<boolean> {
  const { unknown } = topology;
  if (unknown !== undefined) throw unknownShard(unknown);
  const asked = all.map(async (shard) => {
    await topology.heal(shard); // who knows an older map cannot store it there any more
    return shard.send(['EXISTS', shard.keys.request(tokenOf(id))]);
  });
  return (await Promise.all(asked)).some((count) => count === 1);
}

/** Another version of the deployment has it in its settings. */
const unknownShard = (name: string) => new HeldBack(`the settings of this deployment have no shard ${name}`);

const tokenOf = (id: string) => `parcel-${id}`;

/** A parcel that has arrived is not needed any more. Where nobody takes it away it is forwarded again, and changes nothing. @throws StorageError */
export async function dropParcel({ run, keys }: Shard, id: string): Promise<void> {
  await run(scripts.cancel, [keys.timers, keys.message(id)], [keys.root, id, '']);
}
