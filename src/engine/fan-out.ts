/**
 * Fan-out: drains of a backlog start others beside them, and when they end with work left, their successors.
 *
 * A drain that has come back full for a while counts what is ready, and starts as many as that is worth by its own pace. Each needs a
 * place, of which there are SLUICE_DRAINERS for all isolates together: so however many ask, no more are at work. A place is free again
 * when its time is over, whoever has died.
 */
import { countDrains, SOON_MS } from '../drain/backlog.ts';
import type { Budget } from '../drain/budget.ts';
import { wakeFor } from '../drain/life.ts';
import type { DrainReport } from '../drain/report.ts';
import { logWarning, nameOfError } from '../log.ts';
import { PUSH_POOL } from '../message/lane.ts';
import type { AnyQueue } from '../queue/queue.ts';
import { isWorkers } from '../runtime/runtime.ts';
import { type Claim, type Claimed, claimDrains, countReady, type ReadyWork } from '../store/drains.ts';
import type { Capacity } from './capacity.ts';
import type { Claims } from './claims.ts';
import type { Groups } from './groups.ts';
import { isAway, type Shards } from './shards.ts';
import { sideBySide } from './side-by-side.ts';
import type { StartDrain } from './starter.ts';

export interface FanOutOptions {
  start: StartDrain;
  /** The most drains at once of each group of shards. */
  places: number;
  groups: Groups;
  queues: ReadonlyMap<string, AnyQueue>;
  shards: Shards;
  capacity: Capacity;
  claims: Claims;
}

/** The place of a drain. */
export interface Place {
  number: number;
  /** How often it was taken for this drain by who started it: also while the drain is at work. */
  starts(): number;
  /** It goes on by itself where work is left: an alarm is set. */
  isLasting?: boolean;
}

/** It has come back full for so long: others would help. */
const FULL_MS = 1_000;
/** It asks again after so long. */
const AGAIN_MS = 10_000;
/** What a place is taken for beyond the life of a drain: the time that its start takes. */
const START_MS = 2_000;
/** Requests to storage of one who asks: of each shard what is ready there, and a place. */
const countAsks = (shards: number): number => shards + 1;
/** Of one that has a drain begin for other shards: a place, and the start. */
const ASKS_OF_OTHERS = 2;

/** Subrequests that a drain keeps back for its end: it starts its successor, and two more, of which each starts as many. */
export const requestsForStarts = (places: number, shards: number) => countAsks(shards) + Math.min(3, places);

export interface FanOut {
  /** @param place left out, it takes one when it asks */
  follow(budget: Budget, group: number, place?: Place): Following;
  /** Has a drain begin for shards of another group where there is work, unless all its places are taken. */
  begin(budget: Budget, group: number): Promise<void>;
}

export const openFanOut = (options: FanOutOptions): FanOut => ({
  follow: (budget, group, place) => new Following(options, budget, group, place),
  begin: (budget, group) => new Following(options, budget, group).beginOther(),
});

/** How many at once. On Workers its handlers and its syncs use the connections that there are. */
const widthOf = ({ length }: readonly unknown[], isEnding: boolean): number => (isEnding || !isWorkers() ? length : 1);

/** One drain. */
class Following {
  readonly #options: FanOutOptions;
  readonly #budget: Budget;
  readonly #group: number;
  readonly #isLasting: boolean;
  readonly #place: Place | undefined;
  readonly #startsSeen: number;
  #own: number | undefined;
  /** Its place is taken in its name. */
  #hasClaimed: boolean;
  /** How long a place is taken, and until when this one surely has what it was given. */
  readonly #lifeMs: number;
  readonly #asks: number;
  #takenUntil: number;
  #fullSince: number | undefined;
  #asksAt = 0;
  #asking: Promise<unknown> | undefined;

  constructor(options: FanOutOptions, budget: Budget, group: number, place?: Place) {
    this.#options = options;
    this.#budget = budget;
    this.#group = group;
    this.#isLasting = place?.isLasting === true;
    this.#place = place;
    this.#startsSeen = place?.starts() ?? 0;
    this.#own = this.#numberOf(place);
    this.#hasClaimed = this.#startsSeen > 0;
    this.#asks = countAsks(options.groups.membersOf(group, options.shards.plain.all).length);
    this.#lifeMs = options.capacity.lives.woken.livesMs + START_MS;
    this.#takenUntil = Date.now() + this.#lifeMs - START_MS; // its start may have taken so long
  }

  /** Called with each answer that had room for messages. */
  readonly onTake = (isFull: boolean): void => {
    const now = Date.now();
    this.#fullSince = isFull ? (this.#fullSince ?? now) : undefined;
    const isDue = now >= Math.max((this.#fullSince ?? Number.POSITIVE_INFINITY) + FULL_MS, this.#asksAt);
    if (!isDue || this.#asking || !this.#budget.afford(this.#asks)) return;
    this.#asksAt = now + AGAIN_MS;
    this.#asking = this.#ask(false).finally(() => {
      this.#asking = undefined;
    });
  };

  /** It has ended: where work is left its successor begins. Nothing comes of it where it was fruitless: that waits for cron. */
  async end({ ended, acked, retried, dead }: DrainReport): Promise<void> {
    await this.#asking;
    if (ended === 'budget' && acked + retried + dead > 0) await this.#ask(true);
    else {
      const wasStarted = (this.#place?.starts() ?? 0) > this.#startsSeen;
      const own = this.#own ?? (wasStarted ? this.#numberOf(this.#place) : undefined);
      if (own !== undefined && (this.#hasClaimed || wasStarted)) await this.#caught(() => this.#giveBack([own]));
    }
  }

  /** It has failed: a place that it took for itself is free again. One that was taken for it is kept for its next try. */
  async fail(): Promise<void> {
    await this.#asking;
    const own = this.#own;
    if (own !== undefined && !this.#place) await this.#caught(() => this.#giveBack([own]));
  }

  /** A drain that has nothing to do with this group has one begin for it. */
  beginOther(): Promise<void> {
    return this.#caught(async () => {
      const { claims, places } = this.#options;
      if (!this.#budget.afford(ASKS_OF_OTHERS)) return claims.noteWork();
      const { own } = await this.#claimAs({ most: places, others: 0 }); // that of the one which begins
      if (own !== undefined) await this.#startAll([own], false);
    });
  }

  /** Among the places of its group. */
  #numberOf(place: Place | undefined): number | undefined {
    return place && this.#options.groups.withinGroup(place.number);
  }

  /** @param isEnding what it left of its subrequests is for this */
  #ask(isEnding: boolean): Promise<void> {
    return this.#caught(async () => {
      const { queues, places } = this.#options;
      if (isEnding) this.#count(this.#asks);
      const ready = await this.#countReady(isEnding);
      const busy = ready.taken.filter((place) => place !== this.#own).length;
      const worth = Math.min(places, countDrains(ready, queues, this.#power()));
      const wanted = Math.max(0, worth - busy - 1);
      const succeeds = isEnding && !this.#isLasting;
      const others = this.#pay(wanted, isEnding ? Math.min(3, places) - 1 : 0);
      const isClaiming = this.#hasClaimed || worth > busy;
      const most = succeeds || (isEnding && worth === 0) ? worth : places; // where nothing is left its own is free
      const starting = isClaiming ? await this.#claim(most, others) : [];
      if (succeeds && this.#own !== undefined) {
        this.#count(1);
        starting.push(this.#own);
      }
      await this.#startAll(starting, isEnding);
    });
  }

  async #startAll(starting: number[], isEnding: boolean): Promise<void> {
    const { start, claims, groups } = this.#options;
    const failed: number[] = [];
    const startOne = async (place: number) => {
      if (!(await start(groups.placeIn(this.#group, place)))) failed.push(place);
    };
    await sideBySide(starting, widthOf(starting, isEnding), startOne);
    if (failed.length === 0) {
      if (isEnding && starting.length > 0 && !this.#isLasting) claims.takeWork(); // it is in hand
      return;
    }
    claims.noteWork();
    this.#count(1);
    await this.#giveBack(failed);
  }

  /** @returns the places of others that it got */
  async #claim(most: number, others: number): Promise<number[]> {
    this.#takenUntil = Date.now() + this.#lifeMs;
    const claimed = await this.#claimAs({ own: this.#own, most, others });
    this.#own = claimed.own;
    this.#hasClaimed = claimed.own !== undefined;
    return claimed.others;
  }

  /** What it was given for longer than that is another's by now. */
  async #giveBack(back: number[]): Promise<void> {
    if (Date.now() < this.#takenUntil) await this.#claimAs({ back, most: 0, others: 0 });
  }

  /** Places stand on the first shard that answers. @throws StorageError where none does */
  async #claimAs(claim: Omit<Claim, 'places' | 'lifeMs'>): Promise<Claimed> {
    const { shards, groups, places } = this.#options;
    let failure: unknown;
    for (const shard of groups.membersOf(this.#group, shards.besideDrain(this.#budget).all)) {
      try {
        return await claimDrains(shard, { ...claim, places, lifeMs: this.#lifeMs });
      } catch (error) {
        if (!isAway(error)) throw error;
        failure ??= error;
      }
    }
    throw failure;
  }

  /** What is ready on all shards that answer, and the places that are taken on the first of them. @throws StorageError where none does */
  async #countReady(isEnding: boolean): Promise<ReadyWork> {
    const { shards, groups } = this.#options;
    const own = groups.membersOf(this.#group, shards.besideDrain(this.#budget).all);
    const results = await sideBySide(own, widthOf(own, isEnding), (shard) => countReady(shard, PUSH_POOL));
    const counted = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed && (counted.length === 0 || !isAway(failed.reason))) throw failed.reason;
    return {
      lanes: counted.reduce((sum, { lanes }) => sum + lanes, 0),
      first: counted.flatMap(({ first }) => first),
      taken: counted[0]?.taken ?? [],
    };
  }

  /** @param kept what of this is paid already @returns how many of these starts it can afford */
  #pay(wanted: number, kept: number): number {
    let paid = Math.min(wanted, kept);
    this.#count(paid);
    while (paid < wanted && this.#budget.afford(1)) paid += 1;
    return paid;
  }

  #count(requests: number): void {
    for (let i = 0; i < requests; i++) this.#budget.onRequest();
  }

  #power() {
    const { capacity } = this.#options;
    const { messages, ms } = this.#budget.used();
    const soon = (messages / Math.max(1, ms)) * SOON_MS;
    const { fresh } = capacity.lives;
    return {
      ends: Math.max(1, Math.min(soon, capacity.deliveries)),
      concurrency: capacity.concurrency,
      takes: ({ timeoutMs }: AnyQueue) => wakeFor(fresh, [timeoutMs]) !== false,
    };
  }

  /** What fails here is left to cron. */
  async #caught(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.claims.noteWork();
      logWarning('no further drains', { error: nameOfError(error) });
    }
  }
}
