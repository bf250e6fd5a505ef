/** Registering: the schedules of the deployment's code find their way into storage with a cron tick. */

import { StorageError } from '../errors.ts';
import { shortDigest } from '../formats/digest.ts';
import { logError } from '../log.ts';
import { HANDED_OUT_MS, type StoredSchedule } from '../store/due.ts';
import type { SweepAnswer } from '../store/sweep.ts';
import { type Definitions, fireSchedules } from './fire.ts';
import { compileTiming } from './occurrences.ts';
import { readable, readHeaderLine, writeDefinition } from './record.ts';
import { planRewrite, type Rewrite } from './rewrite.ts';
import type { Schedule } from './schedule.ts';
import type { ScheduleStore } from './store.ts';

/** What a sweep has found of them. */
type SweepFindings = Pick<SweepAnswer, 'now' | 'nextDue' | 'registered'>;

/** Two versions of a deployment that tick side by side take turns so often, each with its own definitions. */
const TURN_MS = 5 * 60_000;

/**
 * What a cron tick does with the schedules of the code behind its sweep: it registers them where they are not yet, and fires
 * those that another version has in hand, which does not know them. Storage that fails at it is told to the log, and does not
 * stop the drain.
 * @returns whether it did anything, such as to make messages
 */
export function registrar(
  schedules: readonly Schedule[],
  known: Definitions,
): (store: ScheduleStore, swept: SweepFindings) => Promise<boolean> {
  let code: DeclaredSchedules | undefined;
  let isRegistered = false;
  return async (store, { now, nextDue = Number.POSITIVE_INFINITY, registered }) => {
    if (schedules.length === 0) return false;
    code ??= await readCode(schedules);
    if (registered !== undefined) isRegistered = hasTurn(registered, code.version, now);
    if (isRegistered && nextDue - now > HANDED_OUT_MS) return false;
    try {
      const found = await registerSchedules(store, code.written, isRegistered ? undefined : code.version);
      await fireSchedules(store, known, found.overdue, found.now);
      isRegistered = found.changed === 0; // else the next tick looks whether it stands
      return found.changed + found.overdue.length > 0;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      logError(`schedules: ${error.message}`);
      return false;
    }
  };
}

/** @param registered when, and which versions, the last one first: what it changed, others may have had otherwise */
function hasTurn(registered: string, version: string, now: number): boolean {
  const [at, ...versions] = registered.split(' ');
  const place = versions.indexOf(version);
  return place === 0 || (place > 0 && now - Number(at) < TURN_MS);
}

/** Asked for in one request. */
const AT_ONCE = 50;

interface DeclaredSchedules {
  written: Rewrite[];
  /** Digest of all of them. */
  version: string;
}

/** What a tick needs of the schedules in code; it does not change. */
async function readCode(schedules: readonly Schedule[]): Promise<DeclaredSchedules> {
  const written = await writeSchedules(schedules);
  return { written, version: await shortDigest(written.map(({ id, revision }) => `${id} ${revision}`).join('\n')) };
}

export function writeSchedules(schedules: readonly Schedule[]): Promise<Rewrite[]> {
  return Promise.all(
    schedules.map(async ({ id, ...definition }) => ({
      id,
      next: (after: number) => compileTiming(definition.timing)(after), // read where it is asked for: a time zone takes long
      ...(await writeDefinition(definition, 'code')),
    })),
  );
}

/**
 * Stores what is new or changed; of the rest it reads a digest. Another version of the deployment may do so at once, with
 * its own definitions: the last one stands until it is the other's turn.
 * @param version noted where nothing had to be changed
 * @returns how many were changed, and those that are overdue: a version that does not know them may keep taking their timers
 * @throws StorageError
 */
export async function registerSchedules(
  store: ScheduleStore,
  written: Rewrite[],
  version?: string,
): Promise<{ now: number; changed: number; overdue: StoredSchedule[] }> {
  const overdue: StoredSchedule[] = [];
  let [now, changed] = [0, 0];
  for (let from = 0; from < written.length; from += AT_ONCE) {
    const part = written.slice(from, from + AT_ONCE);
    const isLast = from + AT_ONCE >= written.length;
    const { schedules, ...recalled } = await store.recall(part, isLast && changed === 0 ? version : undefined);
    now = recalled.now;
    const changes = schedules.flatMap((stored) => {
      const rewriting = part.find(({ id }) => id === stored.id) as Rewrite;
      const existing = readable(stored.record);
      if (existing?.revision !== rewriting.revision) {
        return [planRewrite(rewriting, existing, readHeaderLine(stored.record), now)];
      }
      overdue.push(stored);
      return [];
    });
    if (changes.length > 0) await store.change(changes);
    changed += changes.length;
  }
  return { now, changed, overdue };
}
