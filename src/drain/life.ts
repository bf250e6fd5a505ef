/**
 * Life: for how long a drain takes messages, and until when the handlers of what it took may run.
 *
 * Pure. A delivery starts only where its drain lives for the whole of its queue's timeout: what is cut off half-way is work
 * that is done again.
 */
import type { Wake } from '../store/wake.ts';

export interface Life {
  /** From its start on it takes and starts messages for so long. */
  takesMs: number;
  /** After so long it has ended. */
  livesMs: number;
  /** When its last handler has ended it tries for so long to settle what it holds. */
  settlesMs: number;
  /** It sleeps no longer than that for what is due later. Left out: as long as it takes messages. */
  sleepsMs?: number;
}

/** Kept at the end of a life for the last sync, and for handlers that were told to end. */
export const RESERVED_MS = 500;
/** The time that a sync is under way: messages that are taken arrive so much later. */
export const UNDER_WAY_MS = 250;
/** A drain that sleeps wakes so long before its time is over, however long the answer took that told it to sleep. */
export const AWAKENING_MS = 500;

/** The last part of a drain's time, in which it starts nothing: a quarter, within these bounds. */
const LEAST_CLOSING_MS = 500;
const MOST_CLOSING_MS = 10_000;

/** The life of a drain that a request waits for. Uptime pingers hang up after 30 s, and the platform then ends its work 30 s later. */
export const ASKED_MS = 25_000;
/** The longest life of any drain: the platform ends an invocation by cron after 15 minutes, and that sweeps first. */
const MOST_LIFE_MS = 14.5 * 60_000;
/** The longest timeout of a queue. */
export const MOST_TIMEOUT_MS = 14 * 60_000;

const planClosing = (timeMs: number) => Math.min(MOST_CLOSING_MS, Math.max(LEAST_CLOSING_MS, timeMs / 4));

/**
 * A drain that takes messages for so long, but for the end of it, and lives until whatever it started has ended.
 * @param timeoutsMs of the queues that it delivers
 */
export function planLife(timeMs: number, timeoutsMs: readonly number[]): Life {
  const settlesMs = planClosing(timeMs);
  const takesMs = timeMs - settlesMs;
  const endsMs = takesMs + Math.max(0, ...timeoutsMs) + RESERVED_MS;
  return { takesMs, livesMs: Math.max(timeMs, Math.min(MOST_LIFE_MS, endsMs)), settlesMs };
}

/** One that an alarm began: it takes what one by cron takes, and does not sleep, because another alarm can be set. */
export const alarmLife = (timeMs: number, timeoutsMs: readonly number[]): Life => ({
  ...planLife(timeMs, timeoutsMs),
  sleepsMs: 0,
});

/** One that a request woke: it takes what it can end in time. @param livesMs after so long it has to have ended */
export function wokenLife(timeMs: number, timeoutsMs: readonly number[], livesMs: number): Life {
  const { takesMs, settlesMs } = planLife(Math.min(livesMs, timeMs), timeoutsMs);
  const shortestMs = Math.min(livesMs, ...timeoutsMs);
  return { takesMs: Math.min(takesMs, livesMs - RESERVED_MS - shortestMs), livesMs, settlesMs };
}

/**
 * What an enqueue has to know of the drain that it would wake; false where that could not take a message of these queues, because
 * a delivery may take longer than it lives.
 * @param mostMs that a drain sleeps under its invocation
 */
export function wakeFor(woken: Life, timeoutsMs: readonly number[], mostMs = Number.POSITIVE_INFINITY): Wake | false {
  const lateMs = (timeoutMs: number) => Math.min(woken.takesMs, woken.livesMs - RESERVED_MS - timeoutMs) - AWAKENING_MS;
  const takenMs = timeoutsMs.filter((timeoutMs) => lateMs(timeoutMs) >= 0);
  if (takenMs.length === 0) return false;
  const { sleepsMs = Number.POSITIVE_INFINITY } = woken;
  return { withinMs: Math.min(sleepsMs, mostMs, lateMs(Math.min(...takenMs))), needsMs: Math.max(...takenMs) };
}
