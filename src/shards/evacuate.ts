/**
 * Evacuating: what stands on a shard and has its home elsewhere goes there. Each batch leaves in one step with the parcel that has it, so
 * wherever this ends nothing is lost and nothing is twice: what is in a parcel arrives, and the rest goes with the next call.
 */
import { openEnvelope } from '../message/envelope.ts';
import type { Shard } from '../redis/shard.ts';
import { openAdminStore } from '../store/admin.ts';
import type { Counts } from '../store/admin-queues.ts';
import { ANY_QUEUE, moveMessage, readStanding, type StandingMessage } from '../store/moving.ts';
import type { Fleet } from './fleet.ts';
import { dropParcel, forwardHome } from './forward.ts';
import { isParcelLane, openParcel, PARCEL_MS, PARCEL_QUEUE } from './parcel.ts';
import { type PartitionedQueues, placeStored } from './placing.ts';
import { type Leaving, type Sending, sendFrom } from './sending.ts';

type State = StandingMessage['state'];

export interface MovingOptions {
  fleet: Fleet;
  queues: PartitionedQueues;
  /** Whether no more is to begin: what is left goes with the next call. */
  isClosing(): boolean;
}

/** Messages read at once. */
const PAGE = 1_000;

/**
 * Moves the messages of a shard whose home is another.
 * @returns how many left it
 * @throws StorageError
 */
export async function evacuateMessages(options: MovingOptions, shard: Shard): Promise<number> {
  const { fleet, queues, isClosing } = options;
  await fleet.ready();
  const counts = await countQueues(shard, queues);
  const having = (state: State) => [...counts].flatMap(([name, own]) => (mayHave(own, state) ? [name] : []));
  const left = await sendFrom(fleet, shard, async (sending) => {
    // Ready ones come last: meanwhile drains take them where they are.
    for (const queue of having('dead')) await sendState(options, shard, queue, 'dead', sending);
    await sendState(options, shard, ANY_QUEUE, 'delayed', sending);
    for (const queue of having('ready')) {
      if (queue !== PARCEL_QUEUE) await sendState(options, shard, queue, 'ready', sending);
    }
  });
  const hasParcels = having('delayed').includes(PARCEL_QUEUE) || having('ready').includes(PARCEL_QUEUE);
  return hasParcels && !isClosing() ? left + (await forwardAll(options, shard)) : left;
}

/**
 * What a shard has of each queue. Storage knows by their names only those that a sweep has met, or that have something ready or dead.
 * @throws StorageError
 */
export async function countQueues(shard: Shard, queues: PartitionedQueues): Promise<Map<string, Counts>> {
  const store = openAdminStore(shard);
  const named = await store.names([...queues.keys()]);
  const names = [...new Set([...queues.keys(), ...named.map(({ name }) => name), PARCEL_QUEUE])];
  const counts = await store.countAll(names);
  return new Map(names.map((name, i) => [name, counts[i] as Counts]));
}

function mayHave({ ready, complete, ...counts }: Counts, state: State): boolean {
  const count = state === 'ready' ? Object.values(ready).reduce((sum, some) => sum + some, 0) : counts[state];
  return count > 0 || !complete;
}

/** @throws StorageError */
async function sendState(
  { fleet, queues, isClosing }: MovingOptions,
  shard: Shard,
  queue: string,
  state: State,
  sending: Sending,
): Promise<void> {
  const own = shard.identity.name;
  let cursor = '';
  while (!isClosing()) {
    const page = await readStanding(shard, queue, state, PAGE, cursor);
    const { left } = sending;
    await sending.add(
      page.messages.flatMap((message): Leaving[] => {
        if (isParcelLane(message.envelope) && state !== 'dead') return []; // it goes where it is for
        const to = fleet.topology.home(placeStored(queues, message.id, message.envelope));
        if (to === own) return [];
        return [{ to, moving: moveMessage(message), held: moveMessage({ ...message, held: true }) }];
      }),
    );
    if (page.cursor === '') return; // what came behind it since goes with the next call
    const isAtNextLane = state === 'ready' && page.cursor.endsWith(' 0');
    if (!isAtNextLane) {
      await sending.flush();
      if (sending.left > left) continue; // behind what has left the others have moved up
    }
    cursor = page.cursor;
  }
}

/** Parcels go where they are for: they do not become those of another shard. */
async function forwardAll(options: MovingOptions, shard: Shard): Promise<number> {
  let forwarded = 0;
  for (const state of ['delayed', 'ready'] as const) {
    for (let before = -1; before < forwarded; ) {
      before = forwarded;
      const { messages } = await readStanding(shard, PARCEL_QUEUE, state, PAGE, '');
      for (const message of messages) if (await forwardOne(options, shard, message)) forwarded += 1;
    }
  }
  return forwarded;
}

async function forwardOne(
  { fleet, queues, isClosing }: MovingOptions,
  shard: Shard,
  { id, entry, envelope }: StandingMessage,
): Promise<boolean> {
  const { body, enqueuedAt } = openEnvelope(entry, envelope).message;
  const ageMs = Date.now() - enqueuedAt;
  if (isClosing() || ageMs > PARCEL_MS) return false; // of one that is too old a drain makes a dead letter
  await forwardHome(fleet, queues, id, openParcel(id, body, ageMs));
  await dropParcel(shard, id);
  return true;
}

export const bodyOf = (envelope: string): unknown =>
  (JSON.parse(envelope.slice(envelope.indexOf('\n') + 1)) as { body: unknown }).body;
