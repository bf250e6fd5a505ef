/** Syncs: makes the syncs of a drain's leases, and does what their answers say. Which lease syncs when, next-sync.ts decides. */

import { openDelivery } from '../delivery/deliver.ts';
import { StorageError } from '../errors.ts';
import { newToken } from '../message/ids.ts';
import { sleep } from '../runtime/sleep.ts';
import type { Settlement } from '../store/encode-settlements.ts';
import type { SyncAnswer } from '../store/sync.ts';
import { nextBatch } from './batch.ts';
import type { Connections } from './connections.ts';
import type { Handlers } from './handlers.ts';
import type { Handover } from './handover.ts';
import type { Held, Holdings } from './holdings.ts';
import type { Lease } from './lease.ts';
import { RESERVED_MS, UNDER_WAY_MS } from './life.ts';
import type { Outlook } from './outlook.ts';
import type { Pace } from './pace.ts';
import type { Attention, DrainOptions, DrainReport } from './report.ts';

/** After the abort at the end of its life, how long a handler gets that held up its own timeout. */
export const GRACE_MS = 100;
/** Kept for the last sync. */
const LAST_SYNC_MS = RESERVED_MS - GRACE_MS;
/** A drain that is to look again needs as many subrequests for that, and for what it then settles. */
const KEPT_REQUESTS = 2;
/** A timer is due on the server's clock: by the local one a little later, never earlier. */
export const ROUNDING_MS = 2;

/** What a sync does besides settling and extending. */
export interface SyncPlan {
  lease: Lease;
  /** How many messages it takes. */
  want: number;
  /** It says that all handlers are busy. */
  isBusy: boolean;
}

export interface SyncsOptions {
  drain: DrainOptions;
  clock: () => number;
  attention: Attention;
  connections: Connections;
  holdings: Holdings;
  handlers: Handlers;
  handover: Handover;
  outlook: Outlook;
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
  /** Of those in flight: how many take messages, how many messages they may bring, and who says that it is busy, or asks for the doubts there are. */
  looks = 0;
  wanted = 0;
  busy = 0;
  asking = 0;
  inFlight = 0;
  /** By which storage knows the drain that sleeps: its leases come and go. */
  readonly #name = newToken();
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
    const { leases } = this.#options.holdings;
    if (!lease.isEmpty || leases.length === 1) return;
    this.#options.holdings.remove(lease);
  }

  async #sync(plan: SyncPlan): Promise<void> {
    const { store, pool, leaseMs, fire } = this.#options.drain;
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
    const { attention, connections, clock, drain, holdings, outlook } = this.#options;
    const { lease, want, isBusy } = plan;
    if (want === 0 && !isBusy) holdings.giveBackStuck(lease);
    connections.startSync();
    this.#tally(plan, doubts, 1);
    if (want > 0) attention.asked = false;
    const [number, sentAt, settlements] = [outlook.begin(), clock(), nextBatch(lease.outcomes)];
    const [isEnding, isAlone] = [drain.budget.isClosing(sentAt), !holdings.holdsBeside(lease)];
    return { ...plan, number, settlements, sentAt, isEnding, isAlone, keeps: this.#countKept(want) };
  }

  /** One more is in flight, or one less. */
  #tally({ want, isBusy }: SyncPlan, doubts: number, by: 1 | -1): void {
    this.inFlight += by;
    this.wanted += by * want;
    if (want > 0) this.looks += by;
    if (isBusy) this.busy += by;
    if (doubts > 0) this.asking += by;
  }

  /** The part of a sync by which storage knows whether this drain takes new work, and whether it can be the one that sleeps. */
  #situation({ isEnding, isBusy, isAlone, sentAt, keeps }: Flight) {
    const { drain, outlook } = this.#options;
    const { budget } = drain;
    const lifeMs = Math.max(0, budget.msForHandler(sentAt) - UNDER_WAY_MS);
    const ending = isEnding || (isBusy && outlook.hasKept); // it has said that it looks, and nobody else does: not only one in a while
    const sleepMs = isAlone ? budget.msToSleep() : 0;
    return { name: this.#name, ending, busy: isBusy, sleepMs, lifeMs, keeps };
  }

  /** How many messages it may take and look again in a moment: as far as handlers, subrequests, and its own time let it. */
  #countKept(want: number): number {
    const { drain, holdings, outlook, pace } = this.#options;
    const { budget, needsMs = 0 } = drain;
    const { running, waiting } = holdings;
    const isOld = budget.msForHandler() - UNDER_WAY_MS < needsMs || budget.msToClosing() < UNDER_WAY_MS;
    if (outlook.isDrained) return -1;
    if (want === 0 || isOld || this.wanted > want || holdings.doubtful.length > 0) return 0;
    const fit = budget.deliveriesLeft([...waiting.map(({ queue }) => queue.subrequests), KEPT_REQUESTS]);
    return Math.max(0, Math.min(pace.mostInPassing - running.length - waiting.length, fit));
  }

  #apply(flight: Flight, answer: SyncAnswer): void {
    const { clock, drain, holdings, pace } = this.#options;
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
    this.#noteLeft(flight, answer);
    lease.lastSyncAt = now;
    pace.noteSync(now, now - sentAt);
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
    const { attention, clock, drain, outlook, pace } = this.#options;
    const isShort = answer.taken.length < want && !answer.lost && !answer.unseen && !answer.refused;
    if (want > 0) {
      const isKept = isShort && answer.taken.length > 0 && answer.taken.length <= keeps && answer.left === undefined;
      outlook.noteLook(number, isShort && !isKept, isAlone, isKept ? clock() : undefined);
      pace.noteLook(answer.taken.length, isShort, keepsUp);
      drain.onTake?.(!isShort);
    }
    const isLeftAlone = answer.schedules !== undefined && !drain.fire; // it comes again in some seconds: nobody sleeps for that
    const hasFired = answer.schedules !== undefined && !isLeftAlone; // their messages are ready by now, and their next occurrence may be near
    if (attention.asked || hasFired) outlook.ask();
    const pollMs = drain.pollMs || Number.POSITIVE_INFINITY;
    const nextDue = (isLeftAlone ? undefined : answer.nextDue) ?? Number.POSITIVE_INFINITY;
    const inMs = Math.max(0, Math.min(pollMs, nextDue - answer.now + ROUNDING_MS));
    outlook.noteAnswer(number, Number.isFinite(inMs) ? clock() + inMs : undefined);
  }

  /** Other drains are told at once of what this one does not take, being busy, and once, when it ends, of what it leaves. */
  #noteLeft({ want, isBusy, isEnding }: Flight, { left }: SyncAnswer): void {
    const { handover, outlook } = this.#options;
    if (want > 0 || isBusy) handover.gaveWay = isBusy;
    if (want > 0 || isEnding) handover.left = want > 0 && !outlook.isDrained ? 0 : left;
    if (isBusy && left !== undefined) handover.giveWay(left);
    else if (isEnding) this.tellLeft();
  }

  /** It tells of a timer only where it has put something off itself: other timers are mostly those of leases. */
  tellLeft(): void {
    const { clock, handover, holdings, outlook } = this.#options;
    const isOwn = holdings.hasPutOff && outlook.nextDueAt !== undefined;
    handover.tell(isOwn ? (outlook.nextDueAt ?? 0) - clock() : undefined);
  }

  /** Storage is away: what is held stays held, and is settled when it comes back before the lease is over. Other leases go on. */
  async #survive(error: unknown, lease: Lease, want: number): Promise<void> {
    const { clock, handlers, holdings, outlook } = this.#options;
    if (!(error instanceof StorageError)) throw error;
    if (error.code === 'subrequests') return handlers.stopSpending(); // it never left
    if (holdings.isEmpty && this.inFlight === 1) throw error;
    lease.inTransit = true;
    lease.lastSyncAt = clock();
    outlook.noteFailure(want > 0);
    await this.#waitForStorage(lease);
  }

  async #waitForStorage(lease: Lease): Promise<void> {
    await sleep(lease.noteStorageFailure(this.#options.drain.budget.msLeft() - LAST_SYNC_MS));
  }
}
