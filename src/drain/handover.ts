/** Handover: the work that a drain leaves to others, and whether it has told them. */
import type { DrainOptions } from './report.ts';

export class Handover {
  /** Whether the drain has said that it is busy: new work may wake another one. */
  gaveWay = false;
  /** The shortest timeout of the queues whose work is left, ms; 0 where that is not known, undefined where no work is left. */
  left: number | undefined;
  #hasTold = false;
  #hasToldOfWork = false;
  readonly #options: Pick<DrainOptions, 'onLeft' | 'onBusy'>;

  constructor(options: Pick<DrainOptions, 'onLeft' | 'onBusy'>) {
    this.#options = options;
  }

  /** A sync of a busy drain has found work: another drain is told at once. */
  giveWay(left: number): void {
    const { onBusy, onLeft } = this.#options;
    onBusy ? onBusy() : onLeft?.(left, 0);
  }

  /**
   * Tells once, at the end, of what is left: of work also where it has told of what is due, because the last syncs of several leases
   * see different things. @param dueInMs when something is due that this drain itself has put off
   */
  tell(dueInMs: number | undefined): void {
    const inMs = this.left === undefined ? dueInMs : 0;
    if (inMs === undefined || (this.left === undefined ? this.#hasTold : this.#hasToldOfWork)) return;
    this.#hasTold = true;
    this.#hasToldOfWork = this.left !== undefined;
    this.#options.onLeft?.(this.left ?? 0, inMs);
  }
}
