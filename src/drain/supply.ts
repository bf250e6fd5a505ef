/** Supply: how many messages a sync of one shard takes, and whether a backlog there is worth more than one lease. Pure. */
import type { DrainOptions } from './report.ts';

/** A sync takes so many at first. */
const FIRST_BATCH = 100;
/** A backlog stands when it has filled so many of these in a row: further leases look once too often, each, at its end. */
const STANDING = 10;

export class Supply {
  /** When an answer came last. */
  lastSyncAt = 0;
  /** Messages of answers in a row that were full. */
  #inRow = 0;
  readonly #first: number;
  #batch: number;
  readonly #most: number;

  constructor({ batch }: Pick<DrainOptions, 'batch'>) {
    this.#most = batch;
    this.#first = Math.min(FIRST_BATCH, batch);
    this.#batch = this.#first;
  }

  /** The most that one sync takes: more where a backlog stands and handlers keep up, and so fewer commands for each message. */
  get batch(): number {
    return this.#batch;
  }

  /** Whether there is more than one lease can bring: as far as it is known. */
  get isStanding(): boolean {
    return this.#inRow > STANDING * this.#first;
  }

  /** A further lease that would take fewer costs more than the round trip that it saves. */
  get leastFurther(): number {
    return this.#first / 2;
  }

  /**
   * A sync that takes was answered.
   * @param isShort it found less than it wanted
   * @param keepsUp nothing waited for a handler any more
   */
  noteLook(taken: number, isShort: boolean, keepsUp: boolean): void {
    this.#inRow = isShort ? 0 : this.#inRow + taken;
    if (!keepsUp) this.#batch = Math.max(this.#first, Math.floor(this.#batch / 2));
    else if (this.isStanding && taken >= this.#batch) this.#batch = Math.min(this.#most, 2 * this.#batch);
  }
}
