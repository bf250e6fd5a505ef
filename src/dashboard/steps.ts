/** Steps of figures that are over. The present one still grows: taken for a whole, it would fall at the beginning of each. Pure. */
import type { StatsReport } from '../client/admin.ts';

export function finishedOf({ points, stepMs, now }: StatsReport): StatsReport['points'] {
  return points.filter(({ at }) => at + stepMs <= now);
}
