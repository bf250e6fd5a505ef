/** Sweeping: timers that are due, leases that expired, and a look at some of the keys, in one bounded step. */

import * as scripts from '../redis/lua/generated.ts';
import { digits } from '../redis/lua/script.ts';
import { list } from '../redis/reply.ts';
import { commonArgs, type Shard } from '../redis/shard.ts';
import { AUDIT_KEYS, type Finding, parseFindings } from './audit.ts';
import type { Definitions } from './definitions.ts';
import { due, parseDueSchedules, type StoredSchedule } from './due.ts';
import type { FiringPace } from './firing.ts';

export interface SweepAnswer {
  now: number;
  nextDue?: number;
  /** Timers fired; the caller repeats while it is more than 0. */
  fired: number;
  /** Entries that expired leases gave back to their lanes. */
  requeued: number;
  dead: number;
  /** Lanes of the pool have work. */
  ready: boolean;
  /** The cursor of the next inspection. */
  cursor: string;
  /** Which part of what is long is next. */
  round: number;
  findings: Finding[];
  /** The schedules whose occurrences have come; left out where there are none. */
  schedules?: StoredSchedule[];
  /** There are more counters to roll up. */
  rollupDue?: true;
  /** Which schedules of code were registered: `<when> <version> …`, the last one first. Not there where nobody looked. */
  registered?: string;
  /** When a sweep was noted last, epoch ms; 0 where that is not known. */
  notedAt: number;
  /** Of the map of the shards. Not there where this one has none, or it was not asked what was noted. */
  epoch?: number;
}

export interface SweepStep {
  limit?: number;
  /** Which keys it inspects: '0' begins, '' inspects none; ANYBODYS goes on where the last noted sweep of anybody stood. */
  cursor?: string;
  /** Which part it looks at of what is too long to be looked at whole. */
  round?: number;
  /** That it ran, where it stood and which queues there are is remembered, though it rolls up no counters: one or two commands more. */
  note?: boolean;
}

export const ANYBODYS = '?';

export async function sweep(
  shard: Shard,
  definitions: Definitions,
  firing: FiringPace,
  pool: string,
  { limit = firing.limit, cursor = '', round = 0, note = false }: SweepStep,
): Promise<SweepAnswer> {
  const { keys } = shard;
  const began = performance.now();
  const common = [...commonArgs(shard), digits(limit), cursor, digits(AUDIT_KEYS)] as const;
  const { reply } = await definitions.run(shard, ({ policies, pools, kept }) =>
    shard.run(
      scripts.sweep,
      [keys.timers, keys.ready(pool), keys.stats, ...kept],
      [...common, policies, note ? '1' : '', digits(round), pools],
    ),
  );
  const [now, nextDue, fired, requeued, dead, ready, next, found, schedules, rollupDue, ...kept] = list(reply);
  const [nextRound, registered, notedAt, epoch] = kept;
  firing.note(performance.now() - began, nextDue !== '' && Number(nextDue) <= Number(now));
  return {
    now: Number(now),
    ...due(Number(nextDue)),
    fired: Number(fired),
    requeued: Number(requeued),
    dead: Number(dead),
    ready: ready === '1',
    cursor: String(next),
    round: Number(nextRound),
    findings: parseFindings(found),
    ...parseDueSchedules(schedules),
    ...(rollupDue === '1' ? { rollupDue: true as const } : {}),
    ...(registered === '-' ? {} : { registered: String(registered) }),
    notedAt: Number(notedAt),
    ...(epoch === '' ? {} : { epoch: Number(epoch) }),
  };
}
