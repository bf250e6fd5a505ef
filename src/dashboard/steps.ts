/** Steps of figures that are over. The present one still grows: taken for a whole, it would fall at the beginning of each. Pure. */
import type { Stats } from './types.ts';

export function finishedOf({ points, stepMs, now }: Stats): Stats['points'] {
  return points.filter(({ at }) => at + stepMs <= now);
}
