/** Absences: one database after the other is away for a sixth of a minute, in one way after the other, and then back. */
import { ABSENCES, type Storage } from './storages.ts';

export interface Absences {
  /** How often each was away, in the order of the storages. */
  counts: number[];
  /** Until it is told to stop; then all are there. */
  run(isOver: () => boolean): Promise<void>;
}

const MINUTE_MS = 60_000;
/** Of a minute, or of a run that is shorter. */
const AWAY = 1 / 6;
const LOOK_MS = 20;

export function planAbsences(storages: readonly Storage[], secondsOfRun: number): Absences {
  const cycleMs = Math.min(MINUTE_MS, secondsOfRun * 1_000);
  const turnMs = cycleMs / storages.length;
  const awayMs = Math.min(cycleMs * AWAY, turnMs / 2);
  const counts = storages.map(() => 0);
  return {
    counts,
    async run(isOver) {
      for (let turn = 0; !isOver(); turn++) {
        const place = turn % storages.length;
        const storage = storages[place] as Storage;
        const round = Math.floor(turn / storages.length);
        const before = (turnMs - awayMs) / 2;
        await last(before, isOver);
        if (isOver()) return;
        counts[place] = (counts[place] ?? 0) + 1;
        await storage.leave(ABSENCES[(round + place) % ABSENCES.length] ?? 'refuses');
        await last(awayMs, isOver);
        await storage.comeBack();
        await last(turnMs - awayMs - before, isOver);
      }
    },
  };
}

async function last(ms: number, isOver: () => boolean): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end && !isOver()) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}
