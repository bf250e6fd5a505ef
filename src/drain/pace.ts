/** Pace: how many messages a drain takes ahead of its handlers, and how long its outcomes, its lease and an absent storage wait. Pure. */
import type { DrainOptions } from './report.ts';

/** How long an outcome may wait for company while other handlers run. */
export const LINGER_MS = 25;
/** Messages taken ahead wait about this long for a handler: more would keep urgent ones behind them. */
const AHEAD_MS = 50;
/** The wait between syncs while storage is away grows by so much after each. */
const STORAGE_WAIT_MS = 1_000;
const LEAST_STORAGE_WAIT_MS = 50;

export class Pace {
  lastSyncAt = 0;
  readonly #options: Pick<DrainOptions, 'concurrency' | 'connections' | 'batch' | 'leaseMs'>;
  /** Messages that the handlers end in AHEAD_MS. */
  #paced = 0;
  /** Deliveries that ended since the last sync. */
  #finished = 0;
  #storageFailures = 0;

  constructor(options: Pick<DrainOptions, 'concurrency' | 'connections' | 'batch' | 'leaseMs'>) {
    this.#options = options;
  }

  noteFinished(): void {
    this.#finished += 1;
  }

  /** Follows the handlers: a sync has come back. */
  noteSync(now: number): void {
    const pace = this.#finished / Math.max(1, now - this.lastSyncAt);
    if (this.#finished > 0) this.#paced = Math.ceil(pace * AHEAD_MS);
    this.#finished = 0;
    this.lastSyncAt = now;
  }

  /** Storage took all of a sync. */
  noteStored(): void {
    this.#storageFailures = 0;
  }

  /** Storage is away, or takes nothing. @returns how long to wait for it, ms: a second more each time, and `mostMs` at most */
  noteStorageFailure(mostMs: number): number {
    this.#storageFailures += 1;
    return Math.max(LEAST_STORAGE_WAIT_MS, Math.min(this.#storageFailures * STORAGE_WAIT_MS, mostMs));
  }

  /** When the lease wants to be extended. */
  get heartbeatAt(): number {
    return this.lastSyncAt + this.#options.leaseMs / 3;
  }

  /** When outcomes have lingered long enough, or the lease wants to be extended. @param firstOutcomeAt undefined: there is none */
  syncAt(firstOutcomeAt: number | undefined): number {
    return firstOutcomeAt === undefined ? this.heartbeatAt : Math.min(this.heartbeatAt, firstOutcomeAt + LINGER_MS);
  }

  /**
   * How many messages the drain may hold: fast handlers get full batches, slow ones hold few back from others. More handlers run at
   * once than there are connections only where they turn out to need none: so many at first, and twice as many as run each time.
   * @param running handlers at work
   */
  mostHeld(running: number): number {
    const { concurrency, connections, batch } = this.#options;
    const atOnce = Math.min(concurrency, Math.max(connections, 2 * running));
    return Math.min(batch, Math.max(atOnce, this.#paced)) + atOnce;
  }
}
