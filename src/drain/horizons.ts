/**
 * Horizons: which of several shards a drain takes from. Each answer tells the priority of what is the most urgent there, and only those
 * that have the most urgent of all give messages out; the others are looked at. So what is urgent waits for no more than was taken
 * ahead before a look has found it, on whatever shard it is.
 *
 * A shard that does not answer is left out, and so is one where nothing is left that this drain takes. Of one shard there is nothing
 * to choose.
 */
import type { Budget } from './budget.ts';
import type { Track } from './track.ts';

/** A shard that may give nothing out is looked at so often. */
const LOOK_MS = 50;
/** Where requests are short, and where nothing can be more urgent than what is known. */
const SELDOM_LOOK_MS = 1_000;
const MOST_URGENT = 0;

export class Horizons {
  readonly #tracks: readonly Track[];
  readonly #budget: Pick<Budget, 'affordsLooks'>;

  constructor(tracks: readonly Track[], budget: Pick<Budget, 'affordsLooks'>) {
    this.#tracks = tracks;
    this.#budget = budget;
  }

  /** Whether messages may be taken from there. */
  mayTake(track: Track): boolean {
    if (this.#tracks.length === 1) return true;
    const urgent = this.#mostUrgent();
    return !track.isAway && (isNothing(urgent) || (isIn(track) && track.horizon === urgent));
  }

  /** How much of what the drain may hold is for one that may take: of equals each has its part, or the first would have all. */
  shareOf(count: number): number {
    if (this.#tracks.length === 1) return count;
    const urgent = this.#mostUrgent();
    const equals = this.#tracks.filter((track) => isIn(track) && (isNothing(urgent) || track.horizon === urgent));
    return Math.ceil(count / Math.max(1, equals.length));
  }

  /** When one of several is looked at, whatever it may give: because work waits. */
  looksAt(track: Track): number {
    const { isAway, inFlight, outlook, lookedAt } = track;
    const urgent = this.#mostUrgent();
    if (this.#tracks.length === 1 || isAway || inFlight > 0 || isNothing(urgent)) return Number.POSITIVE_INFINITY;
    if (isIn(track) && track.horizon === undefined) return 0;
    const isSeldom = urgent === MOST_URGENT || !this.#budget.affordsLooks();
    const dueAt = Math.max(outlook.nextDueAt ?? Number.POSITIVE_INFINITY, lookedAt + LOOK_MS);
    return isSeldom ? Math.min(dueAt, lookedAt + SELDOM_LOOK_MS) : lookedAt + LOOK_MS;
  }

  /** Undefined where nothing is known yet. */
  #mostUrgent(): number | undefined {
    let urgent: number | undefined;
    for (const track of this.#tracks) {
      const { horizon } = track;
      if (isIn(track) && horizon !== undefined) urgent = Math.min(urgent ?? Number.POSITIVE_INFINITY, horizon);
    }
    return urgent;
  }
}

/** It answers, and something may be there for this drain. */
const isIn = ({ isAway, outlook }: Track): boolean => !isAway && !outlook.isDrained;

/** Nothing waits that is known of. */
const isNothing = (urgent: number | undefined): urgent is undefined =>
  urgent === undefined || urgent === Number.POSITIVE_INFINITY;
