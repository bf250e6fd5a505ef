/** Who got what: every run is judged by it, so that a figure of a queue that loses or doubles messages shows as one. */
import type { Watch } from './contender.ts';

export interface Verdict {
  lost: number;
  doubled: number;
}

/** Nothing came for so long: what is missing is lost. */
const STALL_MS = 10_000;

export class Ledger implements Watch {
  readonly #times = new Map<number, number>();
  #acked = 0;
  #notify: () => void = () => {};
  /** Told of the first delivery of each. */
  onFirst: (n: number) => void = () => {};

  handled(n: number): void {
    const times = this.#times.get(n) ?? 0;
    this.#times.set(n, times + 1);
    if (times === 0) this.onFirst(n);
    this.#notify();
  }

  acked(count: number): void {
    this.#acked += count;
    this.#notify();
  }

  get acknowledged(): number {
    return this.#acked;
  }

  get distinct(): number {
    return this.#times.size;
  }

  /** @returns whether it came true before nothing came any more */
  async until(holds: () => boolean): Promise<boolean> {
    while (!holds()) {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const timer = setTimeout(() => resolve(false), STALL_MS);
      this.#notify = () => resolve(true);
      const came = await promise;
      clearTimeout(timer);
      if (!came) return false;
    }
    return true;
  }

  /** @param sent numbers from 0 */
  verdict(sent: number): Verdict {
    let lost = 0;
    let doubled = 0;
    for (let n = 0; n < sent; n++) {
      const times = this.#times.get(n) ?? 0;
      if (times === 0) lost += 1;
      else if (times > 1) doubled += 1;
    }
    return { lost, doubled };
  }
}
