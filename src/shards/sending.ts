/**
 * Sending: what leaves a shard for others, in parcels. While one arrives the next is read, and no parcel leaves for a shard before the
 * last one has arrived there: what was in one lane stays in its order, and whoever dies leaves one parcel for each shard at most.
 */
import { newToken } from '../message/ids.ts';
import type { Shard } from '../redis/shard.ts';
import { evacuate, type Moving } from '../store/moving.ts';
import type { Fleet } from './fleet.ts';
import { dropParcel, forward } from './forward.ts';
import { type Parcel, pack } from './parcel.ts';

export interface Leaving {
  /** The name of a shard. */
  to: string;
  moving: Moving;
  /** The same, where it turns out that it keeps the slot of its group. */
  held?: Moving;
}

/** Characters of one parcel, but for one message that is longer: a drain has to take it in one answer. */
const PARCEL_LENGTH = 384 * 1024;
/** Messages of one parcel: so much one script does at once. */
const PARCEL_COUNT = 500;
/** No drain forwards a parcel before: whoever sends it does that at once. */
const PARCEL_DELAY_MS = 2_000;
/** So often what has changed since it was read is looked at again. */
const TRIES = 3;

/**
 * Sends what some work finds.
 * @returns how many left the shard
 * @throws StorageError; what is in parcels by then arrives
 */
export async function sendFrom(fleet: Fleet, shard: Shard, work: (sending: Sending) => Promise<void>): Promise<number> {
  const sending = new Sending(fleet, shard);
  try {
    await work(sending);
    await sending.flush();
  } finally {
    await sending.settle();
  }
  sending.check();
  return sending.left;
}

export const sendAway = (fleet: Fleet, shard: Shard, leaving: readonly Leaving[]): Promise<number> =>
  sendFrom(fleet, shard, (sending) => sending.add(leaving));

export class Sending {
  /** How many have left. */
  left = 0;
  readonly #fleet: Fleet;
  readonly #shard: Shard;
  readonly #open = new Map<string, { batch: Leaving[]; length: number }>();
  /** By its shard the last parcel. */
  readonly #arriving = new Map<string, Promise<void>>();
  /** Parcels that have arrived, and go. */
  readonly #going = new Set<Promise<void>>();
  #failure: unknown;

  constructor(fleet: Fleet, shard: Shard) {
    this.#fleet = fleet;
    this.#shard = shard;
  }

  /** What fills a parcel goes, and the rest waits for more. @throws StorageError */
  async add(leaving: readonly Leaving[]): Promise<void> {
    for (const each of leaving) {
      const { to, moving } = each;
      const length = moving.moved.reduce((sum, text) => sum + text.length, 0);
      const last = this.#open.get(to);
      const isFull = last && (last.length + length > PARCEL_LENGTH || last.batch.length >= PARCEL_COUNT);
      if (isFull) await this.#send(to);
      const open = this.#open.get(to) ?? { batch: [], length: 0 };
      open.batch.push(each);
      open.length += length;
      this.#open.set(to, open);
    }
  }

  /** What waits for more goes as it is. @throws StorageError */
  async flush(): Promise<void> {
    const sent = await Promise.allSettled([...this.#open.keys()].map((to) => this.#send(to)));
    for (const result of sent) if (result.status === 'rejected') throw result.reason;
  }

  /** Nothing is under way any more. */
  async settle(): Promise<void> {
    await Promise.all(this.#arriving.values());
    await Promise.all(this.#going);
  }

  /** @throws StorageError where a parcel has not arrived */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #send(to: string): Promise<void> {
    const { batch = [] } = this.#open.get(to) ?? {};
    this.#open.delete(to);
    this.#fleet.named(to); // what this deployment could not forward stays
    await this.#arriving.get(to);
    this.check();
    const sent = await this.#pack(to, batch);
    if (!sent) return;
    this.left += sent.parcel.count;
    this.#arriving.set(to, this.#bring(sent));
  }

  /** @returns the parcel that stands in the place of what left, if anything did */
  async #pack(to: string, batch: readonly Leaving[]): Promise<{ id: string; parcel: Parcel } | undefined> {
    let leaving = batch;
    for (let tries = 0; leaving.length > 0 && tries < TRIES; tries++) {
      const id = newToken(Date.now(), this.#shard.identity.label);
      const args = leaving.flatMap(({ moving }) => moving.moved);
      const parcel = { to, args, count: leaving.length, isMoved: true };
      const claims = leaving.map(({ moving }) => moving.claim);
      const statuses = await evacuate(this.#shard, id, pack(parcel, PARCEL_DELAY_MS), claims);
      if (!statuses) return { id, parcel };
      leaving = leaving.flatMap((each, i) => {
        if (statuses[i] === 'held' && each.held) return [{ to, moving: each.held }];
        return statuses[i] === 'same' ? [each] : [];
      });
    }
    return undefined;
  }

  /** It never rejects: whoever sends the next one is told. */
  async #bring({ id, parcel }: { id: string; parcel: Parcel }): Promise<void> {
    const fail = (error: unknown) => {
      this.#failure ??= error;
    };
    const hasArrived = await forward(this.#fleet, id, parcel).catch(fail);
    if (!hasArrived) return;
    const going = dropParcel(this.#shard, id).catch(fail);
    this.#going.add(going);
    void going.then(() => this.#going.delete(going));
  }
}
