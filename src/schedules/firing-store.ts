/** A store that fires schedules: whoever syncs or sweeps through it makes the messages of occurrences that have come. */

import type { StoredSchedule } from '../store/due.ts';
import type { Store } from '../store/store.ts';
import { fireSchedules, type Known } from './fire.ts';
import type { ScheduleStore } from './store.ts';

/** @param onWake told where the messages, or what follows on settled ones, want a drain; left out by who drains anyway */
export function firingStore(store: Store, schedules: ScheduleStore, known: Known, onWake?: () => void): Store {
  const fire = async <Answer extends { now: number; schedules?: StoredSchedule[] }>(
    answer: Answer,
  ): Promise<Answer> => {
    const { schedules: due, now } = answer;
    if (due && (await fireSchedules(schedules, known, due, now, onWake !== undefined))) onWake?.();
    return answer;
  };
  return {
    ...store,
    sync: async (request) => {
      const answer = await store.sync(request);
      if (answer.wake) onWake?.();
      return fire(answer);
    },
    sweep: async (pool, step) => fire(await store.sweep(pool, step)),
  };
}

/**
 * For consumers elsewhere: of what they fire, and of what follows on what they settle, a part may be for a drain.
 * @returns the answer, with `wake` where they should start one
 */
export async function consumeFiring<Answer>(
  store: Store,
  schedules: ScheduleStore,
  known: Known,
  consume: (firing: Store) => Promise<Answer>,
): Promise<Answer & { wake?: true }> {
  let wake = false;
  const firing = firingStore(store, schedules, known, () => {
    wake = true;
  });
  const answer = await consume(firing);
  return { ...answer, ...(wake ? { wake } : {}) };
}
