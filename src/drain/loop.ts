/**
 * The loop: one drain, from its first sync to its last.
 *
 * Handlers run side by side while a sync is in flight; what ends meanwhile goes with the next one (group commit).
 * There is never more than one sync in flight, because the lease's count of entries must be unambiguous. The loop
 * decides nothing about Redis and nothing about handlers: the store and handlers.ts do.
 */

import { openDelivery } from '../delivery/deliver.ts';
import { StorageError } from '../errors.ts';
import { newToken } from '../message/ids.ts';
import { sleep } from '../runtime/sleep.ts';
import type { Settlement } from '../store/encode-settlements.ts';
import type { HandOff } from '../store/enqueue.ts';
import type { SyncAnswer } from '../store/sync.ts';
import { nextBatch } from './batch.ts';
import { openConnections } from './connections.ts';
import { Handlers } from './handlers.ts';
import { Handover } from './handover.ts';
import { Holdings } from './holdings.ts';
import { AWAKENING_MS, RESERVED_MS, UNDER_WAY_MS } from './life.ts';
import { LINGER_MS, Pace } from './pace.ts';
import type { Attention, DrainEnd, DrainOptions, DrainReport } from './report.ts';

/** After the abort at the end of its life, how long a handler gets that held up its own timeout. */
const GRACE_MS = 100;
/** Kept for the last sync. */
const LAST_SYNC_MS = RESERVED_MS - GRACE_MS;
/** All handlers busy for so long, none finished: this drain does not look soon, and new work should wake another. */
const STUCK_MS = 250;
/** How often handlers' times are looked at while a sync is in flight. */
const WATCH_MS = 100;
/** A timer is due on the server's clock: by the local one a little later, never earlier. */
export const ROUNDING_MS = 2;

/**
 * Takes and handles messages until nothing is ready, or the budget is used up.
 * @throws StorageError where storage gives no answer and nothing is held
 */
export function drain(options: DrainOptions): Promise<DrainReport> {
  return new DrainLoop(options).run();
}

class DrainLoop {
  readonly #options: DrainOptions;
  readonly #attention: Attention;
  readonly #clock: () => number;
  readonly #holdings: Holdings;
  readonly #handlers: Handlers;
  readonly #pace: Pace;
  readonly #handover: Handover;
  readonly #report: Omit<DrainReport, 'requests' | 'ms' | 'ended'>;

  #lease: string;
  /** Until this instant, by the local clock, the lease surely lasts. */
  #leasedUntil = 0;
  /** The last sync failed, or its answer was full: the lease may hold what this drain has not seen. */
  #inTransit = false;
  /** The last sync brought less than wanted: new work wakes another drain. */
  #drained = false;
  #hasEnded = false;
  /** Local time at which the next timer is due. */
  #nextDueAt: number | undefined;
  /** Before this instant, by the local clock, it does not look by itself for what came since an enqueue gave it its messages. */
  #looksFrom = 0;
  /** Ends the wait of `run`, where it waits. */
  #notify: (() => void) | undefined;
  #armedFor = 0;

  constructor(options: DrainOptions) {
    this.#options = options;
    this.#lease = options.handOff?.lease ?? options.lease ?? newToken();
    this.#attention = options.attention ?? { asked: false };
    this.#attention.look = () => this.#look();
    this.#attention.end = () => this.#notify?.();
    this.#clock = options.clock ?? Date.now;
    const [clock, connections] = [this.#clock, openConnections(options.connections)];
    const holdings = new Holdings({ connections, clock, onOutcome: () => this.#notify?.() });
    const pace = new Pace(options);
    this.#holdings = holdings;
    this.#pace = pace;
    this.#handover = new Handover(options);
    this.#report = { delivered: 0, acked: 0, retried: 0, dead: 0, released: 0, stale: 0, gone: 0, leasesLost: 0 };
    this.#handlers = new Handlers({
      ...{ drain: options, clock, connections, holdings, pace, report: this.#report },
      leasedUntil: () => this.#leasedUntil,
      syncAt: () => this.#syncAt(),
      onStarted: (deadline) => {
        if (deadline < this.#armedFor) this.#notify?.();
      },
      onEnded: () => this.#noteEnded(),
    });
  }

  async run(): Promise<DrainReport> {
    let ended: DrainEnd = 'idle';
    const { handOff } = this.#options;
    if (handOff?.taken) this.#begin(handOff, handOff.taken);
    else await this.#sync();
    for (;;) {
      this.#handlers.start();
      const now = this.#clock();
      if (this.#lateAt(now) <= now) this.#holdings.giveBackLate(this.#options.budget.msForHandler());
      if (this.#options.budget.isClosing()) {
        ended = await this.#close();
        break;
      }
      if (this.#isSyncDue()) await this.#sync();
      else if (this.#holdings.isEmpty && !this.#canSleep()) {
        if (this.#handover.left !== undefined) ended = 'budget'; // its time did not cover that
        break;
      } else await this.#wait(this.#options.budget.msToClosing());
      this.#handlers.expire();
    }
    this.#hasEnded = true;
    this.#tellLeft();
    if (this.#nextDueAt !== undefined) this.#options.onDue?.(this.#nextDueAt - this.#clock());
    const { requests, ms } = this.#options.budget.used();
    return { ...this.#report, requests, ms, ended };
  }

  /** Begins with what an enqueue took for it. Whatever came since then it finds when that is settled, or a little later. */
  #begin({ leasedUntil, clockAheadMs }: HandOff, taken: NonNullable<HandOff['taken']>): void {
    this.#leasedUntil = leasedUntil;
    this.#pace.lastSyncAt = leasedUntil - this.#options.leaseMs;
    this.#looksFrom = this.#clock() + LINGER_MS;
    this.#hold(taken, clockAheadMs);
  }

  /**
   * There is something new, and nobody else was woken for it: it looks, or says once more that it is busy.
   * @returns whether it looks now; where all its handlers are busy it looks when one is free
   */
  #look(): boolean {
    this.#attention.asked = true;
    if (this.#hasEnded) return false;
    this.#drained = false;
    this.#looksFrom = 0;
    if (this.#options.onBusy && (this.#options.budget.isClosing() || !this.#isFree())) return false; // whoever asked asks another
    this.#handover.gaveWay = false;
    this.#notify?.();
    return true;
  }

  /** A handler has ended that took its time. */
  #noteEnded(): void {
    if (!this.#notify) return;
    const { running, waiting } = this.#holdings;
    const closes = waiting.length > 0 && this.#options.budget.isClosing(); // it goes back to where others find it
    if (running.length === 0 || closes || this.#isSyncDue()) this.#notify();
  }

  /** Nothing is held, but a timer is due before the budget ends, and as soon as it may sleep. */
  #canSleep(): boolean {
    const { budget } = this.#options;
    const inMs = (this.#nextDueAt ?? Number.POSITIVE_INFINITY) - this.#clock();
    return inMs < budget.msToClosing() && inMs <= budget.msToSleep() + AWAKENING_MS;
  }

  #isSyncDue(): boolean {
    const now = this.#clock();
    const { running, waiting, outcomes, doubtful } = this.#holdings;
    if (this.#holdings.isEmpty) return !this.#drained || (this.#nextDueAt !== undefined && this.#nextDueAt <= now);
    const nothingElse = running.length === 0 && waiting.length === 0;
    const full = outcomes.length >= this.#options.batch;
    const due = now >= Math.min(this.#syncAt(), this.#stuckAt(), this.#lookAt());
    return nothingElse || full || due || doubtful.length > 0;
  }

  /** When outcomes have lingered long enough, or the lease wants to be extended. */
  #syncAt(): number {
    const { outcomes, firstOutcomeAt } = this.#holdings;
    return this.#pace.syncAt(outcomes.length > 0 ? firstOutcomeAt : undefined);
  }

  /** When it has been too busy to look for so long that it has to say so: no handler is free, or no connection. */
  #stuckAt(): number {
    const stuck = this.#holdings.outcomes.length === 0 && !this.#isFree();
    return stuck && !this.#drained && !this.#handover.gaveWay
      ? this.#pace.lastSyncAt + STUCK_MS
      : Number.POSITIVE_INFINITY;
  }

  /** When the first of the waiting messages can not be ended in time any more. */
  #lateAt(now: number): number {
    const lastStartAt = now + this.#options.budget.msForHandler(now);
    return lastStartAt - this.#holdings.longestTimeoutMs;
  }

  /** When it looks for more, where a handler is free: for what is ready, or for what is due then. */
  #lookAt(): number {
    if (!this.#isFree() || this.#want() === 0) return Number.POSITIVE_INFINITY;
    return this.#drained ? (this.#nextDueAt ?? Number.POSITIVE_INFINITY) : this.#looksFrom;
  }

  /** A handler has nothing to do. */
  #isFree(): boolean {
    return this.#holdings.waiting.length === 0 && this.#holdings.running.length < this.#options.concurrency;
  }

  #want(): number {
    const { batch, budget } = this.#options;
    if (budget.isClosing()) return 0;
    const { running, waiting } = this.#holdings;
    const more = this.#pace.mostHeld(running.length) - running.length - waiting.length;
    return Math.max(0, Math.min(batch, more, budget.deliveriesLeft(waiting.map(({ queue }) => queue.subrequests))));
  }

  async #sync(): Promise<void> {
    const { store, pool, leaseMs, fire } = this.#options;
    const { running, waiting, outcomes } = this.#holdings;
    const settlements = nextBatch(outcomes);
    const held = running.length + waiting.length + outcomes.length - settlements.length;
    const sentAt = this.#clock();
    const drain = this.#situation(sentAt);
    const doubts = this.#holdings.doubtful.length;
    const want = drain.busy || doubts > 0 ? 0 : this.#want();
    if (want > 0) this.#attention.asked = false;
    // Storage may hang, and a handler's time must end all the same.
    const watch = running.length > 0 ? setInterval(() => this.#handlers.expire(), WATCH_MS) : undefined;
    let answer: SyncAnswer;
    try {
      answer = await store.sync({ lease: this.#lease, leaseMs, held, want, pools: [pool], settlements, drain });
      if (answer.schedules) await fire?.(answer.schedules, answer.now);
    } catch (error) {
      return this.#survive(error);
    } finally {
      if (watch !== undefined) clearInterval(watch);
    }
    this.#handlers.endDoubts(doubts);
    this.#looksFrom = 0;
    if (!answer.refused) this.#leasedUntil = sentAt + leaseMs;
    this.#inTransit = answer.unseen;
    this.#holdings.dropSettled(settlements, answer.statuses);
    this.#count(settlements, answer);
    if (answer.lost) this.#forgetLease();
    this.#holdings.abortCancelled(answer.cancelled);
    if (answer.transitions.length > 0) this.#options.onTransitions?.(answer.transitions);
    this.#accept(answer, want, (sentAt + this.#clock()) / 2 - answer.now);
    this.#noteLeft(answer, want, drain);
    this.#pace.noteSync(this.#clock());
    if (!answer.refused) this.#pace.noteStored();
    else {
      this.#options.onRefused?.(answer.refused);
      await this.#waitForStorage();
    }
  }

  /** The part of a sync by which storage knows whether this drain takes new work. */
  #situation(now: number) {
    const { budget } = this.#options;
    const lifeMs = Math.max(0, budget.msForHandler(now) - UNDER_WAY_MS);
    return { ending: budget.isClosing(now), busy: now >= this.#stuckAt(), sleepMs: budget.msToSleep(), lifeMs };
  }

  #count(settlements: Settlement[], { statuses, retried }: SyncAnswer): void {
    statuses.forEach((status, index) => {
      if (status === 'refused') return;
      // A repeated call finds its own ack done: the message is gone because this drain acked it.
      const own = retried && status === 'gone' && settlements[index]?.outcome === 'ack';
      this.#report[own ? 'acked' : status] += 1;
    });
  }

  /** @param clockAheadMs the server answered about half-way between request and reply */
  #accept(answer: SyncAnswer, want: number, clockAheadMs: number): void {
    this.#hold(answer.taken, clockAheadMs);
    const isAll = answer.taken.length < want && !answer.lost && !answer.unseen && !answer.refused;
    if (want > 0) this.#drained = isAll && !this.#attention.asked;
    const isLeftAlone = answer.schedules !== undefined && !this.#options.fire; // it comes again in some seconds: nobody sleeps for that
    if (answer.schedules && !isLeftAlone) this.#drained = false; // their messages are ready by now, and their next occurrence may be near
    const pollMs = this.#options.pollMs || Number.POSITIVE_INFINITY;
    const nextDue = (isLeftAlone ? undefined : answer.nextDue) ?? Number.POSITIVE_INFINITY;
    const inMs = Math.max(0, Math.min(pollMs, nextDue - answer.now + ROUNDING_MS));
    this.#nextDueAt = Number.isFinite(inMs) ? this.#clock() + inMs : undefined;
  }

  #hold(messages: SyncAnswer['taken'], clockAheadMs: number): void {
    for (const taken of messages) {
      const delivery = openDelivery(taken, this.#options.queues, clockAheadMs);
      if ('outcome' in delivery) {
        this.#holdings.settle(delivery);
        this.#pace.noteFinished();
      } else this.#holdings.waiting.push(delivery);
    }
    this.#holdings.waiting.sort((a, b) => a.message.priority - b.message.priority); // stable: arrival within a priority
  }

  /** Other drains are told at once of what this one does not take, being busy, and once, when it ends, of what it leaves. */
  #noteLeft({ left }: SyncAnswer, want: number, { ending, busy }: { ending: boolean; busy: boolean }): void {
    if (want > 0 || busy) this.#handover.gaveWay = busy;
    if (want > 0 || ending) this.#handover.left = want > 0 && !this.#drained ? 0 : left;
    if (busy && left !== undefined) this.#handover.giveWay(left);
    else if (ending) this.#tellLeft();
  }

  /** It tells of a timer only where it has put something off itself: other timers are mostly those of leases. */
  #tellLeft(): void {
    const isOwn = this.#holdings.hasPutOff && this.#nextDueAt !== undefined;
    this.#handover.tell(isOwn ? (this.#nextDueAt ?? 0) - this.#clock() : undefined);
  }

  #forgetLease(): void {
    this.#report.leasesLost += 1;
    this.#holdings.forget();
    this.#lease = newToken();
  }

  /** Storage is away: what is held stays held, and is settled when it comes back before the lease is over. */
  async #survive(error: unknown): Promise<void> {
    if (!(error instanceof StorageError)) throw error;
    if (error.code === 'subrequests') return this.#handlers.stopSpending(); // it never left
    if (this.#holdings.isEmpty) throw error;
    this.#inTransit = true;
    this.#pace.lastSyncAt = this.#clock();
    await this.#waitForStorage();
  }

  async #waitForStorage(): Promise<void> {
    await sleep(this.#pace.noteStorageFailure(this.#options.budget.msLeft() - LAST_SYNC_MS));
  }

  /**
   * Ends in time: unstarted messages go back, running ones have the time of their queues. What still runs then blocked the
   * clock, and is cut off. Outcomes wait for each other, because requests may be what is scarce; but not where the process ends.
   */
  async #close(): Promise<DrainEnd> {
    const { budget } = this.#options;
    const { invocation } = budget;
    budget.close(); // what is left to code that enqueues may be free before this has ended
    this.#holdings.giveBack();
    while (this.#holdings.running.length > 0 && budget.msLeft() > RESERVED_MS) {
      const syncAt = budget.isStopped ? this.#syncAt() : this.#pace.heartbeatAt;
      const inMs = (invocation.isSpent ? Number.POSITIVE_INFINITY : syncAt) - this.#clock();
      if (inMs <= 0) await this.#sync();
      else await this.#wait(Math.min(inMs, budget.msLeft() - RESERVED_MS));
      this.#holdings.giveBack();
      this.#handlers.expire();
    }
    await this.#handlers.abortAll(() => this.#wait(GRACE_MS));
    budget.finish();
    while (!invocation.isSpent && (this.#holdings.outcomes.length > 0 || this.#inTransit)) {
      await this.#sync();
      this.#holdings.giveBack(); // what a sync still brought was in transit
      if (budget.msLeft() <= 0) break;
    }
    if (!invocation.isSpent) return this.#holdings.outcomes.length > 0 ? 'storage' : 'budget';
    if (this.#holdings.outcomes.length > 0)
      this.#options.onUnsettled?.({ lease: this.#lease, settlements: this.#holdings.outcomes });
    return 'subrequests';
  }

  /** Until something happened: an outcome, a handler's deadline, a heartbeat, a due timer, the closing of the budget. */
  async #wait(mostMs: number): Promise<void> {
    const now = this.#clock();
    const deadlines = this.#holdings.running.map(({ deadline }) => deadline);
    const idle = this.#holdings.isEmpty;
    const closing = this.#options.budget.isClosing();
    const alarms = idle
      ? [this.#nextDueAt ?? now]
      : [...(closing ? [] : [this.#syncAt(), this.#lookAt(), this.#stuckAt(), this.#lateAt(now)]), ...deadlines];
    this.#armedFor = Math.min(now + mostMs, ...alarms);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#notify = resolve;
    const timer = setTimeout(resolve, Math.max(1, this.#armedFor - now));
    await promise;
    clearTimeout(timer);
    this.#notify = undefined;
    this.#armedFor = 0;
  }
}
