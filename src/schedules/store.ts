/** Schedules in the store: a typed function for each of their scripts. What a record means is not decided here. */

import type { PreparedMessage } from '../message/envelope.ts';
import { makeIds, newToken } from '../message/ids.ts';
import * as scripts from '../redis/lua/generated.ts';
import { digits } from '../redis/lua/script.ts';
import { list, strings } from '../redis/reply.ts';
import type { Shard } from '../redis/shard.ts';
import { listMessageKeys } from '../store/declared.ts';
import { parseSchedules, type StoredSchedule } from '../store/due.ts';
import { encodeRequest } from '../store/encode-messages.ts';
import { COMMON_WAKE, wakeArgs } from '../store/wake.ts';

/** What is done to one schedule, if it still is as it was read. */
export interface Change {
  id: string;
  /** The header as it was read; '' where there was none. */
  expected: string;
  /** '' removes it. */
  header: string;
  /** Of its last occurrence; '' where that went well. */
  error: string;
  /** What stands behind the error; '' leaves it as it is stored. */
  lines: string;
  /** When it is to be fired next, epoch ms. */
  due: number | undefined;
  /** What its occurrences make. */
  messages: PreparedMessage[];
}

export type ChangeStatus = 'done' | 'changed' | 'full';

export interface ScheduleStore {
  /**
   * At most 50. One that is not there has the record ''.
   * @param version noted as registered last where all are as the caller knows them
   * @throws StorageError
   */
  recall(
    schedules: { id: string; revision?: string }[],
    version?: string,
  ): Promise<{ now: number; schedules: StoredSchedule[] }>;
  /** At most 50 changes, each by itself. `wakes`: the caller would start a drain. @throws StorageError */
  change(changes: Change[], wakes?: boolean): Promise<{ statuses: ChangeStatus[]; wake: boolean }>;
  /** About so many; the cursor '0' begins and ends. @throws StorageError */
  page(cursor: string, count: number): Promise<{ now: number; cursor: string; schedules: StoredSchedule[] }>;
}

/** A schedule more is refused. */
const MOST_SCHEDULES = 10_000;

export function openScheduleStore({ run, keys, now, identity }: Shard): ScheduleStore {
  return {
    async recall(known, version = '') {
      const { reply } = await run(
        scripts.getSchedules,
        [keys.schedules, keys.totals],
        [keys.root, now(), version, ...known.flatMap(({ id, revision = '' }) => [id, revision])],
      );
      const [at, found] = list(reply);
      return { now: Number(at), schedules: parseSchedules(found) };
    },
    async change(changes, wakes = false) {
      const written = changes.map((change) => ({ change, base: newToken(Date.now(), identity.label) }));
      const declared = written.flatMap(({ change: { messages }, base }) =>
        listMessageKeys(keys, messages, makeIds(base, messages.length)),
      );
      const { reply } = await run(
        scripts.updateSchedules,
        [keys.schedules, keys.timers, keys.awake, keys.sleeper, ...declared],
        [
          keys.root,
          now(),
          newToken(),
          ...wakeArgs(wakes && COMMON_WAKE),
          digits(MOST_SCHEDULES),
          ...written.flatMap(changeArgs),
        ],
      );
      const [, wake, statuses] = list(reply);
      return { statuses: strings(statuses) as ChangeStatus[], wake: wake === '1' };
    },
    async page(cursor, count) {
      const { reply } = await run(scripts.listSchedules, [keys.schedules], [keys.root, now(), cursor, digits(count)]);
      const [at, next, found] = list(reply);
      return { now: Number(at), cursor: String(next), schedules: parseSchedules(found) };
    },
  };
}

/** @param base of the ids of its messages */
function changeArgs({ change, base }: { change: Change; base: string }): string[] {
  const { id, expected, header, error, lines, due, messages } = change;
  const segments = encodeRequest(messages, base);
  return [
    id,
    expected,
    header,
    error,
    lines,
    due === undefined ? '' : String(due),
    String(segments.length),
    ...segments,
  ];
}
