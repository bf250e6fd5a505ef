/**
 * Quotas: the limits of a small plan are set a little above what is used, one after the other. They fill up, storage refuses or lets
 * wait for a while, they are lifted, and work has to go on by itself: messages pushed and messages acked.
 */
import type { Observation } from '../../src/dev/emulator/backend.ts';
import type { Limits } from '../../src/dev/emulator/plan.ts';
import type { Emulator } from '../../src/dev/emulator/server.ts';
import type { Chance } from './random.ts';

/** What is set when so much is used. */
const QUOTAS = {
  'commands of the month': ({ commands }: Used): Limits => ({ monthlyCommands: commands + 300 }),
  capacity: ({ bytes }: Used): Limits => ({ capacityBytes: bytes + 20_000 }),
  record: (): Limits => ({ recordBytes: 1_500 }),
  'commands per second': (): Limits => ({ commandsPerSecond: 300 }),
  'capacity, no scripts': ({ bytes }: Used): Limits => ({ capacityBytes: bytes + 20_000, scriptsWhenFull: 'refused' }),
};

type Used = Awaited<ReturnType<Emulator['usage']>>;
export type QuotaName = keyof typeof QUOTAS;

export interface QuotaFigures {
  /** How often it was reached. */
  filled: number;
  /** Commands refused, scripts that met a refusal inside, and requests that had to wait. */
  met: number;
  /** The longest time from its end until work went on. */
  longestMs: number;
}

export interface Quotas {
  /** Of refusals inside scripts it learns only by this. */
  see(observation: Observation): void;
  /** Until it is told to stop; then nothing is limited any more. */
  run(isOver: () => boolean): Promise<void>;
  /** Scripts that met a refusal inside. */
  insideScripts(): number;
  figures(): Record<QuotaName, QuotaFigures>;
  /** How often work did not go on. */
  stalled(): number;
}

export interface QuotaOptions {
  emulator: () => Emulator;
  chance: Chance;
  /** What goes up while work goes on. */
  progress: () => number[];
}

/** The first of each comes early and is short, so that a short run meets them; later ones outlast leases and drains. */
const FIRST = { pauseMs: 300, heldMs: 700 };
const LATER = { pauseMs: 5_000, heldMs: 5_000 };
const LEAST_HELD_MS = 300;
/** For so long it is waited for one that is not reached. */
const REACHED_WITHIN_MS = 1_500;
const STALLED_MS = 30_000;
const LOOK_MS = 20;

const NAMES = Object.keys(QUOTAS) as QuotaName[];
const LIFTED: Limits = {
  monthlyCommands: undefined,
  capacityBytes: undefined,
  scriptsWhenFull: undefined,
  recordBytes: undefined,
  commandsPerSecond: undefined,
};

/** Texts of limits, not those of a fault: see faults.ts. */
const REFUSAL = /capacity quota exceeded\. Threshold|record size exceeded(?!, once)/;

export function watchQuotas({ emulator, chance, progress }: QuotaOptions): Quotas {
  const nothing = (): QuotaFigures => ({ filled: 0, met: 0, longestMs: 0 });
  const figures = Object.fromEntries(NAMES.map((name) => [name, nothing()])) as Record<QuotaName, QuotaFigures>;
  let inside = 0;
  let stalled = 0;

  const met = () => {
    const { refused, delayed } = emulator().met();
    return inside + refused + delayed;
  };

  async function fill(name: QuotaName, heldMs: number, isOver: () => boolean): Promise<void> {
    const before = met();
    emulator().limit(QUOTAS[name](await emulator().usage()));
    await holds(() => met() > before || isOver(), REACHED_WITHIN_MS);
    if (met() > before) await holds(isOver, chance.whole(LEAST_HELD_MS, heldMs));
    emulator().limit(LIFTED);
    if (met() === before) return;
    figures[name].filled += 1;
    figures[name].met += met() - before;
  }

  async function goOn(name: QuotaName, isOver: () => boolean): Promise<void> {
    const lifted = performance.now();
    const before = progress();
    const hasMoved = () => progress().every((count, i) => count > (before[i] ?? 0));
    await holds(() => hasMoved() || isOver(), STALLED_MS);
    if (hasMoved()) figures[name].longestMs = Math.max(figures[name].longestMs, Math.round(performance.now() - lifted));
    else if (!isOver()) stalled += 1;
  }

  return {
    see({ error, result }) {
      const said = error === undefined && Array.isArray(result) ? result : [error];
      if (said.some((text) => typeof text === 'string' && REFUSAL.test(text))) inside += 1;
    },
    async run(isOver) {
      const first = chance.whole(0, NAMES.length - 1);
      for (let turn = 0; !isOver(); turn++) {
        const name = NAMES[(first + turn) % NAMES.length] as QuotaName;
        const { pauseMs, heldMs } = turn < NAMES.length ? FIRST : LATER;
        await holds(isOver, pauseMs);
        if (!isOver()) await fill(name, heldMs, isOver);
        if (!isOver()) await goOn(name, isOver);
      }
      emulator().limit(LIFTED);
    },
    insideScripts: () => inside,
    figures: () => figures,
    stalled: () => stalled,
  };
}

/** @returns when it holds, or when the time is over */
async function holds(condition: () => boolean, withinMs: number): Promise<void> {
  const end = performance.now() + withinMs;
  while (!condition() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}
