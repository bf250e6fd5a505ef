/**
 * A drainer: the work of a Durable Object that drains. A wake sets its alarm, which outlives the waking request and the object; the
 * alarm runs one drain, and sets the next alarm for what is left or due.
 *
 * The platform may run an alarm twice, and repeats one that throws, six times at most. Nothing but the alarm is stored: all
 * else is in Redis.
 */
import { StorageError } from '../errors.ts';
import { logError } from '../log.ts';
import { newToken } from '../message/ids.ts';
import type { Drainers } from './drainers.ts';
import type { Attention } from './report.ts';

/** The part of the object's storage that is used. */
export interface Alarms {
  getAlarm(): Promise<number | null>;
  setAlarm(at: number): Promise<void>;
}

/** The result of one drain. */
export interface Round {
  /** Something was delivered and settled. */
  isFruitful: boolean;
  /** False where it ended with outcomes that storage did not take. */
  isStored?: boolean;
  /** One of several shards did not answer: its look there may have taken messages. */
  isAway?: boolean;
  /** In how many ms there is work again; Infinity where none is known of. */
  againInMs: number;
}

/** How the drainer and its drain reach each other. */
export interface Watch {
  attention: Attention;
  /** The name of its first lease: that of a round that storage did not answer has the next round, for its look may have taken messages. */
  lease: string;
  /** How often another drain, which has taken its place for it, has started it since that was given back last. */
  starts(): number;
  /** All its handlers are busy, and work is left. */
  onBusy(): void;
}

export interface DrainerOptions {
  alarms: Alarms;
  /** @throws StorageError where storage does not answer */
  drain(watch: Watch): Promise<Round>;
  /** The drainers that take the work for which this one is too busy. */
  next?: Drainers | undefined;
}

/** The wait after a round that delivered nothing although another is wanted at once: it doubles after each. */
const LEAST_WAIT_MS = 500;
const MOST_WAIT_MS = 60_000;

/** An alarm that should have run so long ago waits to be repeated. */
const LATE_MS = 1_000;

export class Drainer {
  readonly #options: DrainerOptions;
  #isRunning = false;
  /** Of the drain that runs. */
  #attention: Attention | undefined;
  /** When somebody wants another drain after this one. */
  #wantedAt = Number.POSITIVE_INFINITY;
  /** Since its place was given back, and how many of these the drain at work has heard of. */
  #starts = 0;
  #startsTold = 0;
  #lease = newToken();
  /** Rounds in a row of which nothing came, and after which another was wanted at once. */
  #fruitless = 0;

  constructor(options: DrainerOptions) {
    this.#options = options;
  }

  /** Another drain starts it. @returns whether it begins, or is at work */
  async start(): Promise<boolean> {
    this.#starts += 1;
    if (!this.#isRunning) await this.#arm(Date.now());
    return true;
  }

  /** @param at when there is work, epoch ms @returns whether this one looks then, or another does that it has asked */
  async wake(at = Date.now()): Promise<boolean> {
    if (this.#isRunning) {
      // One that has just begun has its first look still before it.
      if (this.#attention?.look?.() ?? true) return true;
      if (await this.#options.next?.wake(at)) return true;
      if (this.#isRunning) {
        this.#wantedAt = Math.min(this.#wantedAt, at); // an alarm that is not over comes again where the object dies
        return false;
      }
    }
    await this.#arm(at);
    return true;
  }

  /** @throws all errors but those of storage: the platform shows them, and repeats the alarm */
  async alarm(): Promise<void> {
    if (this.#isRunning) {
      await this.wake();
      return;
    }
    this.#isRunning = true;
    this.#wantedAt = Number.POSITIVE_INFINITY;
    let againAt: number;
    try {
      againAt = (await this.#round()) + Date.now();
    } finally {
      this.#attention = undefined;
      this.#isRunning = false;
    }
    const at = Math.min(againAt, this.#wantedAt);
    if (Number.isFinite(at)) await this.#arm(at);
  }

  /** @returns in how many ms another is wanted */
  async #round(): Promise<number> {
    let leastMs = 0;
    this.#attention = { asked: false };
    try {
      const { isFruitful, isAway, againInMs } = await this.#options.drain({
        attention: this.#attention,
        lease: this.#lease,
        starts: () => {
          this.#startsTold = this.#starts;
          return this.#starts;
        },
        onBusy: () => void this.#options.next?.wake(Date.now()),
      });
      if (!isAway) this.#lease = newToken();
      if (againInMs > 0) this.#forgetStarts();
      if (isFruitful || againInMs >= LEAST_WAIT_MS) {
        this.#fruitless = 0;
        return againInMs;
      }
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      logError('drainer waits for storage', { reason: error.message });
      leastMs = error.afterMs;
    }
    this.#fruitless += 1;
    return Math.max(leastMs, Math.min(MOST_WAIT_MS, LEAST_WAIT_MS * 2 ** (this.#fruitless - 1)));
  }

  /** Its place is given back. Who has taken that for it since then, and was told that it is at work, has the next round. */
  #forgetStarts(): void {
    this.#starts -= this.#startsTold;
    this.#startsTold = 0;
    if (this.#starts > 0) this.#wantedAt = Date.now();
  }

  /** The earliest alarm counts: whatever runs then knows what is due later. */
  async #arm(at: number): Promise<void> {
    const { alarms } = this.#options;
    const set = (await alarms.getAlarm()) ?? Number.POSITIVE_INFINITY;
    const now = Date.now();
    if (at < set) await alarms.setAlarm(at);
    else if (set < now - LATE_MS) await alarms.setAlarm(now); // it threw, and the platform takes its time to repeat it
  }
}
