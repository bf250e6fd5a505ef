/** Track: how a drain stands to one of its shards: what is known of it, and which of its syncs are in flight. */
import type { StorageError } from '../errors.ts';
import type { Handover } from './handover.ts';
import { Outlook } from './outlook.ts';
import type { DrainOptions, DrainShard } from './report.ts';
import { Supply } from './supply.ts';

export class Track {
  readonly shard: DrainShard;
  readonly outlook = new Outlook();
  readonly supply: Supply;
  readonly handover: Handover;
  /** Of its syncs in flight: how many there are, how many take messages, how many messages they may bring, and who says that it is busy. */
  inFlight = 0;
  looks = 0;
  wanted = 0;
  busy = 0;
  /** Whether somebody counts on this drain there: it was woken for it, or has found work. */
  isServed: boolean;
  /** Whether it was told of something new there since it looked last. */
  isAsked: boolean;
  /** The most urgent priority that waits there, as far as it is known; Infinity where nothing does, undefined where it is not known. */
  horizon: number | undefined;
  /** When an answer has told that, and when it was asked for last. */
  lookedAt = Number.NEGATIVE_INFINITY;
  /** It has refused to give messages out, and until then is not asked for any because of its horizon. */
  refusesUntil = Number.NEGATIVE_INFINITY;
  /** Why the last sync has no answer. */
  failure: StorageError | undefined;
  /** It has said there that it ends. */
  hasEnded = false;

  constructor(shard: DrainShard, options: Pick<DrainOptions, 'batch'>, handover: Handover, isServed: boolean) {
    this.shard = shard;
    this.supply = new Supply(options);
    this.handover = handover;
    this.isServed = isServed;
    this.isAsked = false;
    this.outlook.isDrained = !isServed; // new work there wakes another drain
  }

  /** There is something new, and nobody else was woken for it. */
  ask(): void {
    this.isServed = true;
    this.horizon = undefined;
    this.outlook.ask();
  }

  /** New work there is for this drain, and wakes no other: it has to say when it ends. */
  get countedOn(): boolean {
    return this.isServed && !this.isAway && !this.outlook.isDrained && !this.hasEnded;
  }

  /** Until it answers again the others do not wait for it. */
  get isAway(): boolean {
    return this.failure !== undefined;
  }
}
