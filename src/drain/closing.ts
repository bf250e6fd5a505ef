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
import type { Track } from './track.ts';

export interface Closing {
  drain: DrainOptions;
  clock: () => number;
  connections: Connections;
  holdings: Holdings;
  handlers: Handlers;
  /** Its shards. */
  served: readonly { track: Track; syncs: Syncs }[];
  /** Until something happened, or so long at most. */
  wait(mostMs: number): Promise<void>;
}

export async function closeDrain(closing: Closing): Promise<DrainEnd> {
  const { drain, holdings, handlers, wait, clock } = closing;
  const { budget } = drain;
  budget.close(); // what is left to code that enqueues may be free before this has ended
  holdings.giveBack();
  while (holdings.running.length > 0 && budget.msLeft() > RESERVED_MS) {
    const at = syncWhereDue(closing);
    await wait(Math.min(at - clock(), budget.msLeft() - RESERVED_MS));
    check(closing);
    holdings.giveBack(); // what a sync that was in flight has brought
    handlers.expire();
  }
  await handlers.abortAll(() => wait(GRACE_MS));
  budget.finish();
  await settleLeases(closing);
  const unsettled = holdings.leases.filter(({ outcomes }) => outcomes.length > 0);
  if (!budget.invocation.isSpent) return unsettled.length > 0 ? 'storage' : 'budget';
  for (const { shard, name, outcomes } of unsettled) {
    drain.onUnsettled?.({ shard: shard.name, lease: name, settlements: outcomes });
  }
  return 'subrequests';
}

/** Extends leases whose handlers still run; where the process ends it settles too. @returns when it has to be done again */
function syncWhereDue(closing: Closing): number {
  const { drain, clock, connections, holdings } = closing;
  let nextAt = Number.POSITIVE_INFINITY;
  if (drain.budget.invocation.isSpent) return nextAt;
  for (const lease of [...holdings.leases]) {
    if (lease.underWay || lease.isEmpty || !connections.hasRoom()) continue; // whatever ends has it look again
    const at = drain.budget.isStopped ? lease.syncAt(drain.leaseMs) : lease.heartbeatAt(drain.leaseMs);
    if (at <= clock()) servedOf(closing, lease).syncs.begin({ lease, want: 0, isBusy: false });
    else nextAt = Math.min(nextAt, at);
  }
  return nextAt;
}

const check = ({ served }: Closing): void => {
  for (const { syncs } of served) syncs.check();
};

const servedOf = ({ served }: Closing, { shard }: Lease) =>
  served.find(({ track }) => track.shard === shard) as Closing['served'][0];

/** As many side by side as there may be, those first that have begun. */
async function settleLeases(closing: Closing): Promise<void> {
  const { drain, holdings, served } = closing;
  const left = holdings.leases.toSorted((a, b) => Number(!a.underWay) - Number(!b.underWay));
  const width = served.length === 1 ? left.length : (drain.mostSyncs ?? left.length);
  const settleNext = async () => {
    for (let lease = left.shift(); lease; lease = left.shift()) await settleAll(closing, lease);
  };
  await Promise.all(Array.from({ length: Math.min(width, left.length) }, settleNext));
}

/** The last syncs of a lease: at least one where anything is left of it, and others while there is time. */
async function settleAll(closing: Closing, lease: Lease): Promise<void> {
  const { drain, holdings, served } = closing;
  const { budget } = drain;
  const { track, syncs } = servedOf(closing, lease);
  await lease.underWay;
  check(closing);
  holdings.giveBack();
  const mustTell = () => served.length > 1 && track.countedOn && lease === holdings.leasesOn(lease.shard)[0];
  while (!budget.invocation.isSpent && (lease.outcomes.length > 0 || lease.inTransit || mustTell())) {
    syncs.begin({ lease, want: 0, isBusy: false });
    await lease.underWay;
    check(closing);
    holdings.giveBack(); // what a sync still brought was in transit
    if (budget.msLeft() <= 0) break;
  }
}
