/** What is due: the next timer, and schedules whose slots have come, as due.lua hands them out. */
import { pairs, strings } from '../redis/reply.ts';

/** A schedule as it is stored; due.lua says how. */
export interface StoredSchedule {
  id: string;
  record: string;
}

/** Fires schedules that an answer says are due. @param now the server's time @returns whether a drain is wanted for that */
export type FireDue = (due: StoredSchedule[], now: number) => Promise<boolean>;

/** As due.lua has it: whoever was given a schedule that is due has so long to fire it. */
export const HANDED_OUT_MS = 5_000;

export const parseSchedules = (found: unknown): StoredSchedule[] =>
  pairs(strings(found)).map(([id, record]) => ({ id, record }));

export function parseDueSchedules(found: unknown): { schedules?: StoredSchedule[] } {
  const schedules = parseSchedules(found);
  return schedules.length > 0 ? { schedules } : {};
}

export const due = (nextDue: number) => (nextDue > 0 ? { nextDue } : {});
