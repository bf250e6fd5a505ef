/** Durations in ms, for the client's own timers. The server is the judge of their form. */
import type { Duration } from '../formats/duration.ts';

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export function toMs(duration: Duration): number {
  if (typeof duration === 'number') return duration;
  let ms = 0;
  for (const [, count, unit = ''] of duration.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)) {
    ms += Number(count) * (UNITS[unit] ?? 0);
  }
  return ms;
}
