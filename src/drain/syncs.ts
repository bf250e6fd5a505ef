/** Syncs: makes the syncs of a drain's leases on one shard, and does what their answers say. Which lease syncs when, next-sync.ts decides. */

import { openDelivery } from '../delivery/deliver.ts';
import { StorageError } from '../errors.ts';
import { sleep } from '../runtime/sleep.ts';
import type { Settlement } from '../store/encode-settlements.ts';
import type { SyncAnswer } from '../store/sync.ts';
import { nextBatch } from './batch.ts';
import type { Connections } from './connections.ts';
import type { Handlers } from './handlers.ts';
import type { Held, Holdings } from './holdings.ts';
import type { Lease } from './lease.ts';
import { RESERVED_MS, UNDER_WAY_MS } from './life.ts';
import type { Pace } from './pace.ts';
import type { Attention, DrainOptions, DrainReport } from './report.ts';
import type { Track } from './track.ts';

/** After the abort at the end of its life, how long a handler gets that held up its own timeout. */
export const GRACE_MS = 100;
/** Kept for the last sync. */
const LAST_SYNC_MS = RESERVED_MS - GRACE_MS;
/** A drain that is to look again needs as many subrequests for that, and for what it then settles. */
const KEPT_REQUESTS = 2;
/** A shard that refuses to give messages out is asked for some again after so long. */
const REFUSES_MS = 1_000;
/** A timer is due on the server's clock: by the local one a little later, never earlier. */
export const ROUNDING_MS = 2;

/** What a sync does besides settling and extending. */
export interface SyncPlan {
  lease: Lease;
  /** How many messages it takes. */
  want: number;
  /** It says that all handlers are busy. */
  isBusy: boolean;
  /** It only sees what is there: its lease wants nothing. */
  isGlance?: boolean;
}

/** The syncs of all shards that are in flight: how many there are, how many messages they may bring, and how many ask for the doubts there are. */
export interface InFlight {
  count: number;
  wanted: number;
  asking: number;
}

export interface SyncsOptions {
  drain: DrainOptions;
  clock: () => number;
  /** All of them. */
  tracks: readonly Track[];
  track: Track;
  /** By which storage knows the drain that sleeps: its leases come and go. */
  name: string;
  attention: Attention;
  connections: Connections;
  holdings: Holdings;
  handlers: Handlers;
  inFlight: InFlight;
  pace: Pace;
  report: Omit<DrainReport, 'requests' | 'ms' | 'ended'>;
  /** Called when a sync is over, and its lease may have another. */
  onOver: () => void;
}

/** A sync that is in flight. */
interface Flight extends SyncPlan {
  /** Its number in the outlook. */
  number: number;
  settlements: Settlement[];
  sentAt: number;
  isEnding: boolean;
  /** No other lease held anything when it began. */
  isAlone: boolean;
  /** Where it takes no more than so many, and less than it wants, the drain looks again in a moment. */
  keeps: number;
}

export class Syncs {
  readonly #options: SyncsOptions;
  #failure: { error: unknown } | undefined;

  constructor(options: SyncsOptions) {
    this.#options = options;
  }

  /** Begins one that is under way until its answer is dealt with, or where it fails until it may be repeated. */
  begin(plan: SyncPlan): void {
    const { lease } = plan;
    this.#options.holdings.add(lease);
    lease.underWay = this.#sync(plan)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .then(() => {
        lease.underWay = undefined;
        this.#letGo(lease);
        this.#options.onOver();
      });
  }

  /** @throws what a sync threw, where that ends the drain */
  check(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** A lease with nothing in it is needed no more: it has no key, and its name is never used again. */
  #letGo(lease: Lease): void {
    const { holdings } = this.#options;
    if (!lease.isEmpty || holdings.leasesOn(lease.shard).length === 1) return;
    holdings.remove(lease);
  }

  async #sync(plan: SyncPlan): Promise<void> {
    const { pool, leaseMs } = this.#options.drain;
    const { store, fire } = this.#options.track.shard;
    const { lease, want } = plan;
    const doubts = [...this.#options.holdings.doubtful];
    const flight = this.#depart(plan, doubts.length);
    const { settlements } = flight;
    const held = lease.held + lease.outcomes.length - settlements.length;
    const drain = this.#situation(flight);
    let answer: SyncAnswer;
    try {
      answer = await store.sync({ lease: lease.name, leaseMs, held, want, pools: [pool], settlements, drain });
      if (answer.schedules) await fire?.(answer.schedules, answer.now);
    } catch (error) {
      return this.#survive(error, lease, want);
    } finally {
      this.#options.connections.endSync();
      this.#tally(plan, doubts.length, -1);
    }
    this.#options.handlers.endDoubts(doubts);
    this.#apply(flight, answer);
    if (answer.refused) {
      this.#options.drain.onRefused?.(answer.refused);
      await this.#waitForStorage(lease);
    } else lease.noteStored();
  }

  #depart(plan: SyncPlan, doubts: number): Flight {
    const { connections, clock, drain, holdings, track } = this.#options;
    const { lease, want, isBusy, isGlance } = plan;
    if (want === 0 && !isBusy && !isGlance) holdings.giveBackStuck(lease);
    connections.startSync();
    this.#tally(plan, doubts, 1);
    if (want > 0 || isGlance) this.#noteLooking();
    const [number, sentAt, settlements] = [track.outlook.begin(), clock(), nextBatch(lease.outcomes)];
    const [isEnding, isAlone] = [drain.budget.isClosing(sentAt), !holdings.holdsBeside(lease)];
    return { ...plan, number, settlements, sentAt, isEnding, isAlone, keeps: this.#countKept(want) };
  }

  /** It looks there. Whether it does everywhere where it was told of something new, its caller is to know. */
  #noteLooking(): void {
    const { attention, track, tracks } = this.#options;
    track.isAsked = false;
    if (tracks.every(({ isAsked }) => !isAsked)) attention.asked = false;
  }

  /** One more is in flight, or one less. */
  #tally({ want, isBusy }: SyncPlan, doubts: number, by: 1 | -1): void {
    const { inFlight, track } = this.#options;
    track.inFlight += by;
    track.wanted += by * want;
    if (want > 0) track.looks += by;
    if (isBusy) track.busy += by;
    inFlight.count += by;
    inFlight.wanted += by * want;
    if (doubts > 0) inFlight.asking += by;
  }

  /** The part of a sync by which storage knows whether this drain takes new work, and whether it can be the one that sleeps. */
  #situation({ isEnding, isBusy, isAlone, sentAt, keeps }: Flight) {
    const { drain, name, track, tracks } = this.#options;
    const { budget } = drain;
    const lifeMs = Math.max(0, budget.msForHandler(sentAt) - UNDER_WAY_MS);
    const ending = isEnding || (isBusy && track.outlook.hasKept); // it has said that it looks, and nobody else does: not only one in a while
    const sleepMs = isAlone ? budget.msToSleep() : 0;
    const asksHorizon = tracks.length > 1;
    return { name, ending, busy: isBusy, sleepMs, lifeMs, keeps, ...(asksHorizon && { asksHorizon }) };
  }

  /** How many messages it may take and look again in a moment: as far as handlers, subrequests, and its own time let it. */
  #countKept(want: number): number {
    const { drain, holdings, inFlight, pace, track } = this.#options;
    const { budget, needsMs = 0 } = drain;
    const { running, waiting } = holdings;
    const isOld = budget.msForHandler() - UNDER_WAY_MS < needsMs || budget.msToClosing() < UNDER_WAY_MS;
    if (track.outlook.isDrained) return -1;
    if (want === 0 || isOld || inFlight.wanted > want || holdings.doubtful.length > 0) return 0;
    const fit = budget.deliveriesLeft([...waiting.map(({ queue }) => queue.subrequests), KEPT_REQUESTS]);
    return Math.max(0, Math.min(pace.mostInPassing - running.length - waiting.length, fit));
  }

  #apply(flight: Flight, answer: SyncAnswer): void {
    const { clock, drain, holdings, pace, track } = this.#options;
    const { lease, settlements, sentAt } = flight;
    const now = clock();
    const keepsUp = holdings.waiting.length === 0;
    if (!answer.refused) lease.leasedUntil = sentAt + drain.leaseMs;
    lease.inTransit = answer.unseen;
    lease.dropSettled(settlements, answer.statuses, now);
    this.#count(settlements, answer);
    if (answer.lost) this.#forget(lease);
    holdings.abortCancelled(lease, answer.cancelled);
    if (answer.transitions.length > 0) drain.onTransitions?.(answer.transitions);
    this.hold(lease, answer.taken, answer.now, (sentAt + now) / 2 - answer.now); // it answered about half-way between
    this.#noteOutlook(flight, answer, keepsUp);
    this.#noteHorizon(flight, answer, now);
    this.#noteLeft(flight, answer);
    lease.lastSyncAt = now;
    track.supply.lastSyncAt = now;
    pace.noteSync(now, now - sentAt, track.supply.isStanding);
  }

  #count(settlements: Settlement[], { statuses, retried }: SyncAnswer): void {
    statuses.forEach((status, index) => {
      if (status === 'refused') return;
      // A repeated call finds its own ack done: the message is gone because this drain acked it.
      const own = retried && status === 'gone' && settlements[index]?.outcome === 'ack';
      this.#options.report[own ? 'acked' : status] += 1;
    });
  }

  #forget(lease: Lease): void {
    this.#options.report.leasesLost += 1;
    this.#options.holdings.forget(lease);
  }

  /** Takes messages into a lease that has them in storage. */
  hold(lease: Lease, messages: SyncAnswer['taken'], takenAt: number, clockAheadMs: number): void {
    const { drain, holdings, pace } = this.#options;
    lease.held += messages.length;
    for (const taken of messages) {
      const delivery = openDelivery(taken, drain.queues, clockAheadMs) as Held | Settlement;
      if ('outcome' in delivery) {
        holdings.settle(lease, delivery);
        pace.noteFinished(0);
      } else {
        delivery.lease = lease;
        delivery.takenAt = takenAt;
        holdings.waiting.push(delivery);
      }
    }
    holdings.sort();
  }

  #noteOutlook({ number, want, isAlone, keeps }: Flight, answer: SyncAnswer, keepsUp: boolean): void {
    const { clock, drain, track } = this.#options;
    const { outlook, supply, shard, isServed } = track;
    const isShort = answer.taken.length < want && !answer.lost && !answer.unseen && !answer.refused;
    if (want > 0) {
      const isKept = isShort && answer.taken.length > 0 && answer.taken.length <= keeps && answer.left === undefined;
      outlook.noteLook(number, isShort && !isKept, isAlone, isKept ? clock() : undefined);
      supply.noteLook(answer.taken.length, isShort, keepsUp);
      drain.onTake?.(!isShort);
    }
    const isLeftAlone = answer.schedules !== undefined && !shard.fire; // it comes again in some seconds: nobody sleeps for that
    const hasFired = answer.schedules !== undefined && !isLeftAlone; // their messages are ready by now, and their next occurrence may be near
    if (track.isAsked || hasFired) outlook.ask();
    const pollMs = drain.pollMs || Number.POSITIVE_INFINITY;
    const nextDue = (isLeftAlone ? undefined : answer.nextDue) ?? Number.POSITIVE_INFINITY;
    const inMs = Math.max(0, Math.min(pollMs, nextDue - answer.now + ROUNDING_MS));
    // What is due where nobody counts on it is for who was woken there.
    outlook.noteAnswer(number, isServed && Number.isFinite(inMs) ? clock() + inMs : undefined);
  }

  /** It answers, and tells what waits there. */
  #noteHorizon({ want }: Flight, { horizon: told = Number.POSITIVE_INFINITY, refused }: SyncAnswer, now: number): void {
    const { track } = this.#options;
    track.failure = undefined;
    track.lookedAt = now;
    // What it does not give out, however urgent, must not hold up what others have.
    if (refused && want > 0) track.refusesUntil = now + REFUSES_MS;
    const horizon = now < track.refusesUntil ? Number.POSITIVE_INFINITY : told;
    if (want === 0 && track.outlook.isDrained && horizon < Number.POSITIVE_INFINITY) track.ask(); // it joins in
    track.horizon = track.isAsked ? undefined : horizon;
  }

  /** Other drains are told at once of what this one does not take, being busy, and once, when it ends, of what it leaves. */
  #noteLeft({ want, isBusy, isEnding }: Flight, { left }: SyncAnswer): void {
    const { track } = this.#options;
    const { handover, outlook } = track;
    if (isEnding) track.hasEnded = true;
    if (want > 0 || isBusy) handover.gaveWay = isBusy;
    if (want > 0 || isEnding) handover.left = want > 0 && !outlook.isDrained ? 0 : left;
    if (isBusy && left !== undefined) handover.giveWay(left);
    else if (isEnding) this.tellLeft();
  }

  /** It tells of a timer only where it has put something off itself: other timers are mostly those of leases. */
  tellLeft(): void {
    const { clock, holdings, track } = this.#options;
    const { handover, outlook } = track;
    const isOwn = holdings.hasPutOff && outlook.nextDueAt !== undefined;
    handover.tell(isOwn ? (outlook.nextDueAt ?? 0) - clock() : undefined);
  }

  /** Storage is away: what is held stays held, and is settled when it comes back before the lease is over. Other leases go on. */
  async #survive(error: unknown, lease: Lease, want: number): Promise<void> {
    const { clock, handlers, holdings, inFlight, track, tracks } = this.#options;
    if (!(error instanceof StorageError)) throw error;
    if (error.code === 'subrequests') return handlers.stopSpending(); // it never left
    const isLast = inFlight.count === 1 && tracks.every((other) => other === track || other.isAway);
    if (holdings.isEmpty && isLast) throw error;
    track.failure = error;
    lease.inTransit = true;
    lease.lastSyncAt = clock();
    track.outlook.noteFailure(want > 0);
    await this.#waitForStorage(lease);
  }

  async #waitForStorage(lease: Lease): Promise<void> {
    await sleep(lease.noteStorageFailure(this.#options.drain.budget.msLeft() - LAST_SYNC_MS));
  }
}
