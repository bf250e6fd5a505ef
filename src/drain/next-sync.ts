/**
 * Next sync: which lease of a shard syncs now, and how many messages it asks for. It decides, and does nothing.
 *
 * One sync that takes is in flight as a rule. While a backlog stands and handlers are free, which would wait for a round trip, further
 * leases take too. They take only then: where handlers are busy one lease is enough, and the others settle what they hold and
 * are let go of.
 */
import type { Connections } from './connections.ts';
import type { Holdings } from './holdings.ts';
import type { Horizons } from './horizons.ts';
import { Lease } from './lease.ts';
import { AWAKENING_MS } from './life.ts';
import type { Pace } from './pace.ts';
import type { DrainOptions } from './report.ts';
import type { InFlight, SyncPlan } from './syncs.ts';
import type { Track } from './track.ts';

/** All handlers busy for so long, none finished: this drain does not look soon, and new work should wake another. */
const STUCK_MS = 250;

export interface NextSyncOptions {
  drain: DrainOptions;
  clock: () => number;
  track: Track;
  horizons: Horizons;
  /** The most leases at once on this shard. */
  mostLeases: number;
  connections: Connections;
  holdings: Holdings;
  pace: Pace;
  /** The syncs of all shards. */
  inFlight: InFlight;
}

export class NextSync {
  readonly #options: NextSyncOptions;

  constructor(options: NextSyncOptions) {
    this.#options = options;
  }

  /** The one with which a drain begins there. */
  first(): SyncPlan {
    const [lease = new Lease(this.#options.track.shard)] = this.#leases;
    return { lease, want: this.#want(), isBusy: false };
  }

  /** @returns undefined where none is due */
  find(now: number): SyncPlan | undefined {
    const { connections, holdings, inFlight, track } = this.#options;
    if (!connections.hasRoom()) return undefined;
    const isStuck = this.#stuckAt() <= now;
    const isAsked = isStuck || (holdings.doubtful.length > 0 && inFlight.asking === 0);
    let idle: Lease | undefined;
    for (const lease of this.#leases) {
      if (lease.underWay) continue;
      if (isAsked || this.#dueAt(lease) <= now) return this.#plan(lease, isStuck);
      idle ??= lease;
    }
    if (this.#lookAt() > now) return idle && this.#glanceAt() <= now ? this.#glance(idle) : undefined;
    return idle || this.#mayAdd() ? this.#plan(idle ?? new Lease(track.shard), false) : undefined;
  }

  /** When the first of the leases that can has to sync, or one looks. */
  nextAt(): number {
    if (!this.#options.connections.hasRoom()) return Number.POSITIVE_INFINITY; // it is asked when one is free
    const idle = this.#leases.filter(({ underWay }) => !underWay);
    if (idle.length === 0 && !this.#mayAdd()) return Number.POSITIVE_INFINITY;
    return Math.min(this.#lookAt(), this.#glanceAt(), this.#stuckAt(), ...idle.map((lease) => this.#dueAt(lease)));
  }

  /** Nothing is held, but a timer is due before the budget ends, and as soon as it may sleep. */
  canSleep(): boolean {
    const { clock, track, drain } = this.#options;
    const { budget } = drain;
    const inMs = (track.outlook.nextDueAt ?? Number.POSITIVE_INFINITY) - clock();
    return inMs < budget.msToClosing() && inMs <= budget.msToSleep() + AWAKENING_MS;
  }

  #plan(lease: Lease, isBusy: boolean): SyncPlan {
    return { lease, want: isBusy ? 0 : this.#wantFor(lease), isBusy };
  }

  /** When a lease has something to settle, or has to be extended. */
  #dueAt(lease: Lease): number {
    const { holdings, track, drain } = this.#options;
    if (lease.isEmpty) return Number.POSITIVE_INFINITY;
    const nothingElse = holdings.running.length === 0 && holdings.waiting.length === 0;
    if (nothingElse || lease.outcomes.length >= track.supply.batch) return 0;
    return lease.inTransit && this.isFree ? 0 : lease.syncAt(drain.leaseMs);
  }

  /** When it has been too busy to look for so long that it has to say so: no handler is free, or no connection. */
  #stuckAt(): number {
    const { holdings, track } = this.#options;
    const { outlook, handover, supply, inFlight } = track;
    if (outlook.isDrained || handover.gaveWay || inFlight > 0) return Number.POSITIVE_INFINITY;
    return holdings.hasOutcomes || this.isFree ? Number.POSITIVE_INFINITY : supply.lastSyncAt + STUCK_MS;
  }

  /** When it looks for more, where a handler is free: for what is ready, or for what is due then. */
  #lookAt(): number {
    const { holdings, track } = this.#options;
    const { outlook, looks } = track;
    if (!(this.isFree || this.#goesFirst()) || !this.#mayLook()) return Number.POSITIVE_INFINITY;
    if (looks > 0) return 0;
    if (!outlook.isDrained) return holdings.isEmpty ? 0 : outlook.looksFrom;
    return this.#mustLookAlone() ? 0 : (outlook.nextDueAt ?? Number.POSITIVE_INFINITY);
  }

  /** What is there is more urgent than all that waits for a handler: it does not wait for that. */
  #goesFirst(): boolean {
    const { holdings, track } = this.#options;
    const [first] = holdings.waiting;
    return first !== undefined && track.horizon !== undefined && track.horizon < first.message.priority;
  }

  /** When it looks at a shard that may give nothing out, or has its part, where it could take more. */
  #glanceAt(): number {
    const { horizons, track } = this.#options;
    const at = horizons.looksAt(track);
    return at < Number.POSITIVE_INFINITY && this.#room() > 0 ? at : Number.POSITIVE_INFINITY;
  }

  #glance(lease: Lease): SyncPlan {
    return { lease, want: this.#mayLook() ? this.#want() : 0, isBusy: false, isGlance: true };
  }

  /** It would sleep now, and storage does not know: it was told that something is held. */
  #mustLookAlone(): boolean {
    const { holdings, track } = this.#options;
    return !track.outlook.wasAlone && holdings.leases.every(({ isEmpty }) => isEmpty) && this.canSleep();
  }

  /** Whether a sync may take, as far as others that are in flight are concerned. */
  #mayLook(): boolean {
    const { holdings, horizons, track } = this.#options;
    const { outlook, supply, looks, busy } = track;
    if (busy > 0 || holdings.doubtful.length > 0) return false; // it has said that it does not look, or starts nothing
    if (!horizons.mayTake(track)) return false;
    const want = this.#want();
    if (looks === 0) return want > 0;
    return supply.isStanding && !outlook.isDrained && want >= supply.leastFurther;
  }

  /** Whether a further lease may take beside one that does: not while all of them wait for storage. */
  #mayAdd(): boolean {
    const { drain, track, mostLeases } = this.#options;
    return track.looks > 0 && this.#leases.length < mostLeases && drain.budget.affordsLease();
  }

  get #leases(): Lease[] {
    const { holdings, track } = this.#options;
    return holdings.leasesOn(track.shard);
  }

  /** Messages from there that wait for a handler or have one. */
  get #held(): number {
    return this.#leases.reduce((sum, { held }) => sum + held, 0);
  }

  /** A handler has nothing to do. */
  get isFree(): boolean {
    const { waiting, running } = this.#options.holdings;
    return waiting.length === 0 && running.length < this.#options.drain.concurrency;
  }

  #wantFor(lease: Lease): number {
    if (!this.#mayLook()) return 0;
    const isFirst = lease === this.#leases[0] && this.#options.track.looks === 0;
    return isFirst || this.isFree ? this.#want() : 0;
  }

  #want(): number {
    const { holdings, horizons, pace, track } = this.#options;
    const { batch } = track.supply;
    const most = pace.mostHeld(holdings.running.length, batch);
    const share = horizons.shareOf(most);
    const part = share === most ? most : share - this.#held - track.wanted;
    return Math.max(0, Math.min(batch, part, this.#room()));
  }

  /** How many messages more it may hold, from wherever they are. What waits and is less urgent than what is here keeps none from it. */
  #room(): number {
    const { holdings, inFlight, pace, track } = this.#options;
    const { budget } = this.#options.drain;
    if (budget.isClosing()) return 0;
    const { running, waiting } = holdings;
    const before = this.#goesFirst() ? 0 : waiting.length;
    const more = pace.mostHeld(running.length, track.supply.batch) - running.length - before - inFlight.wanted;
    const fit = budget.deliveriesLeft(waiting.map(({ queue }) => queue.subrequests)) - inFlight.wanted;
    return Math.min(more, fit);
  }
}
