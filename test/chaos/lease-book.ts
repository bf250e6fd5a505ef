/**
 * The lease book: from what the syncs answered, which entries stand in which lease, and which leases expired.
 *
 * No answer says that a lease expired. It shows in the next attempt of what it held being given out, or in what it held
 * missing from an answer that would have it. The book records with each lapse when the lease was last extended, so that the
 * checker can tell an expired lease from one that was broken. A request that ran late, after its own repeat, says it holds
 * what it does not hold any more: its answer proves nothing, and what it leaves open is not taken for extended.
 */
import { parseEntry } from '../../src/message/ids.ts';
import type { History } from './history.ts';
import { isParcelEntry, type Seen, type Stored, type Synced } from './observed.ts';

export interface LeaseBook {
  see(seen: Seen): void;
  /** Messages in leases now, those of dead consumers included. */
  held(): number;
  /** Messages stored and not settled for good. Those that lapsed for the last time stay in this count. */
  open(): number;
  stored(): number;
  acked(): number;
  /** Sent from one shard to another, but for those of callbacks; what a handler chains counts by its messages. */
  parcels(): number;
  handedOff(): HandedOff;
  /** Leases in which drains had messages while they had others in another one. */
  furtherLeases(): number;
}

/** Messages that went straight into the lease of a drain. */
export interface HandedOff {
  messages: number;
  /** Settled under that very lease. */
  handled: number;
  /** Given back under it, unhandled. */
  givenBack: number;
  /** Out of it when its time was over. */
  lapsed: number;
  /** Leases, and those of them that were never synced: their drains were dead by then, or had never begun. */
  leases: number;
  neverSynced: number;
}

interface Extension {
  extendedAt: number;
  leaseMs: number;
}

interface Lease extends Extension {
  entries: Set<string>;
}

interface Holder {
  entry: string;
  lease: string;
  /** The last extension that is certain, where later ones are not. */
  certain?: Extension;
}

export function keepLeaseBook(history: History): LeaseBook {
  const leases = new Map<string, Lease>();
  const holders = new Map<string, Holder>();
  let stored = 0;
  let acked = 0;
  let sent = 0;
  const handed = followHandedOff();
  const drains = new Map<string, Set<string>>();
  const further = new Set<string>();
  let dead = 0;

  /** Whether the book has this entry in this lease. */
  function has(entry: string, name: string): boolean {
    const holder = holders.get(parseEntry(entry).id);
    return holder?.entry === entry && holder.lease === name;
  }

  function remove(entry: string, name: string): void {
    if (has(entry, name)) holders.delete(parseEntry(entry).id);
    const entries = leases.get(name)?.entries;
    entries?.delete(entry);
    if (entries?.size === 0) leases.delete(name);
  }

  /** These entries, all of one lease and last extended together, came out of it. */
  function lapse(name: string, entries: string[], at: number): void {
    const [first] = entries;
    const extension = first && (holders.get(parseEntry(first).id)?.certain ?? leases.get(name));
    if (!extension) return;
    const { extendedAt, leaseMs } = extension;
    history.record({ what: 'lapse', lease: name, entries, at, extendedAt, leaseMs });
    for (const entry of entries) handed.ended(entry, name, 'lapsed');
    for (const entry of entries) remove(entry, name);
  }

  /** They may have been in the lease when it was extended, or not. */
  function doubt(name: string, { extendedAt, leaseMs, entries }: Lease, doubtful: string[]): void {
    for (const entry of doubtful) {
      holders.set(parseEntry(entry).id, { entry, lease: name, certain: { extendedAt, leaseMs } });
      entries.delete(entry);
    }
  }

  /** What came with acks was asked for and answered in one: it is there, or was never begun. */
  function chain({ chained, promised, at, shard }: Synced): void {
    if (chained.length + promised.length === 0) return;
    const request = history.begin([...chained.map(({ key }) => key), ...promised]);
    history.record({ what: 'stored', messages: chained, at, ...on(shard) });
    sent += promised.length;
    if (promised.length > 0) history.record({ what: 'promised', keys: promised });
    history.record({ what: 'ok', request, ids: chained.map(({ id }) => id) });
    stored += chained.length;
  }

  function settle({ lease: name, settlements, at }: Synced): void {
    if (settlements.length === 0) return;
    history.record({ what: 'settled', lease: name, settlements, at });
    const returned: string[] = [];
    for (const { entry, status } of settlements) {
      if (status === 'refused') continue; // it stays where it is
      if (status === 'stale' && has(entry, name)) returned.push(entry);
      else remove(entry, name);
      if (status === 'released') handed.ended(entry, name, 'givenBack');
      else if (status === 'acked' || status === 'retried' || status === 'dead') handed.ended(entry, name, 'handled');
      if (isParcelEntry(entry)) continue;
      if (status === 'acked') acked += 1;
      if (status === 'dead') dead += 1;
    }
    for (const entry of returned) lapse(name, [entry], at);
  }

  /** What the answer does not name is what the caller holds, or was swept, or the request ran late. */
  function findSwept({ lease: name, held: besides, settlements, lost, unseen, taken, at }: Synced): void {
    const lease = leases.get(name);
    if (!lease) return;
    const isTold = besides >= 0; // a caller that only settles does not say what it holds
    const held = besides + settlements.filter(({ status }) => status === 'refused').length;
    const named = new Set(taken); // what was in transit comes again with each answer, unless that has to be continued
    const unnamed = [...lease.entries].filter((entry) => !named.has(entry));
    if (isTold && !lost && !unseen && held === 0) lapse(name, unnamed, at);
    else if (!isTold || lost || unseen || unnamed.length !== held) doubt(name, lease, unnamed);
  }

  /** Where storage refused a part and nothing was taken, nobody can tell whether the lease was extended. */
  function take({ lease: name, leaseMs, taken, at, refused, shard }: Synced): void {
    const fresh = taken.filter((entry) => !has(entry, name));
    for (const entry of fresh) {
      const holder = holders.get(parseEntry(entry).id);
      if (holder && holder.entry !== entry) lapse(holder.lease, [holder.entry], at);
      else if (holder) remove(holder.entry, holder.lease);
    }
    const known = leases.get(name);
    if (refused && fresh.length === 0) return;
    const lease = { extendedAt: at, leaseMs, entries: known?.entries ?? new Set<string>() };
    for (const entry of taken) {
      holders.set(parseEntry(entry).id, { entry, lease: name });
      lease.entries.add(entry);
    }
    leases.set(name, lease);
    if (lease.entries.size === 0) leases.delete(name);
    else history.record({ what: 'leased', lease: name, entries: fresh, at, leaseMs, ...on(shard) });
  }

  function store({ handedTo, met, parcels, ...what }: Stored): void {
    stored += what.messages.length;
    history.record(what);
    if (met.length > 0) history.record({ what: 'met', keys: met });
    sent += parcels;
    if (!handedTo) return;
    const { lease: name, leaseMs } = handedTo;
    const entries = what.messages.map(({ id }) => `1.${id}`);
    handed.begun(name, entries);
    for (const { id } of what.messages) holders.set(id, { entry: `1.${id}`, lease: name });
    leases.set(name, { extendedAt: what.at, leaseMs, entries: new Set(entries) });
    history.record({ what: 'leased', lease: name, entries, at: what.at, leaseMs, ...on(what.shard) });
  }

  /** Whether this drain has another lease with messages beside this one. */
  function noteDrain({ drain, lease }: Synced): void {
    if (drain === undefined || !leases.has(lease)) return;
    const own = drains.get(drain) ?? new Set();
    drains.set(drain, own.add(lease));
    for (const other of own) if (!leases.has(other)) own.delete(other);
    if (own.size > 1) further.add(lease);
  }

  return {
    see(seen) {
      if (seen.what === 'stored') return store(seen);
      handed.synced(seen.lease);
      chain(seen);
      settle(seen);
      findSwept(seen);
      take(seen);
      noteDrain(seen);
    },
    held: () => holders.size,
    open: () => stored - acked - dead,
    stored: () => stored,
    acked: () => acked,
    parcels: () => sent,
    handedOff: handed.figures,
    furtherLeases: () => further.size,
  };
}

const on = (shard: string | undefined) => (shard === undefined ? {} : { shard });

function followHandedOff() {
  const figures: HandedOff = { messages: 0, handled: 0, givenBack: 0, lapsed: 0, leases: 0, neverSynced: 0 };
  const leaseOf = new Map<string, string>();
  const unsynced = new Set<string>();
  return {
    begun(lease: string, entries: string[]): void {
      figures.messages += entries.length;
      figures.leases += 1;
      unsynced.add(lease);
      for (const entry of entries) leaseOf.set(entry, lease);
    },
    synced: (lease: string) => void unsynced.delete(lease),
    ended(entry: string, lease: string, how: 'handled' | 'givenBack' | 'lapsed'): void {
      if (leaseOf.get(entry) !== lease) return;
      leaseOf.delete(entry);
      figures[how] += 1;
    },
    figures: (): HandedOff => ({ ...figures, neverSynced: unsynced.size }),
  };
}
