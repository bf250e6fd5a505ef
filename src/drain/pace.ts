/** Pace: how many messages a drain takes ahead of its handlers, on all of its shards together. Pure. */
import type { DrainOptions } from './report.ts';

/** Messages taken ahead wait about this long for a handler: more would keep urgent ones behind them. */
const AHEAD_MS = 50;
/** Where a backlog stands and answers take long it is so many round trips: in one of them they are on their way. */
const AHEAD_TRIPS = 2;
/** Of several shards no more than so many for each handler, where these take their time. */
const AHEAD_OF_SEVERAL = 2;
/** Handlers that take no longer end at once, as it were: they are not what a drain waits for. */
const QUICK_MS = 5;
/** How much each that ends counts for how long they take. */
const LEARNS = 0.1;

type PaceOptions = Pick<DrainOptions, 'shards' | 'concurrency' | 'connections' | 'leases'>;

export class Pace {
  /** Messages that the handlers end in the time for which they are taken ahead. */
  #paced = 0;
  /** Since when deliveries are counted, and how many have ended. */
  #since = 0;
  #finished = 0;
  /** How long handlers took of late. */
  #runMs = 0;
  readonly #options: PaceOptions;

  constructor(options: PaceOptions) {
    this.#options = options;
  }

  /** It begins with messages in hand, taken at this instant. */
  begin(at: number): void {
    this.#since = at;
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
   * @param isStanding a backlog stands where it came from
   */
  noteSync(now: number, roundTripMs: number, isStanding: boolean): void {
    const countedMs = now - this.#since;
    if (countedMs < roundTripMs) return;
    const aheadMs = isStanding ? Math.max(AHEAD_MS, AHEAD_TRIPS * roundTripMs) : AHEAD_MS;
    if (this.#finished > 0) this.#paced = Math.ceil((this.#finished / Math.max(1, countedMs)) * aheadMs);
    this.#finished = 0;
    this.#since = now;
  }

  /**
   * How many messages the drain may hold: fast handlers get full batches, slow ones hold few back from others. More handlers run at
   * once than there are connections only where they turn out to need none: so many at first, and twice as many as run each time. Each
   * shard has its leases: what they take ahead does not have to be shared.
   * @param running handlers at work
   * @param batch the most that one sync takes
   */
  mostHeld(running: number, batch: number): number {
    const { shards, concurrency, connections, leases = 1 } = this.#options;
    const atOnce = Math.min(concurrency, Math.max(connections, 2 * running));
    // What is urgent on another shard is known a little later: what was taken ahead until then goes before it.
    const isBounded = shards.length > 1 && this.#runMs > QUICK_MS;
    const ahead = isBounded ? Math.min(this.#paced, AHEAD_OF_SEVERAL * atOnce) : this.#paced;
    return Math.min(shards.length * leases * batch, Math.max(atOnce, ahead)) + atOnce;
  }
}
