/** Pace: how many messages a drain takes ahead of its handlers, and whether a backlog is worth more than one lease. Pure. */
import type { DrainOptions } from './report.ts';

/** Messages taken ahead wait about this long for a handler: more would keep urgent ones behind them. */
const AHEAD_MS = 50;
/** Where a backlog stands and answers take long it is so many round trips: in one of them they are on their way. */
const AHEAD_TRIPS = 2;
/** Handlers that take no longer end at once, as it were: they are not what a drain waits for. */
const QUICK_MS = 5;
/** How much each that ends counts for how long they take. */
const LEARNS = 0.1;
/** A sync takes so many at first. */
const FIRST_BATCH = 100;
/** A backlog stands when it has filled so many of these in a row: further leases look once too often, each, at its end. */
const STANDING = 10;

export class Pace {
  /** When an answer came last. */
  lastSyncAt = 0;
  /** Messages that the handlers end in the time for which they are taken ahead. */
  #paced = 0;
  /** Since when deliveries are counted, and how many have ended. */
  #since = 0;
  #finished = 0;
  /** How long handlers took of late. */
  #runMs = 0;
  /** Messages of answers in a row that were full. */
  #inRow = 0;
  readonly #first: number;
  #batch: number;
  readonly #options: Pick<DrainOptions, 'concurrency' | 'connections' | 'batch' | 'leases'>;

  constructor(options: Pick<DrainOptions, 'concurrency' | 'connections' | 'batch' | 'leases'>) {
    this.#options = options;
    this.#first = Math.min(FIRST_BATCH, options.batch);
    this.#batch = this.#first;
  }

  /** The most that one sync takes: more where a backlog stands and handlers keep up, and so fewer commands for each message. */
  get batch(): number {
    return this.#batch;
  }

  /** It begins with messages in hand, taken at this instant. */
  begin(at: number): void {
    this.lastSyncAt = at;
    this.#since = at;
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
    else if (this.isStanding && taken >= this.#batch) this.#batch = Math.min(this.#options.batch, 2 * this.#batch);
  }

  /**
   * So many a drain may hold and still say that it looks again in a moment: one handler stays free, or they end at once, and have less to do
   * than is taken ahead. With more it would fall behind where others could help.
   */
  get mostInPassing(): number {
    const ahead = this.#runMs > QUICK_MS ? 0 : Math.floor(this.#paced / 2);
    return this.#options.concurrency - 1 + ahead;
  }

  /** @param runMs how long its handler took */
  noteFinished(runMs: number): void {
    this.#finished += 1;
    this.#runMs += (runMs - this.#runMs) * LEARNS;
  }

  /**
   * Follows the handlers: an answer has come, so long after its request. Of several leases the answers come close together, and what
   * ended between two of them says nothing: it counts for a round trip at least.
   */
  noteSync(now: number, roundTripMs: number): void {
    this.lastSyncAt = now;
    const countedMs = now - this.#since;
    if (countedMs < roundTripMs) return;
    const aheadMs = this.isStanding ? Math.max(AHEAD_MS, AHEAD_TRIPS * roundTripMs) : AHEAD_MS;
    if (this.#finished > 0) this.#paced = Math.ceil((this.#finished / Math.max(1, countedMs)) * aheadMs);
    this.#finished = 0;
    this.#since = now;
  }

  /**
   * How many messages the drain may hold: fast handlers get full batches, slow ones hold few back from others. More handlers run at
   * once than there are connections only where they turn out to need none: so many at first, and twice as many as run each time.
   * @param running handlers at work
   */
  mostHeld(running: number): number {
    const { concurrency, connections, leases = 1 } = this.#options;
    const atOnce = Math.min(concurrency, Math.max(connections, 2 * running));
    return Math.min(leases * this.batch, Math.max(atOnce, this.#paced)) + atOnce;
  }
}
