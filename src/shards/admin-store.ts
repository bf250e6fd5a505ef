/** The admin store over several shards: what is one thing is looked up, what is on all of them is summed, merged or paged. */
import { labelOf } from '../message/ids.ts';
import type { Shard } from '../redis/shard.ts';
import { type AdminStore, openAdminStore } from '../store/admin.ts';
import type { Redriven } from '../store/admin-messages.ts';
import type { Cause, Counts, HeldLease, Leases } from '../store/admin-queues.ts';
import type { Fleet } from './fleet.ts';
import { lookUp } from './look-up.ts';
import { makeCursor, parseCursor, readPage } from './pages.ts';
import { PARCEL_QUEUE } from './parcel.ts';

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
        (shard) => at(shard).cancel(id),
        (was) => was !== 'gone',
      ),
    look: (id) =>
      lookUp(
        fleet,
        id,
        (shard) => at(shard).look(id),
        ({ state }) => state !== 'gone',
      ),
    redrive: (queue, ids, pool) => redrive(fleet, ids, (shard, some) => at(shard).redrive(queue, some, pool)),
    async browse(queue, state, limit, cursor, bodies) {
      await fleet.ready();
      const { items, ...page } = await readPage(fleet, limit, cursor, '', async (shard, most, from) => {
        const { messages, ...rest } = await at(shard).browse(queue, state, most, from, bodies);
        return { items: messages, ...rest };
      });
      return { messages: items, ...page };
    },
    async purge(queue, states, cursor) {
      await fleet.ready();
      // A purge that passes over a shard would say that a queue is empty which is not.
      const { name, inner } = parseCursor(cursor, '0');
      const place = Math.max(
        0,
        fleet.all.findIndex(({ identity }) => identity.name === name),
      );
      const shard = fleet.all[place] as Shard;
      const step = await at(shard).purge(queue, states, inner);
      if (step.more) return { ...step, cursor: makeCursor(shard, step.cursor) };
      const next = fleet.all[place + 1];
      return next ? { ...step, more: true, cursor: makeCursor(next, '0') } : step;
    },
  };
}

/** Those of one hint are asked for together, and what is not there on all other shards. */
async function redrive(
  fleet: Fleet,
  ids: string[],
  ask: (shard: Shard, ids: string[]) => Promise<Redriven[]>,
): Promise<Redriven[]> {
  await fleet.ready();
  const statuses = new Map<string, Redriven>();
  const isOpen = (id: string) => (statuses.get(id) ?? 'gone') === 'gone';
  for (const isHinted of [true, false]) {
    const asking = fleet.all.map(async (shard) => {
      const isOwn = (id: string) => (labelOf(id) === shard.identity.label) === isHinted;
      const own = ids.filter((id) => isOpen(id) && isOwn(id));
      const answers = own.length > 0 ? await ask(shard, own) : [];
      return own.map((id, index) => [id, answers[index] as Redriven] as const);
    });
    for (const [id, status] of (await Promise.all(asking)).flat()) if (isOpen(id)) statuses.set(id, status);
  }
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
        return { items: breakers, ...rest };
      });
      return { breakers: items, ...page };
    },
  };
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
