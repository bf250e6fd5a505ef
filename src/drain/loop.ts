/**
 * The loop: one drain, from its first sync to its last.
 *
 * Handlers run side by side while syncs are in flight; what ends meanwhile goes with the next one of its lease (group commit). The
 * loop decides nothing about Redis, handlers or syncs: it has each of them act when something has happened.
 */

import type { HandOff } from '../store/enqueue.ts';
import { closeDrain } from './closing.ts';
import { type Connections, openConnections } from './connections.ts';
import { Handlers } from './handlers.ts';
import { Handover } from './handover.ts';
import { Holdings } from './holdings.ts';
import { Lease } from './lease.ts';
import { NextSync } from './next-sync.ts';
import { Outlook } from './outlook.ts';
import { Pace } from './pace.ts';
import type { Attention, DrainEnd, DrainOptions, DrainReport } from './report.ts';
import { Syncs } from './syncs.ts';

/**
 * Takes and handles messages until nothing is ready, or the budget is used up.
 * @throws StorageError where storage gives no answer and nothing is held
 */
export function drain(options: DrainOptions): Promise<DrainReport> {
  return new DrainLoop(options).run();
}

class DrainLoop {
  readonly #options: DrainOptions;
  readonly #clock: () => number;
  readonly #mostLeases: number;
  readonly #attention: Attention;
  readonly #connections: Connections;
  readonly #holdings: Holdings;
  readonly #handlers: Handlers;
  readonly #handover: Handover;
  readonly #outlook = new Outlook();
  readonly #pace: Pace;
  readonly #syncs: Syncs;
  readonly #next: NextSync;
  readonly #report: Omit<DrainReport, 'requests' | 'ms' | 'ended'>;

  #hasEnded = false;
  /** Ends the wait of `run`, where it waits. */
  #notify: (() => void) | undefined;
  #armedFor = 0;

  constructor(options: DrainOptions) {
    const { leases = 1, concurrency, clock = Date.now, budget, attention = { asked: false } } = options;
    this.#options = options;
    this.#clock = clock;
    this.#mostLeases = concurrency === 1 ? 1 : leases; // one handler sees each lane in its order, however answers come
    this.#attention = attention;
    attention.look = () => this.#look();
    attention.end = () => this.#notify?.();
    attention.isFree = () => !this.#hasEnded && this.#next.isFree && !this.#options.budget.isClosing();
    attention.adopt = (handOff) => this.#adopt(handOff);
    const connections = openConnections(options.connections);
    const holdings = new Holdings({ budget, connections, clock, onOutcome: () => this.#notify?.() });
    const [outlook, pace, handover] = [this.#outlook, new Pace(options), new Handover(options)];
    const report = { delivered: 0, acked: 0, retried: 0, dead: 0, released: 0, stale: 0, gone: 0, leasesLost: 0 };
    const shared = { drain: options, clock, connections, holdings, outlook, pace, handover, report };
    const handlers = new Handlers({
      ...shared,
      onStarted: (deadline) => {
        if (deadline < this.#armedFor) this.#notify?.();
      },
      onEnded: () => this.#noteEnded(),
    });
    const syncs = new Syncs({ ...shared, attention, handlers, onOver: () => this.#notify?.() });
    this.#next = new NextSync({ ...shared, syncs, mostLeases: this.#mostLeases });
    [this.#connections, this.#holdings, this.#handlers] = [connections, holdings, handlers];
    [this.#pace, this.#handover, this.#syncs, this.#report] = [pace, handover, syncs, report];
  }

  async run(): Promise<DrainReport> {
    const { budget, onDue, handOff, lease } = this.#options;
    if (handOff) this.#hold(handOff);
    else this.#holdings.add(new Lease(lease));
    if (!handOff?.taken) this.#syncs.begin(this.#next.first());
    else this.#pace.begin(handOff.leasedUntil - this.#options.leaseMs);
    const ended = await this.#loop();
    this.#syncs.tellLeft();
    const { nextDueAt } = this.#outlook;
    if (nextDueAt !== undefined) onDue?.(nextDueAt - this.#clock());
    const { requests, ms } = budget.used();
    return { ...this.#report, requests, ms, ended };
  }

  async #loop(): Promise<DrainEnd> {
    const { budget } = this.#options;
    try {
      for (;;) {
        this.#handlers.start();
        const now = this.#clock();
        if (this.#lateAt(now) <= now) this.#holdings.giveBackLate(budget.msForHandler());
        if (budget.isClosing()) return await this.#close();
        const next = this.#next.find(now);
        if (next) this.#syncs.begin(next);
        else if (this.#isOver())
          return this.#handover.left === undefined ? 'idle' : 'budget'; // its time did not cover that
        else await this.#wait(budget.msToClosing());
        this.#syncs.check();
        this.#handlers.expire();
      }
    } finally {
      this.#hasEnded = true; // at once, and also where it has failed: from here on nobody looks at what it would take
    }
  }

  #close(): Promise<DrainEnd> {
    const [drain, clock, connections, holdings] = [this.#options, this.#clock, this.#connections, this.#holdings];
    const [handlers, syncs] = [this.#handlers, this.#syncs];
    return closeDrain({ drain, clock, connections, holdings, handlers, syncs, wait: (mostMs) => this.#wait(mostMs) });
  }

  /** Nothing is held, no sync is under way, and nothing is due for which it can sleep. */
  #isOver(): boolean {
    return this.#holdings.isEmpty && !this.#isUnderWay() && !this.#next.canSleep();
  }

  #isUnderWay(): boolean {
    return this.#holdings.leases.some(({ underWay }) => underWay !== undefined);
  }

  /** Takes a lease that an enqueue has filled. What is not known of it its first sync says; whatever came since then it finds a little later. */
  #hold({ lease: name, leasedUntil, takenAt, taken, clockAheadMs }: HandOff): void {
    const lease = new Lease(name);
    lease.leasedUntil = leasedUntil;
    lease.inTransit = taken === undefined;
    this.#holdings.add(lease);
    if (!taken) return;
    lease.lastSyncAt = leasedUntil - this.#options.leaseMs;
    this.#outlook.noteHandOff(this.#clock());
    this.#syncs.hold(lease, taken, takenAt, clockAheadMs);
  }

  /** One more lease that an enqueue has filled. @returns false where this drain takes nothing more */
  #adopt(handOff: HandOff): boolean {
    const isFull = this.#holdings.leases.length > this.#mostLeases;
    if (this.#hasEnded || isFull || this.#options.budget.isClosing()) return false;
    this.#outlook.ask(); // whoever enqueued has set `awake`, and counts on a drain that looks
    this.#hold(handOff);
    this.#notify?.();
    return true;
  }

  /**
   * There is something new, and nobody else was woken for it: it looks, or says once more that it is busy.
   * @returns whether it looks now; where all its handlers are busy it looks when one is free
   */
  #look(): boolean {
    this.#attention.asked = true;
    if (this.#hasEnded) return false;
    this.#outlook.ask();
    if (this.#options.onBusy && (this.#options.budget.isClosing() || !this.#next.isFree)) return false; // whoever asked asks another
    this.#handover.gaveWay = false;
    this.#notify?.();
    return true;
  }

  /** A handler has ended that took its time. */
  #noteEnded(): void {
    if (!this.#notify) return;
    const { running, waiting } = this.#holdings;
    const closes = waiting.length > 0 && this.#options.budget.isClosing(); // it goes back to where others find it
    if (running.length === 0 || closes || this.#next.find(this.#clock())) this.#notify();
  }

  /** When the first of the waiting messages can not be ended in time any more. */
  #lateAt(now: number): number {
    const lastStartAt = now + this.#options.budget.msForHandler(now);
    return lastStartAt - this.#holdings.longestTimeoutMs;
  }

  /** Until something happened: an outcome, an answer, a handler's deadline, a heartbeat, a due timer, the closing of the budget. */
  async #wait(mostMs: number): Promise<void> {
    const { running, waiting } = this.#holdings;
    const now = this.#clock();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#notify = resolve;
    // Where only answers can come nothing else has to end the wait.
    const isTimed = running.length > 0 || waiting.length > 0 || !this.#isUnderWay();
    let timer: ReturnType<typeof setTimeout> | undefined;
    if (isTimed) {
      this.#armedFor = Math.min(now + mostMs, this.#alarmAt(now));
      timer = setTimeout(resolve, Math.max(1, this.#armedFor - now));
    }
    await promise;
    if (timer !== undefined) clearTimeout(timer);
    this.#notify = undefined;
    this.#armedFor = 0;
  }

  #alarmAt(now: number): number {
    let at = Number.POSITIVE_INFINITY;
    for (const { deadline } of this.#holdings.running) at = Math.min(at, deadline);
    return this.#options.budget.isClosing() ? at : Math.min(at, this.#next.nextAt(), this.#lateAt(now));
  }
}
