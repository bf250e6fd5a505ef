/** Whether cron sweeps, by when it last did. Pure. */
import type { StatsReport } from '../client/admin.ts';

/** Cron comes each minute, and a sweep that finds nothing to do is noted every ten: longer than this, and it does not run. */
const SWEPT_MS = 12.5 * 60_000;

export function isCronRunning({ now, lastSweepAt }: StatsReport): boolean {
  return lastSweepAt !== undefined && now - lastSweepAt < SWEPT_MS;
}
