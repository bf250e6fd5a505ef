/**
 * Closing: the end of a drain. Unstarted messages go back, running ones have the time of their queues. What still runs then blocked
 * the clock, and is cut off. Outcomes wait for each other, because requests may be what is scarce; but not where the process ends.
 */
import type { Connections } from './connections.ts';
import type { Handlers } from './handlers.ts';
import type { Holdings } from './holdings.ts';
import type { Lease } from './lease.ts';
import { RESERVED_MS } from './life.ts';
import type { DrainEnd, DrainOptions } from './report.ts';
import { GRACE_MS, type Syncs } from './syncs.ts';

export interface Closing {
  drain: DrainOptions;
  clock: () => number;
  connections: Connections;
  holdings: Holdings;
  handlers: Handlers;
  syncs: Syncs;
  /** Until something happened, or so long at most. */
  wait(mostMs: number): Promise<void>;
}

export async function closeDrain(closing: Closing): Promise<DrainEnd> {
  const { drain, holdings, handlers, syncs, wait, clock } = closing;
  const { budget } = drain;
  budget.close(); // what is left to code that enqueues may be free before this has ended
  holdings.giveBack();
  while (holdings.running.length > 0 && budget.msLeft() > RESERVED_MS) {
    const at = syncWhereDue(closing);
    await wait(Math.min(at - clock(), budget.msLeft() - RESERVED_MS));
    syncs.check();
    holdings.giveBack(); // what a sync that was in flight has brought
    handlers.expire();
  }
  await handlers.abortAll(() => wait(GRACE_MS));
  budget.finish();
  await Promise.all([...holdings.leases].map((lease) => settleAll(closing, lease)));
  const unsettled = holdings.leases.filter(({ outcomes }) => outcomes.length > 0);
  if (!budget.invocation.isSpent) return unsettled.length > 0 ? 'storage' : 'budget';
  for (const { name, outcomes } of unsettled) drain.onUnsettled?.({ lease: name, settlements: outcomes });
  return 'subrequests';
}

/** Extends leases whose handlers still run; where the process ends it settles too. @returns when it has to be done again */
function syncWhereDue({ drain, clock, connections, holdings, syncs }: Closing): number {
  let nextAt = Number.POSITIVE_INFINITY;
  if (drain.budget.invocation.isSpent) return nextAt;
  for (const lease of [...holdings.leases]) {
    if (lease.underWay || lease.isEmpty || !connections.hasRoom()) continue; // whatever ends has it look again
    const at = drain.budget.isStopped ? lease.syncAt(drain.leaseMs) : lease.heartbeatAt(drain.leaseMs);
    if (at <= clock()) syncs.begin({ lease, want: 0, isBusy: false });
    else nextAt = Math.min(nextAt, at);
  }
  return nextAt;
}

/** The last syncs of a lease: at least one where anything is left of it, and others while there is time. */
async function settleAll({ drain, holdings, syncs }: Closing, lease: Lease): Promise<void> {
  const { budget } = drain;
  await lease.underWay;
  syncs.check();
  holdings.giveBack();
  while (!budget.invocation.isSpent && (lease.outcomes.length > 0 || lease.inTransit)) {
    syncs.begin({ lease, want: 0, isBusy: false });
    await lease.underWay;
    syncs.check();
    holdings.giveBack(); // what a sync still brought was in transit
    if (budget.msLeft() <= 0) break;
  }
}
