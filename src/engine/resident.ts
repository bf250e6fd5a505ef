/**
 * The loop of a process that stays: one drain at a time, which the enqueues of the process wake, timers that come due, and a tick of
 * cron each minute.
 *
 * It is a drainer like those in Durable Objects, whose alarm is a timer here. All callers of the process leave their drains to it, so
 * that there is one concurrency for all of it.
 */
import type { Budget } from '../drain/budget.ts';
import { type Alarms, Drainer, type Round, type Watch } from '../drain/drainer.ts';
import type { Drainers } from '../drain/drainers.ts';
import { type Life, MOST_TIMEOUT_MS, RESERVED_MS } from '../drain/life.ts';
import type { Attention } from '../drain/report.ts';
import type { Engine } from '../engine.ts';
import { StorageError } from '../errors.ts';
import { logError, logWarning, nameOfError } from '../log.ts';
import { Invocation } from '../runtime/invocation.ts';
import { endsWithin } from '../runtime/sleep.ts';
import type { HandOff } from '../store/enqueue.ts';

export interface ResidentOptions {
  /** Ends it. Left out, it goes on as long as the process. */
  signal?: AbortSignal | undefined;
  /** How long handlers that run at its end may go on, ms; Infinity: as long as their queues let them. Default: 10 s. */
  graceMs?: number | undefined;
}

/** How a process that stays has ended. */
export interface Ending {
  /** Handlers that the grace was too short for. Their messages went back, and are delivered again as the same attempt. */
  cutOff: number;
  /** False where something that it held could not be given back: that comes again when its lease is over, an attempt later. */
  isSettled: boolean;
}

const GRACE_MS = 10_000;
const TICK_MS = 60_000;
/** A drain that always finds work begins anew so often; until its handlers have ended nothing is taken then. */
const HOUR_MS = 3_600_000;
const SETTLES_MS = 10_000;
/** What its end has for storage that is slow, or away, when the last handler has ended. */
const LAST_MS = 2_000;
/** Timers of runtimes count to 24 days. */
const MOST_TIMER_MS = 24 * HOUR_MS;

export class Resident implements Drainers {
  readonly isResident = true;
  readonly #engine: Engine;
  readonly #timer = new Timer(() => this.#follow(this.#drainer.alarm(), 'drain failed'));
  readonly #drainer = new Drainer({ alarms: this.#timer, drain: (watch) => this.#drain(watch) });
  /** The drain at work. */
  #atWork: { budget: StoppableBudget; attention: Attention } | undefined;
  /** What enqueues have taken for drains that have not begun. */
  readonly #handed: HandOff[] = [];
  /** Drains and ticks that have not ended. */
  readonly #underWay = new Set<Promise<void>>();
  #isStopped = false;
  /** Handlers that the end has cut off. */
  #cutOff = 0;
  /** Of the last drain: whether all that it held is settled. */
  #isSettled = true;
  #cron: ReturnType<typeof setTimeout> | undefined;
  #poll: ReturnType<typeof setTimeout> | undefined;

  /** @param open opens the engine, whose callers wake this. @throws what it throws */
  constructor(open: (drainers: Drainers) => Engine) {
    this.#engine = open(this);
  }

  get isIdle(): boolean {
    return this.#atWork === undefined && !this.#isStopped;
  }

  /** Whether it was told to end. */
  get isOver(): boolean {
    return this.#isStopped;
  }

  /** @returns true, since all work of this process is for this loop: when it is stopped, for that of another process */
  async wake(at: number): Promise<boolean> {
    if (!this.#isStopped) await this.#drainer.wake(at);
    return true;
  }

  /** An idle loop does; one at work where a handler is free: what waits for one others could take. */
  get begins(): boolean {
    return this.isIdle || this.#atWork?.attention.isFree?.() === true;
  }

  async begin(handOff: HandOff): Promise<void> {
    if (this.#atWork?.attention.adopt?.(handOff)) return;
    if (this.isIdle) this.#handed.push(handOff);
    else await this.#giveBack(handOff);
    await this.wake(Date.now());
  }

  /** Its drain has failed: the next begins with it, if there is one. */
  #takeBack(handOff: HandOff): void {
    if (this.#isStopped) void this.#giveBack(handOff);
    else this.#handed.push(handOff);
  }

  #giveBack(handOff: HandOff): Promise<void> {
    return this.#follow(this.#engine.parts.waking.giveBack(handOff, new Invocation()), 'not given back');
  }

  behind(): undefined {}

  placeOf(): undefined {}

  /** Works until the signal, and returns when all that was begun has ended, or when the grace is over. It does not throw. */
  async run({ signal, graceMs = GRACE_MS }: ResidentOptions): Promise<Ending> {
    if (!signal?.aborted) {
      this.#tick();
      await this.wake(Date.now()); // by itself, since what fails in a tick waits for the next
      await untilAborted(signal);
    }
    return this.#stop(graceMs);
  }

  /** A tick now, and the next one with the next whole minute: never two at once. */
  #tick(): void {
    const ticking = this.#engine.tick().then(() => {});
    const ticked = this.#follow(ticking, 'tick failed');
    void ticked.then(() => {
      if (!this.#isStopped) this.#cron = setTimeout(() => this.#tick(), TICK_MS - (Date.now() % TICK_MS));
    });
  }

  async #drain(watch: Watch): Promise<Round> {
    const { capacity, waking, config } = this.#engine.parts;
    clearTimeout(this.#poll);
    const budget = stoppable(capacity.budget(LIFE, new Invocation()), () => this.#cutOff++);
    this.#atWork = { budget, attention: watch.attention };
    const [handOff, ...more] = this.#handed.splice(0);
    for (const each of more) void this.begin(each);
    const round = await waking
      .round(watch, { budget, handOff })
      .catch((error: unknown) => {
        if (handOff) this.#takeBack({ ...handOff, taken: undefined }); // storage knows what is left of it
        throw error;
      })
      .finally(() => {
        this.#atWork = undefined;
      });
    this.#isSettled = round.isStored !== false;
    const pollMs = config.SLUICE_POLL_MS;
    if (pollMs > 0 && !this.#isStopped) this.#poll = setTimeout(() => void this.wake(Date.now()), pollMs);
    return round;
  }

  /** Its failure goes to the log, and the loop goes on: with the next wake or tick. */
  #follow(work: Promise<void>, event: string): Promise<void> {
    const followed = work
      .catch((error: unknown) => {
        logError(event, { reason: error instanceof StorageError ? error.message : nameOfError(error) });
      })
      .finally(() => this.#underWay.delete(followed));
    this.#underWay.add(followed);
    return followed;
  }

  /** Takes nothing more. What waits for a handler goes back; what has one gets the grace. An absent storage is not waited for. */
  async #stop(graceMs: number): Promise<Ending> {
    this.#isStopped = true;
    for (const timer of [this.#cron, this.#poll]) clearTimeout(timer);
    this.#timer.stop();
    for (const handOff of this.#handed.splice(0)) void this.#giveBack(handOff);
    this.#atWork?.budget.stop(graceMs);
    this.#atWork?.attention.end?.();
    const hasHandled = (this.#atWork?.budget.used().messages ?? 0) > 0; // else the grace is nobody's
    const mostMs = hasHandled ? graceMs + RESERVED_MS + LAST_MS : LAST_MS;
    const isOver = await endsWithin(Promise.all(this.#underWay), mostMs);
    const ending = { cutOff: this.#cutOff, isSettled: isOver && this.#isSettled };
    if (!ending.isSettled)
      logError('stopped in the middle', { advice: 'what it held comes again when its lease is over' });
    else if (ending.cutOff > 0)
      logWarning('handlers cut off', {
        count: ending.cutOff,
        advice: 'their messages went back and come again: give them a longer grace',
      });
    return ending;
  }
}

const LIFE: Life = {
  takesMs: HOUR_MS,
  livesMs: HOUR_MS + MOST_TIMEOUT_MS + RESERVED_MS,
  settlesMs: SETTLES_MS,
  sleepsMs: 0,
};

/**
 * One timer: the earliest instant that is asked for. When it rings is known by the clock that timers go by: where the time of day
 * jumps, as after a suspend, that instant may have passed long before it rings, and whoever asks for now is earlier all the same.
 */
class Timer implements Alarms {
  readonly #ring: () => void;
  #ringsAt = Number.POSITIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  async getAlarm(): Promise<number | null> {
    const inMs = this.#ringsAt - performance.now();
    return Number.isFinite(inMs) ? Date.now() + inMs : null;
  }

  async setAlarm(at: number): Promise<void> {
    // What is due later than a timer can count is looked at too early, and found not to be due.
    const inMs = Math.max(0, Math.min(MOST_TIMER_MS, at - Date.now()));
    const ringsAt = performance.now() + inMs;
    if (this.#isStopped || this.#ringsAt <= ringsAt) return;
    this.#ringsAt = ringsAt;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#ringsAt = Number.POSITIVE_INFINITY;
      this.#ring();
    }, inMs);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }
}

interface StoppableBudget extends Budget {
  /** Closes it for good. @param graceMs how long handlers may go on */
  stop(graceMs: number): void;
}

/** @param onCutOff called for each handler that is cut off when it is stopped */
function stoppable(budget: Budget, onCutOff: () => void): StoppableBudget {
  let isStopped = false;
  let endAt = Number.POSITIVE_INFINITY;
  return {
    ...budget,
    onCutOff,
    get isStopped() {
      return isStopped;
    },
    msLeft: () => Math.min(budget.msLeft(), endAt - Date.now()),
    finish() {
      budget.finish();
      if (isStopped) endAt = Date.now() + LAST_MS;
    },
    stop(graceMs) {
      isStopped = true;
      endAt = Date.now() + graceMs + RESERVED_MS;
      budget.close();
    },
  };
}

/** Without a signal it never comes true. */
export const untilAborted = (signal: AbortSignal | undefined) =>
  new Promise<void>((resolve) => {
    if (signal?.aborted) resolve();
    else signal?.addEventListener('abort', () => resolve(), { once: true });
  });
