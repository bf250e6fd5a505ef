/** How many timers that are due one call fires: as many as the database moves in a few ms, which only the calls tell. */

/** What a call begins with: some 2 ms of a server's time, and some 10 of a slow one's. */
const FEWEST = 100;
const MOST = 4_000;
const GROWS_BELOW_MS = 10;
const SHRINKS_ABOVE_MS = 20;

/** Scripts have no clock that goes on while they run, so it is known by how much longer a call takes than the quickest one. */
export class FiringPace {
  #limit = FEWEST;
  #quickestMs = Number.POSITIVE_INFINITY;

  get limit(): number {
    return this.#limit;
  }

  /** @param isMoreDue whether timers were left that are due: only then does a call say how long so many take */
  note(tookMs: number, isMoreDue: boolean): void {
    this.#quickestMs = Math.min(this.#quickestMs, tookMs);
    const firingMs = tookMs - this.#quickestMs;
    if (!isMoreDue) return;
    if (firingMs < GROWS_BELOW_MS) this.#limit = Math.min(MOST, 2 * this.#limit);
    else if (firingMs > SHRINKS_ABOVE_MS) this.#limit = Math.max(FEWEST, Math.floor(this.#limit / 2));
  }
}
