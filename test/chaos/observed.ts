/**
 * What the checker needs of what the scripts did: the keys in the bodies, and which retries were cut off by a drain's end. Where there
 * are several shards, also which of them it was, and what is a parcel: that is no message of anybody's, and has names of its own here.
 */
import { type Enqueued, type Synced as Happened, messagesIn, whatHappened } from '../../scripts/lua/observe.ts';
import type { Observation } from '../../src/dev/emulator/backend.ts';
import { parseEntry } from '../../src/message/ids.ts';
import { parseLane } from '../../src/message/lane.ts';
import type { SettledEntry, StoredMessage } from './history.ts';
import { keyIn } from './messages.ts';

interface Where {
  /** Left out where there is one. */
  shard?: string;
}

export type Synced = Omit<Happened, 'settlements' | 'chained' | 'envelopes'> &
  Where & {
    settlements: SettledEntry[];
    /** Stored with the acks among them, in the order in which they were. */
    chained: StoredMessage[];
    /** Keys of what was stored with them for other shards. */
    promised: string[];
  };

export type Stored = {
  what: 'stored';
  messages: StoredMessage[];
  at: number;
  /** Keys of messages for which another stands. */
  met: string[];
  /** Parcels stored with them. */
  parcels: number;
} & Where &
  Pick<Enqueued, 'handedTo'>;

export type Seen = Synced | Stored;

/** What one shard holds for another stands in this queue. */
const PARCELS = '>';
const PARCEL_LANE = /^\d:>\//;
/** Stands before the id of a parcel: one that carries a callback has the id of its message. */
const PARCEL = 'parcel ';

export interface Observer {
  /** @returns undefined for what changes nothing of interest */
  see(observation: Observation): Seen | undefined;
  /** Whether this is the id of a parcel that was sent with a request. */
  isParcel(id: string): boolean;
}

/** @param shard whose commands it sees; left out where there is one */
export function openObserver(shard?: string): Observer {
  const parcels = new Set<string>();
  const sent = new Set<string>();
  const inLeases = followPlaces();
  const where = shard === undefined ? {} : { shard };
  /** Leases and drains have one name on all shards, and are others on each. */
  const here = (name: string) => (shard === undefined ? name : `${shard} ${name}`);
  const renamed = (entry: string) => {
    const { id } = parseEntry(entry);
    return parcels.has(id) ? entry.replace(id, () => PARCEL + id) : entry;
  };

  function storedIn({ messages, met, at, handedTo }: Enqueued): Stored {
    const own = messages.filter(isNoParcel);
    for (const message of messages) if (!isNoParcel(message)) sent.add(message.id);
    const entries = messages.map(({ id }) => `1.${id}`);
    if (handedTo) inLeases.taken(handedTo.lease, entries);
    return {
      ...{ what: 'stored', messages: own.map(withKey), at, met: met.map((message) => withKey(message).key), ...where },
      parcels: messages.length - own.length,
      ...(handedTo && { handedTo: { ...handedTo, lease: here(handedTo.lease) } }),
    };
  }

  function syncedIn({ envelopes, chained, ...synced }: Happened): Synced {
    for (const [i, entry] of synced.taken.entries()) {
      if (PARCEL_LANE.test(envelopes[i] ?? '')) parcels.add(parseEntry(entry).id);
    }
    const stored = chained.toSorted(inLeases.byPlace(synced.lease)).flatMap(({ messages }) => messages);
    inLeases.settled(synced.lease, synced.settlements);
    inLeases.taken(synced.lease, synced.taken);
    const settlements = synced.settlements.map(({ text, entry, ...settled }) => ({
      ...{ ...settled, entry: renamed(entry) },
      cutOff: settled.outcome === 'retry' && text.startsWith('its drain had to end'),
    }));
    const taken = synced.taken.map(renamed);
    return {
      ...{ ...synced, ...where, taken, settlements, lease: here(synced.lease) },
      ...(synced.drain !== undefined && { drain: here(synced.drain) }),
      chained: stored.filter(isNoParcel).map(withKey),
      promised: stored.filter((message) => !isNoParcel(message)).flatMap(carriedBy),
    };
  }

  return {
    isParcel: (id) => sent.has(id),
    see(observation) {
      const happened = whatHappened(observation);
      if (!happened) return undefined;
      return happened.what === 'enqueued' ? storedIn(happened) : syncedIn(happened);
    },
  };
}

/**
 * Where entries stand in their leases: in the order in which they were taken they are settled, whatever the order of the call is, and so is
 * stored what comes with their acks.
 */
function followPlaces() {
  const leases = new Map<string, Map<string, number>>();
  let count = 0;
  const placesIn = (lease: string) => {
    const places = leases.get(lease) ?? new Map<string, number>();
    leases.set(lease, places);
    return places;
  };
  return {
    taken(lease: string, entries: string[]): void {
      const places = placesIn(lease);
      for (const entry of entries) if (!places.has(entry)) places.set(entry, count++); // in transit it keeps its place
    },
    settled(lease: string, settlements: Happened['settlements']): void {
      const places = placesIn(lease);
      for (const { entry, status } of settlements) if (status !== 'refused') places.delete(entry);
    },
    byPlace(lease: string) {
      const places = placesIn(lease);
      const placeOf = ({ by }: { by: string }) => places.get(by) ?? count;
      return (one: { by: string }, other: { by: string }) => placeOf(one) - placeOf(other);
    },
  };
}

export const isParcelEntry = (entry: string) => parseEntry(entry).id.startsWith(PARCEL);

const isNoParcel = ({ lane }: Enqueued['messages'][number]) => parseLane(lane).queue !== PARCELS;

/** The keys of the messages in a parcel. */
function carriedBy({ json }: Enqueued['messages'][number]): string[] {
  const { body } = JSON.parse(json) as { body: { args: string[] } };
  return messagesIn(body.args, 0).map((message) => withKey(message).key);
}

function withKey({ id, lane, delayMs, json }: Enqueued['messages'][number]): StoredMessage {
  const { body } = JSON.parse(json) as { body: unknown };
  return { id, key: keyIn(parseLane(lane).queue, body), lane, delayMs };
}
