/**
 * Outlook: whether storage has work for this drain, now or later, as its answers say. Pure.
 *
 * The key `awake` keeps others from waking a drain, and is as the sync left it that storage ran last: one that came back full has
 * set it, one that found nothing has dropped it. One that found something, but less than it wanted, has left it where it was, if the
 * drain said that it looks again in a moment: when it settles that, or a little later where handlers take longer. So what comes in
 * between joins its next sync, and a lone message whose handler takes long is followed by one look that finds nothing. Where the drain has
 * said no such thing, or found more than it said, that one has dropped it too. Those that drop it are short here, and those that leave it
 * count as full. Of several leases several may be in flight, and of two whose times overlap it is not known which ran first: answers
 * come in any order. So:
 * - All full: `awake` stands, and the drain looks again.
 * - All short: `awake` is gone, and new work wakes another drain. This one has nothing to look for.
 * - One full, one short: `awake` may stand, if the full one ran last. The drain looks again, alone or with others, until one is
 *   short that began when the answer of each full one was there. Where the short one ran last, one look is too many.
 * - One without an answer: it may have run and come back full, so it counts as full.
 * - Somebody has asked the drain to look: a sync that began before that does not count.
 * - A look that has begun for that and fails: the drain has not looked.
 * - One that says that all handlers are busy drops `awake`: it begins while no other is in flight, and none takes beside it.
 * - One of a drain that ends drops it: what others in flight still bring goes back, by syncs that drop it again.
 * The next timer likewise: of answers that overlap the earlier instant counts, so that nobody counts on this drain, as the one that
 * sleeps, for an instant that it does not know.
 */
import { LINGER_MS } from './lease.ts';

export class Outlook {
  /** Less was there than was wanted: new work wakes another drain. */
  isDrained = false;
  /** Local time at which the next timer is due. */
  nextDueAt: number | undefined;
  /** Before this instant, by the local clock, it does not look by itself for what came since it was given less than it can take. */
  looksFrom = 0;
  /** The last look found less than it wanted and left `awake`: no backlog stands behind it. */
  hasKept = false;
  /**
   * Whether the last look was the only sync in flight, and the drain held nothing in another lease. Else storage was not told that
   * it could sleep, and before it does it looks once more.
   */
  wasAlone = false;
  /** Syncs that have begun. Each has its number. */
  #begun = 0;
  /** All up to this one had begun when an answer came, and when one came that was full, or somebody asked. */
  #answered = 0;
  #full = 0;

  /** @returns the number of the sync that begins */
  begin(): number {
    this.#begun += 1;
    return this.#begun;
  }

  /** There is something new, and nobody else was woken for it. */
  ask(): void {
    this.isDrained = false;
    this.looksFrom = 0;
    this.#full = this.#begun;
  }

  /** Whoever handed messages over has set `awake`: it counts on this drain, which has not looked, as it does behind one that looks again. */
  noteHandOff(now: number): void {
    this.hasKept = true;
    this.looksFrom = now + LINGER_MS;
  }

  /**
   * A look was answered.
   * @param isShort it has dropped `awake`
   * @param isAlone nothing was held beside it when it began
   * @param keptAt when it found less than it wanted and left `awake`
   */
  noteLook(sync: number, isShort: boolean, isAlone: boolean, keptAt?: number): void {
    this.isDrained = isShort && sync > this.#full;
    this.hasKept = keptAt !== undefined;
    this.looksFrom = keptAt === undefined || sync <= this.#full ? 0 : keptAt + LINGER_MS;
    if (!isShort) this.#full = this.#begun;
    this.wasAlone = isAlone && sync === this.#begun && sync > this.#answered;
  }

  /** A sync was answered. @param dueAt undefined where nothing is due that this drain has to look for */
  noteAnswer(sync: number, dueAt: number | undefined): void {
    const overlaps = sync <= this.#answered;
    const known = overlaps ? this.nextDueAt : undefined;
    this.nextDueAt = dueAt === undefined || known === undefined ? (dueAt ?? known) : Math.min(known, dueAt);
    this.#answered = this.#begun;
  }

  /** A sync has no answer. */
  noteFailure(wasLook: boolean): void {
    if (!wasLook) return;
    this.#full = this.#begun;
    this.isDrained = false;
  }
}
