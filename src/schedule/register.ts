/** Registering: the schedules of the deployment's code find their way into storage at each cron tick. */
import { StorageError } from '../errors.ts';
import { logError } from '../log.ts';
import type { ScheduleStore } from '../store/schedules.ts';
import type { StoredSchedule } from '../store/store.ts';
import type { Schedule } from './definition.ts';
import { fireSchedules, type Known } from './fire.ts';
import { headerOf, readable, writeDefinition } from './record.ts';
import { type Rewriting, rewriteOf } from './rewrite.ts';
import { slotsOf } from './slots.ts';

/**
 * What a cron tick does with the schedules of the code: it registers them, and fires those that are overdue. Storage that
 * fails at it is told to the log, and stops neither the sweep nor the drain.
 */
export function registrar(schedules: readonly Schedule[], known: Known): (store: ScheduleStore) => Promise<void> {
  let written: Promise<Rewriting[]> | undefined;
  return async (store) => {
    if (schedules.length === 0) return;
    try {
      written ??= writeSchedules(schedules);
      const { now, overdue } = await registerSchedules(store, await written);
      await fireSchedules(store, known, overdue, now);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      logError(`schedules: ${error.message}`);
    }
  };
}

/** Asked for in one request. */
const AT_ONCE = 50;

/** What a tick needs of each schedule in code; it does not change. */
export function writeSchedules(schedules: readonly Schedule[]): Promise<Rewriting[]> {
  return Promise.all(
    schedules.map(async ({ id, ...definition }) => ({
      id,
      next: slotsOf(definition.timing),
      ...(await writeDefinition(definition, 'code')),
    })),
  );
}

/**
 * Stores what is new or changed; of the rest it reads a digest. Another version of the deployment may do so at once, with
 * its own definitions: the last one stands until the other's next tick.
 * @returns those that are overdue: a version that does not know them may keep taking their timers
 * @throws StorageError
 */
export async function registerSchedules(
  store: ScheduleStore,
  written: Rewriting[],
): Promise<{ now: number; overdue: StoredSchedule[] }> {
  const overdue: StoredSchedule[] = [];
  let now = 0;
  for (let from = 0; from < written.length; from += AT_ONCE) {
    const part = written.slice(from, from + AT_ONCE);
    const { schedules, ...recalled } = await store.recall(part);
    now = recalled.now;
    const changes = schedules.flatMap((stored) => {
      const rewriting = part.find(({ id }) => id === stored.id) as Rewriting;
      const existing = readable(stored.record);
      if (existing?.revision !== rewriting.revision) {
        return [rewriteOf(rewriting, existing, headerOf(stored.record), now)];
      }
      overdue.push(stored);
      return [];
    });
    if (changes.length > 0) await store.change(changes);
  }
  return { now, overdue };
}
