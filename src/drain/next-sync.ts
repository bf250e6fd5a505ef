/**
 * Next sync: which lease syncs now, and how many messages it asks for. It decides, and does nothing.
 *
 * One sync that takes is in flight as a rule. While a backlog stands and handlers are free, which would wait for a round trip, further
 * leases take too. They take only then: where handlers are busy one lease is enough, and the others settle what they hold and
 * are let go of.
 */
import type { Connections } from './connections.ts';
import type { Handover } from './handover.ts';
import type { Holdings } from './holdings.ts';
import { Lease } from './lease.ts';
import { AWAKENING_MS } from './life.ts';
import type { Outlook } from './outlook.ts';
import type { Pace } from './pace.ts';
import type { DrainOptions } from './report.ts';
import type { SyncPlan, Syncs } from './syncs.ts';

/** All handlers busy for so long, none finished: this drain does not look soon, and new work should wake another. */
const STUCK_MS = 250;

export interface NextSyncOptions {
  drain: DrainOptions;
  clock: () => number;
  /** The most leases at once. */
  mostLeases: number;
  connections: Connections;
  holdings: Holdings;
  handover: Handover;
  outlook: Outlook;
  pace: Pace;
  syncs: Syncs;
}

export class NextSync {
  readonly #options: NextSyncOptions;

  constructor(options: NextSyncOptions) {
    this.#options = options;
  }

  /** The one with which a drain begins. */
  first(): SyncPlan {
    const [lease = new Lease()] = this.#options.holdings.leases;
    return { lease, want: this.#want(), isBusy: false };
  }

  /** @returns undefined where none is due */
  find(now: number): SyncPlan | undefined {
    const { connections, holdings, syncs } = this.#options;
    if (!connections.hasRoom()) return undefined;
    const isStuck = this.#stuckAt() <= now;
    const isAsked = isStuck || (holdings.doubtful.length > 0 && syncs.asking === 0);
    let idle: Lease | undefined;
    for (const lease of holdings.leases) {
      if (lease.underWay) continue;
      if (isAsked || this.#dueAt(lease) <= now) return this.#plan(lease, isStuck);
      idle ??= lease;
    }
    if (this.#lookAt() > now) return undefined;
    return idle || this.#mayAdd() ? this.#plan(idle ?? new Lease(), false) : undefined;
  }

  /** When the first of the leases that can has to sync, or one looks. */
  nextAt(): number {
    const { connections, holdings } = this.#options;
    if (!connections.hasRoom()) return Number.POSITIVE_INFINITY; // it is asked when one is free
    const idle = holdings.leases.filter(({ underWay }) => !underWay);
    if (idle.length === 0 && !this.#mayAdd()) return Number.POSITIVE_INFINITY;
    return Math.min(this.#lookAt(), this.#stuckAt(), ...idle.map((lease) => this.#dueAt(lease)));
  }

  /** Nothing is held, but a timer is due before the budget ends, and as soon as it may sleep. */
  canSleep(): boolean {
    const { clock, outlook, drain } = this.#options;
    const { budget } = drain;
    const inMs = (outlook.nextDueAt ?? Number.POSITIVE_INFINITY) - clock();
    return inMs < budget.msToClosing() && inMs <= budget.msToSleep() + AWAKENING_MS;
  }

  #plan(lease: Lease, isBusy: boolean): SyncPlan {
    return { lease, want: isBusy ? 0 : this.#wantFor(lease), isBusy };
  }

  /** When a lease has something to settle, or has to be extended. */
  #dueAt(lease: Lease): number {
    const { holdings, pace, drain } = this.#options;
    if (lease.isEmpty) return Number.POSITIVE_INFINITY;
    const nothingElse = holdings.running.length === 0 && holdings.waiting.length === 0;
    if (nothingElse || lease.outcomes.length >= pace.batch) return 0;
    return lease.inTransit && this.isFree ? 0 : lease.syncAt(drain.leaseMs);
  }

  /** When it has been too busy to look for so long that it has to say so: no handler is free, or no connection. */
  #stuckAt(): number {
    const { holdings, outlook, handover, pace, syncs } = this.#options;
    if (outlook.isDrained || handover.gaveWay || syncs.inFlight > 0) return Number.POSITIVE_INFINITY;
    return holdings.hasOutcomes || this.isFree ? Number.POSITIVE_INFINITY : pace.lastSyncAt + STUCK_MS;
  }

  /** When it looks for more, where a handler is free: for what is ready, or for what is due then. */
  #lookAt(): number {
    const { holdings, outlook, syncs } = this.#options;
    if (!this.isFree || !this.#mayLook()) return Number.POSITIVE_INFINITY;
    if (syncs.looks > 0) return 0;
    if (!outlook.isDrained) return holdings.isEmpty ? 0 : outlook.looksFrom;
    return this.#mustLookAlone() ? 0 : (outlook.nextDueAt ?? Number.POSITIVE_INFINITY);
  }

  /** It would sleep now, and storage does not know: it was told that something is held. */
  #mustLookAlone(): boolean {
    const { holdings, outlook } = this.#options;
    return !outlook.wasAlone && holdings.leases.every(({ isEmpty }) => isEmpty) && this.canSleep();
  }

  /** Whether a sync may take, as far as others that are in flight are concerned. */
  #mayLook(): boolean {
    const { holdings, outlook, pace, syncs } = this.#options;
    if (syncs.busy > 0 || holdings.doubtful.length > 0) return false; // it has said that it does not look, or starts nothing
    const want = this.#want();
    if (syncs.looks === 0) return want > 0;
    return pace.isStanding && !outlook.isDrained && want >= pace.leastFurther;
  }

  /** Whether a further lease may take beside one that does: not while all of them wait for storage. */
  #mayAdd(): boolean {
    const { drain, holdings, mostLeases, syncs } = this.#options;
    return syncs.looks > 0 && holdings.leases.length < mostLeases && drain.budget.affordsLease();
  }

  /** A handler has nothing to do. */
  get isFree(): boolean {
    const { waiting, running } = this.#options.holdings;
    return waiting.length === 0 && running.length < this.#options.drain.concurrency;
  }

  #wantFor(lease: Lease): number {
    const { holdings, syncs } = this.#options;
    if (!this.#mayLook()) return 0;
    const isFirst = lease === holdings.leases[0] && syncs.looks === 0;
    return isFirst || this.isFree ? this.#want() : 0;
  }

  #want(): number {
    const { holdings, pace, syncs } = this.#options;
    const { budget } = this.#options.drain;
    if (budget.isClosing()) return 0;
    const { running, waiting } = holdings;
    const more = pace.mostHeld(running.length) - running.length - waiting.length - syncs.wanted;
    const fit = budget.deliveriesLeft(waiting.map(({ queue }) => queue.subrequests)) - syncs.wanted;
    return Math.max(0, Math.min(pace.batch, more, fit));
  }
}
