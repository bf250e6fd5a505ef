/** The admin store over several shards: what is one thing is looked up, what is on all of them is summed, merged or paged. */
import { StorageError } from '../errors.ts';
import { labelOf } from '../message/ids.ts';
import type { Shard } from '../redis/shard.ts';
import { type AdminStore, openAdminStore } from '../store/admin.ts';
import type { Redriven, Stored } from '../store/admin-messages.ts';
import type { Cause, Counts, HeldLease, Leases } from '../store/admin-queues.ts';
import type { Fleet } from './fleet.ts';
import { answerOf, lookUp } from './look-up.ts';
import { findPlace, makeCursor, readPage } from './pages.ts';
import { isParcelLane, PARCEL_QUEUE } from './parcel.ts';

/** Destinations of one page. */
const BREAKERS = 500;

/** @param onWork called where messages that waited are ready for a drain now */
export function openFleetAdminStore(fleet: Fleet, onWork?: () => void): AdminStore {
  if (!fleet.topology.isMany) return openAdminStore(fleet.all[0], onWork);
  const at = (shard: Shard) => openAdminStore(shard, onWork);
  return { ...openMessages(fleet, at), ...openQueues(fleet, at) };
}

type At = (shard: Shard) => AdminStore;
type Messages = Pick<AdminStore, 'cancel' | 'redrive' | 'look' | 'browse' | 'purge'>;
type QueueCalls = Omit<AdminStore, keyof Messages>;

function openMessages(fleet: Fleet, at: At): Messages {
  return {
    cancel: (id) =>
      lookUp(
        fleet,
        id,
        async (shard) => ((await hasParcel(shard, id)) ? 'gone' : at(shard).cancel(id)),
        (was) => was !== 'gone',
      ),
    look: (id) =>
      lookUp(
        fleet,
        id,
        async (shard) => hideParcel(await at(shard).look(id)),
        ({ state, result }) => state !== 'gone' || result !== undefined,
      ),
    redrive: (queue, ids, pool) => redrive(fleet, ids, (shard, some) => at(shard).redrive(queue, some, pool)),
    async browse(queue, state, limit, cursor, bodies = true) {
      await fleet.ready();
      if (!bodies) return findOldest(fleet, limit, (shard) => at(shard).browse(queue, state, limit, '', false));
      const { items, ...page } = await readPage(fleet, limit, cursor, '', async (shard, most, from) => {
        const { messages, ...rest } = await at(shard).browse(queue, state, most, from, bodies);
        return { items: messages, ...rest };
      });
      return { messages: items, ...page };
    },
    purge: openPurge(fleet, at),
  };
}

/**
 * A parcel is no message of anybody's: whoever mistook one for it and cancelled it would lose what is in it. That of a callback has the id of
 * its message, and may be there still when that has arrived, which would come all the same.
 */
async function hasParcel({ send, keys }: Shard, id: string): Promise<boolean> {
  const envelope = await send(['GET', keys.message(id)]);
  return typeof envelope === 'string' && isParcelLane(envelope);
}

function hideParcel<Looked extends Awaited<ReturnType<AdminStore['look']>>>(looked: Looked): Looked {
  const isParcel = isParcelLane(looked.envelope);
  return isParcel ? { ...looked, state: 'gone' } : looked;
}

/**
 * One shard after the other. What does not answer is passed over, and told at the end: a purge must not say that a queue is empty
 * which is not.
 */
function openPurge(fleet: Fleet, at: At): Messages['purge'] {
  let failure: unknown;
  return async (queue, states, cursor) => {
    await fleet.ready();
    const { place, inner } = findPlace(fleet, cursor, '0');
    const shard = fleet.all[place] as Shard;
    let step = { purged: 0, cursor: '0', more: false };
    try {
      step = await at(shard).purge(queue, states, inner);
    } catch (error) {
      fleet.noteAway(shard, error);
      failure ??= error;
    }
    if (step.more) return { ...step, cursor: makeCursor(shard, step.cursor) };
    const next = fleet.all[place + 1];
    if (next) return { ...step, more: true, cursor: makeCursor(next, '0') };
    if (failure !== undefined) throw failure;
    return step;
  };
}

/** So many of all shards, the oldest first. */
async function findOldest(
  fleet: Fleet,
  limit: number,
  browse: (shard: Shard) => Promise<{ messages: Stored[] }>,
): Promise<{ cursor: string; messages: Stored[] }> {
  const found = (await fleet.askAll(browse)).flatMap(({ answer }) => answer.messages);
  const oldest = found.toSorted((one, other) => (one.at ?? 0) - (other.at ?? 0));
  return { cursor: '', messages: oldest.slice(0, limit) };
}

/**
 * Those of one hint are asked for together, and what is not there on all other shards.
 * @throws StorageError where nobody who answers has one of them, and one that is away may
 */
async function redrive(
  fleet: Fleet,
  ids: string[],
  ask: (shard: Shard, ids: string[]) => Promise<Redriven[]>,
): Promise<Redriven[]> {
  await fleet.ready();
  const statuses = new Map<string, Redriven>();
  const isOpen = (id: string) => (statuses.get(id) ?? 'gone') === 'gone';
  const failures = new Map<string, unknown>();
  for (const isHinted of [true, false]) {
    const asking = fleet.all.map(async (shard) => {
      const own = ids.filter((id) => isOpen(id) && (labelOf(id) === shard.identity.label) === isHinted);
      if (own.length === 0) return [];
      const answered = await answerOf(() => ask(shard, own));
      if ('error' in answered) for (const id of own) failures.set(id, answered.error);
      return 'answer' in answered ? own.map((id, index) => [id, answered.answer[index] as Redriven] as const) : [];
    });
    for (const [id, status] of (await Promise.all(asking)).flat()) if (isOpen(id)) statuses.set(id, status);
  }
  const lacking = ids.find((id) => isOpen(id) && failures.has(id));
  if (lacking !== undefined) throw failures.get(lacking);
  return ids.map((id) => statuses.get(id) ?? 'gone');
}

function openQueues(fleet: Fleet, at: At): QueueCalls {
  const countAll = async (queues: string[]): Promise<Counts[]> => {
    await fleet.ready();
    const counted = await fleet.askAll((shard) => at(shard).countAll(queues));
    const isWhole = counted.length === fleet.all.length;
    return queues.map((_, index) =>
      addCounts(
        counted.map(({ answer }) => answer[index] as Counts),
        isWhole,
      ),
    );
  };
  return {
    pause: (queue, pool) => onEach(fleet, (shard) => at(shard).pause(queue, pool)),
    resume: (queue, pool) => onEach(fleet, (shard) => at(shard).resume(queue, pool)),
    limit: (queue, pool, limits) => onEach(fleet, (shard) => at(shard).limit(queue, pool, limits)),
    count: async (queue) => (await countAll([queue]))[0] as Counts,
    countAll,
    async names(asked) {
      await fleet.ready();
      const named = await fleet.askAll((shard) => at(shard).names(asked));
      const pools = new Map(named.flatMap(({ answer }) => answer.map(({ name, pool }) => [name, pool])));
      pools.delete(PARCEL_QUEUE); // it is no queue of anybody's
      const silent = fleet.all.find((shard) => !named.some((answered) => answered.shard === shard));
      if (silent && asked?.some((name) => !pools.has(name))) throw mayBeKnown(silent);
      return [...pools].map(([name, pool]) => ({ name, pool }));
    },
    leases: (limit, cursor) => readLeases(fleet, limit, cursor, at),
    async causes(queue, limit) {
      await fleet.ready();
      const asked = await fleet.askAll((shard) => at(shard).causes(queue, limit));
      const causes = asked.flatMap(({ answer }) => answer.causes).toSorted((one: Cause, other) => other.at - one.at);
      return { dead: asked.reduce((sum, { answer }) => sum + answer.dead, 0), causes: causes.slice(0, limit) };
    },
    async breakers(cursor) {
      await fleet.ready();
      const { items, ...page } = await readPage(fleet, BREAKERS, cursor, '0', async (shard, _, from) => {
        const { breakers, ...rest } = await at(shard).breakers(from);
        return { items: breakers.filter(({ queue }) => queue !== PARCEL_QUEUE), ...rest }; // no destination of anybody's
      });
      return { breakers: items, ...page };
    },
  };
}

function mayBeKnown({ identity }: Shard): StorageError {
  return Object.assign(new StorageError('unreachable', 'it may know the queue, and does not answer'), {
    shard: identity.name,
  });
}

/** What all have to know: who does not take it is told, and the others have it. @throws StorageError */
async function onEach(fleet: Fleet, call: (shard: Shard) => Promise<void>): Promise<void> {
  await fleet.ready();
  const results = await Promise.allSettled(fleet.all.map(call));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}

async function readLeases(fleet: Fleet, limit: number, cursor: string, at: At): Promise<Leases> {
  await fleet.ready();
  const told: Leases[] = [];
  const { items, ...page } = await readPage<HeldLease>(fleet, limit, cursor, '', async (shard, most, from) => {
    const { leases, ...rest } = await at(shard).leases(most, from);
    told.push({ leases, ...rest });
    return { items: leases.map((lease) => ({ ...lease, shard: shard.identity.name })), cursor: rest.cursor };
  });
  const [first] = told as [Leases, ...Leases[]];
  const sleepsUntil = Math.max(0, ...told.map((each) => each.sleepsUntil ?? 0));
  return {
    now: first.now,
    leases: items,
    ...page,
    awake: told.some(({ awake }) => awake),
    ...(sleepsUntil > 0 ? { sleepsUntil } : {}),
  };
}

/** @param isWhole no shard is away: else there may be more, and older ones */
function addCounts(counts: Counts[], isWhole: boolean): Counts {
  const ready: Record<string, number> = {};
  for (const { ready: own } of counts) {
    for (const [priority, count] of Object.entries(own)) ready[priority] = (ready[priority] ?? 0) + count;
  }
  const sum = (kind: 'delayed' | 'leased' | 'dead') => counts.reduce((all, each) => all + each[kind], 0);
  const oldest = Math.min(...counts.map(({ oldestReadyAt = Number.POSITIVE_INFINITY }) => oldestReadyAt));
  return {
    ready,
    delayed: sum('delayed'),
    leased: sum('leased'),
    dead: sum('dead'),
    ...(oldest < Number.POSITIVE_INFINITY ? { oldestReadyAt: oldest } : {}),
    paused: counts.some(({ paused }) => paused),
    limits: counts.find(({ limits }) => limits !== '')?.limits ?? '',
    complete: isWhole && counts.every(({ complete }) => complete),
    oldestComplete: isWhole && counts.every(({ oldestComplete }) => oldestComplete),
  };
}
