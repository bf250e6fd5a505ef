/**
 * Evacuating: what stands on a shard and has its home elsewhere goes there. Each batch leaves in one step with the parcel that has it, so
 * wherever this ends nothing is lost and nothing is twice: what is in a parcel arrives, and the rest goes with the next call.
 */
import { openEnvelope } from '../message/envelope.ts';
import { newToken } from '../message/ids.ts';
import type { Shard } from '../redis/shard.ts';
import { openAdminStore } from '../store/admin.ts';
import type { Counts } from '../store/admin-queues.ts';
import { evacuate, type Moving, moveMessage, readStanding, type StandingMessage } from '../store/moving.ts';
import type { Fleet } from './fleet.ts';
import { dropParcel, forward, forwardHome } from './forward.ts';
import { openParcel, PARCEL_MS, PARCEL_QUEUE, pack } from './parcel.ts';
import { type PartitionedQueues, placeStored } from './placing.ts';

export interface MovingOptions {
  fleet: Fleet;
  queues: PartitionedQueues;
  /** Whether no more is to begin: what is left goes with the next call. */
  isClosing(): boolean;
}

/** Messages read at once. */
const PAGE = 500;
/** Characters of one parcel, but for one message that is longer: a drain has to take it in one answer. */
const PARCEL_LENGTH = 384 * 1024;
/** Messages of one parcel: so much one script does at once. */
const PARCEL_COUNT = 300;
/** No drain forwards a parcel before: whoever evacuates does it at once. */
const PARCEL_DELAY_MS = 2_000;
/** So often what has changed since it was read is looked at again. */
const TRIES = 3;

/** Ready ones come last: meanwhile drains take them where they are. */
const STATES = ['dead', 'delayed', 'ready'] as const;

interface Leaving {
  to: string;
  moving: Moving;
  /** The same, where it turns out that it keeps the slot of its group. */
  held?: Moving;
}

/**
 * Moves the messages of a shard whose home is another.
 * @returns how many left it
 * @throws StorageError
 */
export async function evacuateMessages(options: MovingOptions, shard: Shard): Promise<number> {
  const { fleet, queues, isClosing } = options;
  await fleet.ready();
  const store = openAdminStore(shard);
  const named = await store.names([...queues.keys()]);
  const names = [...new Set([...queues.keys(), ...named.map(({ name }) => name), PARCEL_QUEUE])];
  const counts = await store.countAll(names);
  let moved = 0;
  for (const [i, queue] of names.entries()) {
    for (const state of STATES) {
      if (isClosing()) return moved;
      if (!mayHave(counts[i] as Counts, state)) continue;
      const isParcels = queue === PARCEL_QUEUE && state !== 'dead';
      moved += isParcels ? await forwardAll(options, shard, state) : await evacuateState(options, shard, queue, state);
    }
  }
  return moved;
}

function mayHave({ ready, complete, ...counts }: Counts, state: StandingMessage['state']): boolean {
  const count = state === 'ready' ? Object.values(ready).reduce((sum, some) => sum + some, 0) : counts[state];
  return count > 0 || !complete;
}

async function evacuateState(
  options: MovingOptions,
  shard: Shard,
  queue: string,
  state: StandingMessage['state'],
): Promise<number> {
  const { fleet, queues, isClosing } = options;
  const own = shard.identity.name;
  let moved = 0;
  let cursor = '';
  while (!isClosing()) {
    const page = await readStanding(shard, queue, state, PAGE, cursor);
    const leaving = page.messages.flatMap((message): Leaving[] => {
      const to = fleet.topology.home(placeStored(queues, message.id, message.envelope));
      if (to === own) return [];
      return [{ to, moving: moveMessage(message), held: moveMessage({ ...message, held: true }) }];
    });
    const left = await sendAway(fleet, shard, leaving);
    moved += left;
    // Behind what has left the others have moved up.
    if (left === 0) {
      if (page.cursor === '') break;
      cursor = page.cursor;
    }
  }
  return moved;
}

/** @returns how many went @throws StorageError */
export async function sendAway(fleet: Fleet, shard: Shard, leaving: readonly Leaving[]): Promise<number> {
  let sent = 0;
  for (const batch of batchesOf(leaving)) sent += await sendBatch(fleet, shard, batch);
  return sent;
}

async function sendBatch(fleet: Fleet, shard: Shard, batch: Leaving[]): Promise<number> {
  const [{ to }] = batch as [Leaving];
  fleet.named(to); // what this deployment could not forward stays
  let leaving = batch;
  for (let tries = 0; leaving.length > 0 && tries < TRIES; tries++) {
    const id = newToken(Date.now(), shard.identity.label);
    const args = leaving.flatMap(({ moving }) => moving.moved);
    const parcel = { to, args, count: leaving.length, isMoved: true };
    const claims = leaving.map(({ moving }) => moving.claim);
    const statuses = await evacuate(shard, id, pack(parcel, PARCEL_DELAY_MS), claims);
    if (!statuses) {
      if (await forward(fleet, id, parcel)) await dropParcel(shard, id);
      return leaving.length;
    }
    leaving = leaving.flatMap((each, i) => {
      if (statuses[i] === 'held' && each.held) return [{ to, moving: each.held }];
      return statuses[i] === 'same' ? [each] : [];
    });
  }
  return 0;
}

/** Each for one shard, and no larger than a parcel may be. */
function batchesOf(leaving: readonly Leaving[]): Leaving[][] {
  const batches: Leaving[][] = [];
  const open = new Map<string, { batch: Leaving[]; length: number }>();
  for (const each of leaving) {
    const length = each.moving.moved.reduce((sum, text) => sum + text.length, 0);
    let last = open.get(each.to);
    if (!last || last.length + length > PARCEL_LENGTH || last.batch.length >= PARCEL_COUNT) {
      last = { batch: [], length: 0 };
      open.set(each.to, last);
      batches.push(last.batch);
    }
    last.batch.push(each);
    last.length += length;
  }
  return batches;
}

/** Parcels go where they are for: they do not become those of another shard. */
async function forwardAll(
  { fleet, queues, isClosing }: MovingOptions,
  shard: Shard,
  state: StandingMessage['state'],
): Promise<number> {
  let forwarded = 0;
  for (let before = -1; before < forwarded; ) {
    before = forwarded;
    const { messages } = await readStanding(shard, PARCEL_QUEUE, state, PAGE, '');
    for (const { id, entry, envelope } of messages) {
      if (isClosing()) return forwarded;
      const { body, enqueuedAt } = openEnvelope(entry, envelope).message;
      const ageMs = Date.now() - enqueuedAt;
      if (ageMs > PARCEL_MS) continue; // a drain makes it a dead letter
      await forwardHome(fleet, queues, id, openParcel(id, body, ageMs));
      await dropParcel(shard, id);
      forwarded += 1;
    }
  }
  return forwarded;
}

export const bodyOf = (envelope: string): unknown =>
  (JSON.parse(envelope.slice(envelope.indexOf('\n') + 1)) as { body: unknown }).body;
