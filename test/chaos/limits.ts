/**
 * Limits: never more messages of a queue in leases at once than allowed.
 *
 * Pure. A lease whose time is over counts no more: from then on the store may give back what it held at any moment. What it held
 * before does not count either where it begins anew: a call that is repeated for long enough does that under the old name.
 */
import { parseEntry } from '../../src/message/ids.ts';

/** How many messages of a queue may be out at once; undefined: as many as like. */
export type LimitOf = (queue: string) => number | undefined;

export interface Limits {
  extended(lease: string, at: number, leaseMs: number): void;
  leased(entry: string, queue: string, lease: string, at: number): void;
  returned(entry: string, queue: string): void;
}

export function watchLimits(limitOf: LimitOf, blame: (id: string) => void): Limits {
  const leasedUntil = new Map<string, number>();
  const heldOf = new Map<string, Map<string, string>>();
  const drop = (lease: string) => {
    for (const held of heldOf.values()) for (const [id, holder] of held) if (holder === lease) held.delete(id);
  };
  return {
    extended(lease, at, leaseMs) {
      if ((leasedUntil.get(lease) ?? at) < at) drop(lease);
      leasedUntil.set(lease, at + leaseMs);
    },
    leased(entry, queue, lease, at) {
      const limit = limitOf(queue);
      if (limit === undefined) return;
      const held = heldOf.get(queue) ?? new Map<string, string>();
      const { id } = parseEntry(entry);
      heldOf.set(queue, held.set(id, lease));
      if (held.size <= limit) return;
      for (const [other, holder] of held) if ((leasedUntil.get(holder) ?? 0) <= at) held.delete(other);
      if (held.size > limit) blame(id);
    },
    returned: (entry, queue) => void heldOf.get(queue)?.delete(parseEntry(entry).id),
  };
}
