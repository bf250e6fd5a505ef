/** Claims: what somebody has to look after, and nobody was woken for. The next who can takes them: each is told once. */
export class Claims {
  /** Whether there is anybody to tell of what is due later. */
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

  /** @returns when somebody has to look, epoch ms: now for work, else for what is due first; Infinity: there is nothing */
  takeNext(): number {
    return this.takeWork() ? Date.now() : this.takeDue();
  }

  /** Somebody looks at this instant, and finds what is there by then. */
  cover(at: number): void {
    if (at <= Date.now()) this.#hasWork = false;
    if (at <= this.#dueAt) this.#dueAt = Number.POSITIVE_INFINITY;
  }
}
