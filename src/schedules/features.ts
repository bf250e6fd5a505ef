/** Scheduling: schedules are fired where an answer says that they are due, and those of the code are registered by ticks. */
import { fireSchedules } from './fire.ts';
import { registrar } from './register.ts';
import type { OpenScheduling } from './schedule.ts';
import { openScheduleStore } from './store.ts';

const openScheduling: OpenScheduling = (queues, schedules) => {
  const known = { queues, ids: new Set(schedules.map(({ id }) => id)) };
  const register = registrar(schedules, known);
  return {
    fire: (shard, due, now, wakes) => fireSchedules(openScheduleStore(shard), known, due, now, wakes),
    follow: (shard, swept) => register(openScheduleStore(shard), swept),
  };
};

/** What schedules bring along, whether code or callers of the API define them. */
export const features = { schedules: openScheduling };
