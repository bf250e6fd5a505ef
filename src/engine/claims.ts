/** Claims: work for which no drain was woken. The next caller that can start one takes them; each claim is taken once. */
export class Claims {
  /** Whether drainers are bound, which can be told of work that is due later. */
  readonly #tellsDue: boolean;
  #hasWork = false;
  #dueAt = Number.POSITIVE_INFINITY;

  constructor(tellsDue: boolean) {
    this.#tellsDue = tellsDue;
  }

  get areOpen(): boolean {
    return this.#hasWork || this.#dueAt < Number.POSITIVE_INFINITY;
  }

  /** Work is left, or became ready. */
  readonly noteWork = (): void => {
    this.#hasWork = true;
  };

  /** @param inMs left out: nothing is due */
  readonly noteDue = (inMs?: number): void => {
    if (this.#tellsDue && inMs !== undefined) this.#dueAt = Math.min(this.#dueAt, Date.now() + inMs);
  };

  takeWork(): boolean {
    const hasWork = this.#hasWork;
    this.#hasWork = false;
    return hasWork;
  }

  /** @returns epoch ms; Infinity: nothing is due */
  takeDue(): number {
    const dueAt = this.#dueAt;
    this.#dueAt = Number.POSITIVE_INFINITY;
    return dueAt;
  }

  /** @returns when a drain has to look, epoch ms: now where there is work, else when the first is due; Infinity where nothing is */
  takeNext(): number {
    return this.takeWork() ? Date.now() : this.takeDue();
  }

  /** A drain looks at this instant, epoch ms, and finds all claims that are due by then. */
  cover(at: number): void {
    if (at <= Date.now()) this.#hasWork = false;
    if (at <= this.#dueAt) this.#dueAt = Number.POSITIVE_INFINITY;
  }
}
