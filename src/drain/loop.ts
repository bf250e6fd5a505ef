/**
 * The loop: one drain, from its first sync to its last.
 *
 * Handlers run side by side while a sync is in flight; what ends meanwhile goes with the next one (group commit).
 * There is never more than one sync in flight, because the lease's count of entries must be unambiguous. The loop
 * decides nothing about Redis and nothing about handlers: the store and deliver.ts do.
 */

import { prepare } from '../broker/producer.ts';
import type { MessageInput } from '../broker/validate.ts';
import { LazyController } from '../delivery/context.ts';
import { cutOff, type Delivery, deliver, openDelivery, timedOut } from '../delivery/deliver.ts';
import type { OpenSpan } from '../delivery/span.ts';
import { StorageError } from '../errors.ts';
import { newToken } from '../message/ids.ts';
import { passedOn } from '../message/trace-context.ts';
import { refuseRing } from '../queue/ring.ts';
import { sleep } from '../runtime/sleep.ts';
import type { Settlement } from '../store/encode-settlements.ts';
import type { Measurement } from '../store/measured.ts';
import type { SyncAnswer } from '../store/sync.ts';
import { nextBatch } from './batch.ts';
import { type Connections, openConnections } from './connections.ts';
import { AWAKENING_MS, RESERVED_MS, UNDER_WAY_MS } from './life.ts';
import type { Attention, DrainEnd, DrainOptions, DrainReport } from './report.ts';

/** A delivery whose handler was called and has not answered. */
interface Running {
  delivery: Delivery;
  controller: LazyController;
  startedAt: number;
  deadline: number;
  span: OpenSpan | undefined;
  /** Nothing of its invocation was handled before it. */
  isFirst: boolean;
  settled: boolean;
}

/** How long an outcome may wait for company while other handlers run. */
const LINGER_MS = 25;
/** Messages taken ahead wait about this long for a handler: more would keep urgent ones behind them. */
const AHEAD_MS = 50;
/** After the abort at the end of its life, how long a handler gets that held up its own timeout. */
const GRACE_MS = 100;
/** Kept for the last sync. */
const LAST_SYNC_MS = RESERVED_MS - GRACE_MS;
/** All handlers busy for so long, none finished: this drain does not look soon, and new work should wake another. */
const STUCK_MS = 250;
/** Between syncs while storage is away: a second more after each. */
const STORAGE_WAIT_MS = 1_000;
const LEAST_STORAGE_WAIT_MS = 50;

/** How often handlers' times are looked at while a sync is in flight. */
const WATCH_MS = 100;
/** A timer is due on the server's clock: by the local one a little later, never earlier. */
const ROUNDING_MS = 2;
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
  readonly #random: () => number;
  readonly #connections: Connections;
  readonly #report: Omit<DrainReport, 'requests' | 'ms' | 'ended'>;

  #lease: string;
  #waiting: Delivery[] = [];
  /**
   * No Map: V8 makes one that shrinks with each batch anew, each refers to the next, and one that got old keeps all later
   * ones, with their messages, from the quick part of garbage collection: 1 to 2 us a message.
   */
  #running: Running[] = [];
  #outcomes: Settlement[] = [];
  /** Those of them whose handlers say that the platform refuses subrequests. Until storage has been asked nothing is started. */
  #doubtful: { running: Running; settlement: Settlement }[] = [];
  #firstOutcomeAt = 0;
  #lastSyncAt = 0;
  /** Until then, by the local clock, what is held is surely held. */
  #leasedUntil = 0;
  /** The last sync failed, or its answer was full: the lease may hold what this drain has not seen. */
  #inTransit = false;
  /** The last sync brought less than wanted: new work wakes another drain. */
  #drained = false;
  #hasEnded = false;
  /** It has said that it is busy: new work may wake another drain. */
  #gaveWay = false;
  /** Work that it leaves to others, by the shortest timeout of its queues; 0 where that is not known. */
  #left: number | undefined;
  #hasTold = false;
  /** Something of what it handled has to wait, and comes again. */
  #putOff = false;
  /** Local time at which the next timer is due. */
  #nextDueAt: number | undefined;
  /** Messages that the handlers end in AHEAD_MS. */
  #paced = 0;
  /** Deliveries that ended since the last sync. */
  #finished = 0;
  #storageFailures = 0;
  /** Ends the wait of `run`, where it waits. */
  #notify: (() => void) | undefined;
  #armedFor = 0;

  constructor(options: DrainOptions) {
    this.#options = options;
    this.#lease = options.lease ?? newToken();
    this.#attention = options.attention ?? { asked: false };
    this.#attention.look = () => this.#look();
    this.#clock = options.clock ?? Date.now;
    this.#random = options.random ?? Math.random;
    this.#connections = openConnections(options.connections);
    this.#report = { delivered: 0, acked: 0, retried: 0, dead: 0, released: 0, stale: 0, gone: 0, leasesLost: 0 };
  }

  async run(): Promise<DrainReport> {
    let ended: DrainEnd = 'idle';
    await this.#sync();
    for (;;) {
      this.#start();
      this.#giveBackLate();
      if (this.#options.budget.isClosing()) {
        ended = await this.#close();
        break;
      }
      if (this.#isSyncDue()) await this.#sync();
      else if (this.#isIdle() && !this.#canSleep()) {
        if (this.#left !== undefined) ended = 'budget'; // its time did not cover that
        break;
      } else await this.#wait(this.#options.budget.msToClosing());
      this.#expireHandlers();
    }
    this.#hasEnded = true;
    this.#tellLeft();
    if (this.#nextDueAt !== undefined) this.#options.onDue?.(this.#nextDueAt - this.#clock());
    const { requests, ms } = this.#options.budget.used();
    return { ...this.#report, requests, ms, ended };
  }

  /**
   * There is something new, and nobody else was woken for it: it looks, or says once more that it is busy.
   * @returns whether it looks now; where all its handlers are busy it looks when one is free
   */
  #look(): boolean {
    this.#attention.asked = true;
    if (this.#hasEnded) return false;
    this.#drained = false;
    if (this.#options.onBusy && (this.#options.budget.isClosing() || !this.#isFree())) return false; // whoever asked asks another
    this.#gaveWay = false;
    this.#notify?.();
    return true;
  }

  /** Starts what waits, the most urgent first, as far as there is room. Not what another may hold by now. */
  #start(): void {
    const { budget, concurrency } = this.#options;
    while (this.#running.length < concurrency && this.#doubtful.length === 0) {
      const place = this.#connections.next(this.#waiting);
      const next = this.#waiting[place];
      if (!next) return;
      const now = this.#clock();
      const isLate = next.queue.timeoutMs > budget.msForHandler(now);
      if (now >= this.#leasedUntil || budget.isClosing(now) || !(isLate || budget.admit(next.queue.subrequests)))
        return;
      this.#waiting.splice(place, 1);
      if (isLate) this.#settle({ entry: next.entry, outcome: 'release' });
      else this.#begin(next, now);
    }
  }

  /** What has waited too long to be ended in time goes back uncounted, for a drain that lives longer. */
  #giveBackLate(): void {
    if (this.#lateAt(this.#clock()) > this.#clock()) return;
    const lifeMs = this.#options.budget.msForHandler();
    const isLate = ({ queue }: Delivery) => queue.timeoutMs > lifeMs;
    for (const { entry } of this.#waiting.filter(isLate)) this.#settle({ entry, outcome: 'release' });
    this.#waiting = this.#waiting.filter((delivery) => !isLate(delivery));
  }

  #begin(delivery: Delivery, startedAt: number): void {
    const { env, ring = refuseRing, queues } = this.#options;
    const controller = new LazyController();
    const deadline = startedAt + delivery.queue.timeoutMs;
    const span = this.#options.trace?.(delivery.message);
    const isFirst = this.#options.budget.invocation.deliveries === 1;
    const running: Running = { delivery, controller, startedAt, deadline, span, isFirst, settled: false };
    this.#report.delivered += 1;
    this.#running.push(running);
    this.#connections.start(delivery);
    const traceparent = span?.traceparent ?? passedOn(delivery.message.headers.traceparent);
    const given = { env, ring, traceparent, controller };
    const prepared = (input: MessageInput) => prepare(queues, input, traceparent);
    const outcome = deliver(delivery, given, prepared, this.#random);
    // What ends at once is settled at once, until a sync is due: it has to get between handlers that take their time.
    if (outcome instanceof Promise || startedAt >= this.#syncAt()) {
      if (deadline < this.#armedFor) this.#notify?.();
      Promise.resolve(outcome).then((settlement) => this.#finish(running, settlement));
    } else this.#end(running, outcome);
  }

  #finish(running: Running, outcome: Settlement): void {
    if (running.settled) return;
    this.#end(running, outcome);
    this.#start();
    const closes = this.#waiting.length > 0 && this.#options.budget.isClosing(); // it goes back to where others find it
    if (this.#notify && (this.#running.length === 0 || closes || this.#isSyncDue())) this.#notify();
  }

  /** The first outcome of a delivery counts; a handler that ends after its time is not heard any more. */
  #end(running: Running, outcome: Settlement): void {
    running.settled = true;
    this.#running.splice(this.#running.indexOf(running), 1); // mostly the first, or alone
    this.#connections.end(running.delivery);
    const aborted = running.controller.aborted && outcome.outcome !== 'ack';
    const settlement = aborted ? cutOff(running.delivery) : outcome;
    settlement.measured = this.#measure(running);
    running.span?.end(settlement.failure?.kind);
    if (settlement.outOfSubrequests) this.#doubtful.push({ running, settlement });
    else this.#tellFailure(running, settlement);
    if (settlement.failure && this.#options.keepsStacks === false) settlement.failure.stack = undefined;
    this.#settle(settlement);
    this.#finished += 1;
  }

  #tellFailure({ delivery }: Running, settlement: Settlement): void {
    if (settlement.failure) this.#options.onFailure?.(delivery.message, settlement);
  }

  /** Storage was asked since, so the platform refuses nothing: the words were perhaps those of another Worker, and these have failed. */
  #endDoubts(count: number): void {
    for (const { running, settlement } of this.#doubtful.splice(0, count)) this.#tellFailure(running, settlement);
  }

  /**
   * The platform refuses. What met that goes back uncounted, for others may have used the subrequests up. Not what had all there are
   * to itself at its start and sent some of them, or it would come again for ever.
   */
  #confirmDoubts(): void {
    for (const { running, settlement } of this.#doubtful.splice(0)) {
      const { entry, measured } = settlement;
      if (running.isFirst && !running.delivery.queue.destination) this.#tellFailure(running, settlement);
      else
        this.#outcomes[this.#outcomes.indexOf(settlement)] = {
          entry,
          outcome: 'release',
          ...(measured && { measured }),
        };
    }
  }

  /** Nothing more is started, and storage is not asked any more: it would be refused. */
  #stopSpending(): void {
    this.#confirmDoubts();
    const { budget, onSpent } = this.#options;
    if (budget.invocation.isSpent) return;
    budget.invocation.isSpent = true;
    const running = this.#running.map(({ delivery }) => delivery.queue.name);
    const handled = this.#outcomes.map(({ measured }) => measured?.queue);
    onSpent?.([...new Set([...running, ...handled])].filter((name) => name !== undefined));
  }

  #measure({ delivery: { queue, dueAt }, startedAt }: Running): Measurement {
    const waitMs = dueAt === undefined ? undefined : startedAt - dueAt;
    return { queue: queue.name, runMs: this.#clock() - startedAt, waitMs };
  }

  #settle(outcome: Settlement): void {
    if (outcome.outcome === 'retry' || outcome.chained) this.#putOff = true;
    if (this.#outcomes.push(outcome) > 1) return;
    this.#firstOutcomeAt = this.#clock();
    this.#notify?.();
  }

  #expireHandlers(): void {
    const now = this.#clock();
    for (const running of [...this.#running]) {
      if (running.deadline > now) continue;
      this.#finish(running, timedOut(running.delivery, this.#random));
      running.controller.abort(new DOMException('the time for this message is over', 'TimeoutError'));
    }
  }

  #isIdle(): boolean {
    return this.#running.length === 0 && this.#waiting.length === 0 && this.#outcomes.length === 0;
  }

  /** Nothing is held, but a timer is due before the budget ends, and as soon as it may sleep. */
  #canSleep(): boolean {
    const { budget } = this.#options;
    const inMs = (this.#nextDueAt ?? Number.POSITIVE_INFINITY) - this.#clock();
    return inMs < budget.msToClosing() && inMs <= budget.msToSleep() + AWAKENING_MS;
  }

  #isSyncDue(): boolean {
    const now = this.#clock();
    if (this.#isIdle()) return !this.#drained || (this.#nextDueAt !== undefined && this.#nextDueAt <= now);
    const nothingElse = this.#running.length === 0 && this.#waiting.length === 0;
    const room = this.#isFree() && (!this.#drained || this.#lookAt() <= now);
    const full = this.#outcomes.length >= this.#options.batch;
    const due = now >= Math.min(this.#syncAt(), this.#stuckAt());
    return nothingElse || full || (room && this.#want() > 0) || due || this.#doubtful.length > 0;
  }

  /** When outcomes have lingered long enough, or the lease wants to be extended. */
  #syncAt(): number {
    const heartbeat = this.#lastSyncAt + this.#options.leaseMs / 3;
    return this.#outcomes.length > 0 ? Math.min(heartbeat, this.#firstOutcomeAt + LINGER_MS) : heartbeat;
  }

  /** When it has been too busy to look for so long that it has to say so: no handler is free, or no connection. */
  #stuckAt(): number {
    const stuck = this.#outcomes.length === 0 && !this.#isFree();
    return stuck && !this.#drained && !this.#gaveWay ? this.#lastSyncAt + STUCK_MS : Number.POSITIVE_INFINITY;
  }

  /** When the first of what waits can not be ended any more. */
  #lateAt(now: number): number {
    const lastStartAt = now + this.#options.budget.msForHandler(now);
    return lastStartAt - Math.max(...this.#waiting.map(({ queue }) => queue.timeoutMs));
  }

  /** When a handler is free for what is due then. */
  #lookAt(): number {
    const free = this.#isFree() && this.#want() > 0;
    return (free ? this.#nextDueAt : undefined) ?? Number.POSITIVE_INFINITY;
  }

  /** A handler has nothing to do. */
  #isFree(): boolean {
    return this.#waiting.length === 0 && this.#running.length < this.#options.concurrency;
  }

  #want(): number {
    const { batch, budget } = this.#options;
    if (budget.isClosing()) return 0;
    const held = this.#running.length + this.#waiting.length;
    const affordable = budget.deliveriesLeft(this.#waiting.map(({ queue }) => queue.subrequests));
    return Math.max(0, Math.min(batch, this.#ahead() - held, affordable));
  }

  async #sync(): Promise<void> {
    const { store, pool, leaseMs, fire } = this.#options;
    const settlements = nextBatch(this.#outcomes);
    const held = this.#running.length + this.#waiting.length + this.#outcomes.length - settlements.length;
    const sentAt = this.#clock();
    const drain = this.#situation(sentAt);
    const doubts = this.#doubtful.length;
    const want = drain.busy || doubts > 0 ? 0 : this.#want();
    if (want > 0) this.#attention.asked = false;
    // Storage may hang, and a handler's time must end all the same.
    const watch = this.#running.length > 0 ? setInterval(() => this.#expireHandlers(), WATCH_MS) : undefined;
    let answer: SyncAnswer;
    try {
      answer = await store.sync({ lease: this.#lease, leaseMs, held, want, pools: [pool], settlements, drain });
      if (answer.schedules) await fire?.(answer.schedules, answer.now);
    } catch (error) {
      return this.#survive(error);
    } finally {
      clearInterval(watch);
    }
    this.#endDoubts(doubts);
    if (!answer.refused) this.#leasedUntil = sentAt + leaseMs;
    this.#inTransit = answer.unseen;
    // What storage refused is still held, and settled again.
    const refused = settlements.filter((_, index) => answer.statuses[index] === 'refused');
    this.#outcomes.splice(0, settlements.length, ...refused);
    this.#firstOutcomeAt = this.#clock();
    this.#count(settlements, answer);
    if (answer.lost) this.#forgetLease();
    this.#abortCancelled(answer.cancelled);
    if (answer.transitions.length > 0) this.#options.onTransitions?.(answer.transitions);
    this.#accept(answer, want, (sentAt + this.#clock()) / 2 - answer.now);
    this.#noteLeft(answer, want, drain);
    this.#adapt();
    if (!answer.refused) this.#storageFailures = 0;
    else {
      this.#options.onRefused?.(answer.refused);
      await this.#waitForStorage();
    }
  }

  /** What a sync tells of this drain. */
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
    for (const taken of answer.taken) {
      const delivery = openDelivery(taken, this.#options.queues, clockAheadMs);
      if ('outcome' in delivery) {
        this.#settle(delivery);
        this.#finished += 1;
      } else this.#waiting.push(delivery);
    }
    this.#waiting.sort((a, b) => a.message.priority - b.message.priority); // stable: arrival within a priority
    const isAll = answer.taken.length < want && !answer.lost && !answer.unseen && !answer.refused;
    if (want > 0) this.#drained = isAll && !this.#attention.asked;
    const isLeftAlone = answer.schedules !== undefined && !this.#options.fire; // it comes again in some seconds: nobody sleeps for that
    if (answer.schedules && !isLeftAlone) this.#drained = false; // their messages are ready by now, and their next occurrence may be near
    const pollMs = this.#options.pollMs || Number.POSITIVE_INFINITY;
    const nextDue = (isLeftAlone ? undefined : answer.nextDue) ?? Number.POSITIVE_INFINITY;
    const inMs = Math.max(0, Math.min(pollMs, nextDue - answer.now + ROUNDING_MS));
    this.#nextDueAt = Number.isFinite(inMs) ? this.#clock() + inMs : undefined;
  }

  /** Others are told at once of what this drain does not take, being busy, and once, when it ends, of what it leaves. */
  #noteLeft({ left }: SyncAnswer, want: number, { ending, busy }: { ending: boolean; busy: boolean }): void {
    if (want > 0 || busy) this.#gaveWay = busy;
    if (want > 0 || ending) this.#left = want > 0 && !this.#drained ? 0 : left;
    const { onBusy, onLeft } = this.#options;
    if (busy && left !== undefined) onBusy ? onBusy() : onLeft?.(left, 0);
    else if (ending) this.#tellLeft();
  }

  /** Of what is due later it speaks where it has put something off itself: other timers are mostly leases. */
  #tellLeft(): void {
    const now = this.#clock();
    const dueAt = this.#left === undefined ? this.#putOff && this.#nextDueAt : now;
    if (this.#hasTold || !dueAt) return;
    this.#hasTold = true;
    this.#options.onLeft?.(this.#left ?? 0, dueAt - now);
  }

  /**
   * How many messages it may hold: fast handlers get full batches, slow ones hold few back from others. More run at once than
   * there are connections only where those do that need none: so many at first, and twice as many as do each time.
   */
  #ahead(): number {
    const { concurrency, connections, batch } = this.#options;
    const atOnce = Math.min(concurrency, Math.max(connections, 2 * this.#running.length));
    return Math.min(batch, Math.max(atOnce, this.#paced)) + atOnce;
  }

  /** Follows the pace of the handlers. */
  #adapt(): void {
    const now = this.#clock();
    const pace = this.#finished / Math.max(1, now - this.#lastSyncAt);
    if (this.#finished > 0) this.#paced = Math.ceil(pace * AHEAD_MS);
    this.#finished = 0;
    this.#lastSyncAt = now;
  }

  /** Their handlers are told; what they still answer finds the message gone. */
  #abortCancelled(entries: string[]): void {
    if (entries.length === 0) return;
    const isCancelled = ({ entry }: Delivery) => entries.includes(entry);
    for (const { delivery, controller } of this.#running) {
      if (isCancelled(delivery)) controller.abort(new DOMException('the message was cancelled', 'AbortError'));
    }
    for (const { entry } of this.#waiting.filter(isCancelled)) this.#settle({ entry, outcome: 'ack' });
    this.#waiting = this.#waiting.filter((delivery) => !isCancelled(delivery));
  }

  /** The lease was swept: its messages are another's now. */
  #forgetLease(): void {
    this.#report.leasesLost += 1;
    for (const running of this.#running) {
      running.settled = true;
      this.#connections.end(running.delivery);
      running.span?.end('lease_expired');
      running.controller.abort(new DOMException('the lease of this message was lost', 'AbortError'));
    }
    this.#running = [];
    this.#waiting = [];
    this.#outcomes = [];
    this.#doubtful = [];
    this.#lease = newToken();
  }

  /** Storage is away: what is held stays held, and is settled when it comes back before the lease is over. */
  async #survive(error: unknown): Promise<void> {
    if (!(error instanceof StorageError)) throw error;
    if (error.code === 'subrequests') return this.#stopSpending(); // it never left
    if (this.#isIdle()) throw error;
    this.#inTransit = true;
    this.#lastSyncAt = this.#clock();
    await this.#waitForStorage();
  }

  /** It is away, or takes nothing: a second more each time. */
  async #waitForStorage(): Promise<void> {
    this.#storageFailures += 1;
    const wait = Math.min(this.#storageFailures * STORAGE_WAIT_MS, this.#options.budget.msLeft() - LAST_SYNC_MS);
    await sleep(Math.max(LEAST_STORAGE_WAIT_MS, wait));
  }

  /**
   * Ends in time: unstarted messages go back, running ones have the time of their queues. What still runs then blocked the
   * clock, and is cut off. Outcomes wait for each other, because requests may be what is scarce.
   */
  async #close(): Promise<DrainEnd> {
    const { budget, leaseMs } = this.#options;
    const { invocation } = budget;
    budget.close(); // what is left to code that enqueues may be free before this has ended
    this.#giveBack();
    while (this.#running.length > 0 && budget.msLeft() > RESERVED_MS) {
      const beatAt = invocation.isSpent ? Number.POSITIVE_INFINITY : this.#lastSyncAt + leaseMs / 3;
      const heartbeatIn = beatAt - this.#clock();
      if (heartbeatIn <= 0) await this.#sync();
      else await this.#wait(Math.min(heartbeatIn, budget.msLeft() - RESERVED_MS));
      this.#giveBack();
      this.#expireHandlers();
    }
    const stillRunning = [...this.#running];
    for (const { controller } of stillRunning) controller.abort(new DOMException('the drain has to end', 'AbortError'));
    if (stillRunning.length > 0) await this.#wait(GRACE_MS);
    for (const running of stillRunning) this.#finish(running, cutOff(running.delivery));
    budget.finish();
    while (!invocation.isSpent && (this.#outcomes.length > 0 || this.#inTransit)) {
      await this.#sync();
      this.#giveBack(); // what a sync still brought was in transit
      if (budget.msLeft() <= 0) break;
    }
    if (!invocation.isSpent) return this.#outcomes.length > 0 ? 'storage' : 'budget';
    if (this.#outcomes.length > 0) this.#options.onUnsettled?.({ lease: this.#lease, settlements: this.#outcomes });
    return 'subrequests';
  }

  #giveBack(): void {
    for (const { entry } of this.#waiting.splice(0)) this.#settle({ entry, outcome: 'release' });
  }

  /** Until something happened: an outcome, a handler's deadline, a heartbeat, a due timer, the closing of the budget. */
  async #wait(mostMs: number): Promise<void> {
    const now = this.#clock();
    const deadlines = this.#running.map(({ deadline }) => deadline);
    const idle = this.#isIdle();
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
