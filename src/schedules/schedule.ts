/** A schedule: its timing and the message that it makes, checked; and what an engine does with schedules. */
import type { Queues } from '../broker/validate.ts';
import type { Shard } from '../redis/shard.ts';
import type { Fleet } from '../shards/fleet.ts';
import type { StoredSchedule } from '../store/due.ts';
import type { SweepAnswer } from '../store/sweep.ts';
import type { CatchUp, Timing } from './occurrences.ts';

/** A checked definition. */
export interface Definition {
  timing: Timing;
  queue: string;
  catchUp: CatchUp;
  /** What each occurrence enqueues; the options are judged by `MessageOptions`. */
  message: { body: unknown; options: Record<string, unknown> };
}

/** A schedule of the deployment's own code. */
export interface Schedule extends Definition {
  readonly id: string;
  /** What a deployment with schedules needs. */
  readonly features: { schedules: OpenScheduling };
}

/** Of an engine that was given schedules. Without it they stay due. */
export interface Scheduling {
  /** Fires those that an answer says are due. @param wakes whether the caller would start a drain @returns whether it should */
  fire(shard: Shard, due: StoredSchedule[], now: number, wakes: boolean): Promise<boolean>;
  /** What a tick does behind its sweep. @returns whether it did anything, such as to make messages */
  follow(shard: Shard, swept: SweepAnswer): Promise<boolean>;
}

/** @param schedules of the code @param fleet of the shards on which they are */
export type OpenScheduling = (queues: Queues, schedules: readonly Schedule[], fleet: Fleet) => Scheduling;
