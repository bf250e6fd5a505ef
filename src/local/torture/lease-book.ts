/**
 * The lease book: from what the exchanges answered, which entries stand in which lease, and which leases lapsed.
 *
 * No answer says that a lease lapsed. It shows in the next attempt of what it held being given out, or in its consumer
 * being told that it holds less than it thinks. The book records with each lapse when the lease was last extended, so that
 * the checker can tell an expired lease from one that was broken.
 */
import { parseEntry } from '../../message.ts';
import type { History } from './history.ts';
import type { Exchanged, Seen } from './observed.ts';

export interface LeaseBook {
  see(seen: Seen): void;
  /** Messages in leases now, those of dead consumers included. */
  held(): number;
  /** Messages stored and not settled for good. Those that lapsed for the last time stay in this count. */
  open(): number;
  stored(): number;
  acked(): number;
}

interface Lease {
  extendedAt: number;
  leaseMs: number;
  entries: Set<string>;
}

export function keepLeaseBook(history: History): LeaseBook {
  const leases = new Map<string, Lease>();
  const holders = new Map<string, { entry: string; lease: string }>();
  let stored = 0;
  let acked = 0;
  let dead = 0;

  function remove(entry: string, name: string): void {
    const { id } = parseEntry(entry);
    const holder = holders.get(id);
    if (holder?.entry === entry && holder.lease === name) holders.delete(id);
    leases.get(name)?.entries.delete(entry);
  }

  function lapse(name: string, entries: string[], at: number): void {
    const lease = leases.get(name);
    if (!lease || entries.length === 0) return;
    const { extendedAt, leaseMs } = lease;
    history.record({ what: 'lapse', lease: name, entries, at, extendedAt, leaseMs });
    for (const entry of entries) remove(entry, name);
    if (lease.entries.size === 0) leases.delete(name);
  }

  function settle({ lease: name, settlements, at }: Exchanged): void {
    if (settlements.length === 0) return;
    history.record({ what: 'settled', lease: name, settlements, at });
    const returned: string[] = [];
    for (const { entry, status } of settlements) {
      if (status === 'stale' && leases.get(name)?.entries.has(entry)) returned.push(entry);
      else remove(entry, name);
      if (status === 'acked') acked += 1;
      if (status === 'dead') dead += 1;
    }
    lapse(name, returned, at);
  }

  /** What the answer shows that the lease holds no more, though nobody settled it. */
  function findSwept({ lease: name, held, lost, taken, at }: Exchanged): void {
    const entries = leases.get(name)?.entries;
    if (!entries || (held > 0 && !lost)) return; // swept it would hold less than the caller
    const there = new Set(taken); // what was in transit comes again with each answer
    const swept = [...entries].filter((entry) => lost || !there.has(entry));
    lapse(name, swept, at);
  }

  function take({ lease: name, leaseMs, taken, at }: Exchanged): void {
    const fresh = taken.filter((entry) => !leases.get(name)?.entries.has(entry));
    const returned = new Map<string, string[]>();
    for (const entry of fresh) {
      const holder = holders.get(parseEntry(entry).id);
      if (!holder || holder.entry === entry) continue;
      const entries = returned.get(holder.lease) ?? [];
      entries.push(holder.entry);
      returned.set(holder.lease, entries);
    }
    for (const [other, entries] of returned) lapse(other, entries, at);

    const lease = leases.get(name) ?? { extendedAt: at, leaseMs, entries: new Set<string>() };
    Object.assign(lease, { extendedAt: at, leaseMs });
    for (const entry of fresh) {
      const { id } = parseEntry(entry);
      const holder = holders.get(id);
      if (holder) remove(holder.entry, holder.lease);
      holders.set(id, { entry, lease: name });
      lease.entries.add(entry);
    }
    if (lease.entries.size > 0) leases.set(name, lease);
    else leases.delete(name);
    if (lease.entries.size > 0) history.record({ what: 'leased', lease: name, entries: fresh, at, leaseMs });
  }

  return {
    see(seen) {
      if (seen.what === 'stored') {
        stored += seen.messages.length;
        return history.record(seen);
      }
      settle(seen);
      findSwept(seen);
      take(seen);
    },
    held: () => holders.size,
    open: () => stored - acked - dead,
    stored: () => stored,
    acked: () => acked,
  };
}
