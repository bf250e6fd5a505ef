/**
 * Waking: who drains when there is work. Under an invocation there is one drain; a second wake has it look again. Where drainers are
 * bound they are woken in its place.
 */

import type { Config } from '../config/config.ts';
import type { Budget } from '../drain/budget.ts';
import type { Round, Watch } from '../drain/drainer.ts';
import type { Drainers } from '../drain/drainers.ts';
import { type Life, wakeFor } from '../drain/life.ts';
import type { Attention, DrainReport } from '../drain/report.ts';
import { StorageError } from '../errors.ts';
import { logError, nameOfError } from '../log.ts';
import { newToken } from '../message/ids.ts';
import { PUSH_POOL } from '../message/lane.ts';
import type { AnyQueue } from '../queue/queue.ts';
import { type Caller, canWake } from '../runtime/caller.ts';
import { Invocation } from '../runtime/invocation.ts';
import { sleep } from '../runtime/sleep.ts';
import { FLOATING } from '../runtime/wait-until.ts';
import type { EnqueueRequest, HandOff } from '../store/enqueue.ts';
import type { Capacity } from './capacity.ts';
import type { Claims } from './claims.ts';
import type { Drains } from './drains.ts';
import type { Place } from './fan-out.ts';

/** Storage was away when a woken drain began: it tries again so much later, as long as its own time lasts. */
const STORAGE_WAIT_MS = 1_000;

export interface WakingOptions {
  config: Pick<Config, 'SLUICE_BATCH' | 'SLUICE_LEASE_MS'>;
  capacity: Capacity;
  claims: Claims;
  drains: Drains;
  drainers: Drainers | undefined;
}

/** How a drain begins. */
interface Beginning {
  /** The shards that woke it, where these are known. */
  woken?: readonly string[] | undefined;
  /** What it has in hand. */
  handOff?: HandOff | undefined;
  /** Where another has started it. */
  place?: Place;
}

/** How the drain of a drainer begins. */
interface Alarmed {
  /** Left out, it takes as much as a drain of cron. */
  budget?: Budget;
  /** What it has in hand. */
  handOff?: HandOff | undefined;
  /** That of the drainer among those that there are. */
  place?: number | undefined;
}

export class Waking {
  readonly #options: WakingOptions;
  /** The drain at work under an invocation. */
  readonly #attended = new WeakMap<Invocation, Attention>();

  constructor(options: WakingOptions) {
    this.#options = options;
  }

  /**
   * For what somebody has left, or this caller made ready, or is due later where a drainer has to be told: behind its answer.
   * @param isWanted whether a drain is wanted in any case: it may be the one that left something, so that stays noted for the next
   * @param begins what it begins with
   */
  attend(caller: Caller, isWanted: boolean, begins: Omit<Beginning, 'place'> = {}): void {
    const { claims } = this.#options;
    if (!this.canWake(caller)) return; // it is left to others
    if (isWanted) this.#wakeBehind(caller, Date.now(), begins);
    else if (claims.takeWork()) this.#wakeBehind(caller, Date.now());
    const dueAt = claims.takeDue();
    if (dueAt < Number.POSITIVE_INFINITY) this.#wakeBehind(caller, dueAt);
  }

  /**
   * The lease that an enqueue may fill with messages of these queues, for a drain that begins with them behind the answer of its caller;
   * undefined where that could not start them all at once, or all its handlers are busy, so that others are quicker, or where turns are
   * taken. A Durable Object is offered nothing: it lives beyond the waking request by its alarm alone, and would not know of a lease
   * that is not in its storage.
   */
  offer({ invocation }: Caller, queues: readonly (AnyQueue | undefined)[]): EnqueueRequest['handOff'] {
    const { config, capacity, drainers } = this.#options;
    const atWork = this.#attended.get(invocation);
    if (drainers ? !drainers.begins : atWork && !atWork.isFree?.()) return undefined;
    const known = queues.filter((queue) => queue !== undefined);
    const life = capacity.lives.woken;
    const isFit = ({ pool, policy, handler, timeoutMs }: AnyQueue) =>
      pool === PUSH_POOL && policy === '' && handler && (drainers ?? wakeFor(life, [timeoutMs]));
    const subrequests = known.map((queue) => queue.subrequests);
    const budget = capacity.budget(life, drainers ? new Invocation() : invocation);
    const connections = subrequests.reduce((sum, each) => sum + Math.min(each, capacity.connections), 0);
    const isRoom = connections <= capacity.connections && budget.deliveriesLeft(subrequests) > 0;
    if (known.length < queues.length || !isRoom || !known.every(isFit)) return undefined;
    const most = Math.min(capacity.concurrency, config.SLUICE_BATCH);
    return { lease: newToken(), leaseMs: config.SLUICE_LEASE_MS, most };
  }

  /** Whether a drain surely looks at what this caller enqueues, where that finds none at work: the loop of a process may be busy, or have ended. */
  looksFor(caller: Caller): boolean {
    const { drainers } = this.#options;
    return drainers?.isResident ? drainers.begins === true : canWake(caller);
  }

  /** Whether a drain can be woken behind the answer of this caller, or beside it. */
  canWake(caller: Caller): boolean {
    return canWake(caller) || this.isLeftToResident;
  }

  /** Whether one loop drains for all callers of this process. */
  get isLeftToResident(): boolean {
    return this.#options.drainers?.isResident === true;
  }

  /** A failure of the woken drain goes only to the log: the messages are stored, and cron drains them. */
  #wakeBehind(caller: Caller, at: number, begins: Beginning = {}): void {
    this.#keepBehind(caller, this.#wake(at, caller.invocation, begins));
  }

  /** The drain that another of this deployment starts, by a request. */
  begin(caller: Caller, place: number): void {
    const { invocation } = caller;
    const begun = this.isLeftToResident
      ? this.#wake(Date.now(), invocation)
      : this.drain(invocation, { place: { number: place, starts: () => 1 } });
    this.#keepBehind(caller, begun);
  }

  #keepBehind({ context = FLOATING }: Caller, work: Promise<unknown>): void {
    const woken = work.catch((error: unknown) => {
      const reason = error instanceof StorageError ? error.message : nameOfError(error);
      logError('woken drain failed', { reason });
    });
    context.waitUntil(woken);
  }

  /** A drainer that is bound, for now or for this instant, epoch ms; without one the invocation drains. @throws StorageError */
  async #wake(at: number, invocation: Invocation, begins: Beginning = {}): Promise<void> {
    const { drainers, capacity } = this.#options;
    const { handOff } = begins;
    if (handOff && drainers?.begin) return drainers.begin(handOff);
    if (await this.wakeDrainer(at, invocation)) return;
    const isFar = at - Date.now() > capacity.lives.woken.takesMs; // cron's is the drain for that
    if (!isFar) await this.drain(invocation, begins);
  }

  /** @returns whether one looks then: whatever is noted for later it finds by itself */
  async wakeDrainer(at: number, invocation: Invocation): Promise<boolean> {
    const { drainers, claims } = this.#options;
    if (!drainers) return false;
    claims.cover(at);
    invocation.requests += 1;
    return drainers.wake(at);
  }

  /**
   * What a request wakes behind its answer: it ends before the platform ends it.
   * @returns undefined where one is at work already, which looks again
   * @throws StorageError
   */
  async drain(invocation: Invocation, begins: Beginning = {}): Promise<DrainReport | undefined> {
    const atWork = this.#attended.get(invocation);
    const { handOff, woken } = begins;
    if (!atWork) return this.run(invocation, (attention) => this.#drainOn(invocation, attention, begins));
    if (handOff) {
      if (atWork.adopt?.(handOff)) return undefined;
      await this.giveBack(handOff, invocation);
      return this.drain(invocation); // the one at work may have ended by now
    }
    atWork.asked = true;
    atWork.look?.(woken);
    return undefined;
  }

  /** What was taken for a drain that cannot begin goes back to its lanes, and that is no attempt. @throws StorageError */
  async giveBack(handOff: HandOff, invocation: Invocation): Promise<void> {
    const { capacity, claims, drains } = this.#options;
    const budget = capacity.budget(capacity.lives.woken, invocation);
    budget.close();
    await drains.run(budget, { asked: false }, { handOff }).finally(claims.noteWork); // it has not looked
  }

  /** A drain of cron's, or of a caller who waits: what it leaves, or what is due, is for a drainer. @throws StorageError */
  async drainAndHandOn(invocation: Invocation, drain: (attention: Attention) => Promise<DrainReport>) {
    const { claims } = this.#options;
    const report = await this.run(invocation, drain).catch((error) => this.#failed(error));
    const at = claims.takeNext();
    const isLate = at <= Date.now();
    if (at < Number.POSITIVE_INFINITY && !(await this.wakeDrainer(at, invocation)) && isLate) claims.noteWork();
    return report;
  }

  /**
   * What the alarm of a drainer runs; what is left is for its next.
   * @throws StorageError
   */
  async round({ attention, onBusy, starts, lease }: Watch, begins: Alarmed = {}): Promise<Round> {
    const { capacity, claims, drains } = this.#options;
    const { budget = this.#alarmed(), handOff, place } = begins;
    let isLeft = false; // the claims are those of all objects of this isolate
    let isAway = false;
    const noteLeft = () => {
      isLeft = true;
    };
    const onAway = () => {
      isAway = true;
    };
    const onLeft = this.leftBy(capacity.lives.fresh, budget.invocation, noteLeft);
    const at = place === undefined ? undefined : { number: place, starts, isLasting: true };
    const alarm = (asked: Attention) =>
      drains.run(budget, asked, { onBusy, onLeft, onAway, handOff, lease, place: at });
    const { delivered, ended } = await this.run(budget.invocation, alarm, attention);
    const isStored = ended !== 'storage';
    return {
      isFruitful: delivered > 0 && isStored,
      isStored,
      isAway,
      againInMs: isStored && !isLeft ? claims.takeNext() - Date.now() : 0,
    };
  }

  #alarmed(): Budget {
    const { capacity } = this.#options;
    return capacity.budget(capacity.lives.alarmed, new Invocation());
  }

  /** Whoever wakes a drain under this invocation meanwhile has this one look again; what it has no time for is noted. */
  async run<Result>(
    invocation: Invocation,
    work: (attention: Attention) => Promise<Result>,
    attention: Attention = { asked: false },
  ): Promise<Result> {
    this.#attended.set(invocation, attention);
    try {
      return await work(attention);
    } finally {
      this.#attended.delete(invocation);
      if (attention.asked) this.#options.claims.noteWork();
    }
  }

  /** The callback for work that a drain of this life leaves. Work that such a drain cannot take is left to cron's. */
  leftBy(
    life: Life,
    { sleepsMs }: Invocation,
    note = this.#options.claims.noteWork,
  ): (timeoutMs: number, inMs: number) => void {
    return (timeoutMs, inMs) => {
      const wake = wakeFor(life, [timeoutMs], sleepsMs);
      if (wake && inMs <= wake.withinMs) note();
    };
  }

  /** One drain after the other, as long as somebody asks and there is time: they share what the invocation may use. */
  async #drainOn(
    invocation: Invocation,
    attention: Attention,
    { handOff, place, woken: first }: Beginning,
  ): Promise<DrainReport | undefined> {
    const { capacity, claims, drains } = this.#options;
    const { woken: life } = capacity.lives;
    const start = Date.now();
    let handed = handOff;
    let own = place;
    let woken = first; // by whom it is woken meanwhile is not known
    let lease = newToken(); // the next try has it too: the look that failed may have taken messages
    for (;;) {
      const begunAt = Date.now();
      const budget = capacity.budget(life, invocation, { start });
      let report: DrainReport | undefined;
      let isAway = false;
      const onAway = () => {
        isAway = true;
      };
      try {
        const onLeft = this.leftBy(life, invocation);
        const more = { onLeft, onAway, handOff: handed, place: own, begunAt: place?.number, lease, woken };
        if (handed || !budget.isClosing()) report = await drains.run(budget, attention, more);
        handed = undefined;
        woken = undefined;
        if (!isAway) lease = newToken();
        own = undefined; // it has given that back, or to its successor
      } catch (error) {
        if (handed) handed = { ...handed, taken: undefined }; // storage knows what is left of it
        const isAway = error instanceof StorageError && error.code !== 'refused' && error.code !== 'subrequests';
        // Told only now that nobody has looked: while it tries, the next requests need not.
        if (!isAway || budget.isClosing() || budget.msToClosing() < STORAGE_WAIT_MS) return this.#failed(error);
        await sleep(STORAGE_WAIT_MS);
        continue;
      }
      if (isAway && !invocation.isSpent && !budget.isClosing() && budget.msToClosing() >= STORAGE_WAIT_MS) {
        await sleep(STORAGE_WAIT_MS); // other shards are served
        continue;
      }
      // What was left to its caller it may use when that has ended.
      const isLeft = report?.ended === 'budget' && invocation.callerEndsIn(begunAt) > 0;
      const waitMs = report?.ended === 'idle' ? 0 : invocation.callerEndsIn(Date.now());
      const goesOn = waitMs > 0 || isLeft || (report && attention.asked);
      if (!goesOn || invocation.isSpent || budget.msToClosing() <= waitMs) {
        if (!report) claims.noteWork();
        return report;
      }
      if (waitMs > 0) await sleep(waitMs);
    }
  }

  /** The end of a drain that storage did not answer. */
  #failed(error: unknown): never {
    this.#options.claims.noteWork();
    throw error;
  }
}
