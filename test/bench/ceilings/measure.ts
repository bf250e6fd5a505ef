/** The ceilings of one database: what gets slower or larger where there are ten million messages of one kind. */
import type { Place } from '../contender.ts';
import type { CeilingFigures, KindFigures } from '../figures.ts';
import { type Dimension, fillShards, measureDimension } from '../growth.ts';
import { timeCalls } from './calls.ts';
import { moveDue } from './due.ts';
import { lookAtLeases } from './leases.ts';
import { compareLimited } from './limited.ts';
import { largestRecords } from './records.ts';
import { checkMemory, sizesTo } from './sizes.ts';

export interface CeilingEffort {
  /** Messages of each kind. */
  to: number;
  rounds: number;
  timers: number;
  queues: number;
  leases: number;
}

const MILLION = 1_000_000;

export const effortTo = (to: number): CeilingEffort => ({
  to,
  rounds: 10,
  timers: Math.min(to, MILLION),
  queues: Math.min(to, 10_000),
  leases: Math.min(to, 10_000),
});

const RECORDS = 6;

/** @throws Error where the machine has not the memory */
export async function measureCeilings(
  place: Place,
  effort: CeilingEffort,
  say: (step: string) => void,
): Promise<CeilingFigures> {
  const sizes = sizesTo(effort.to);
  checkMemory(sizes);
  const limited = await compareLimited(place, [1, effort.queues], say);
  const leases = await lookAtLeases(place, [1, effort.leases], say);
  const due = await moveDue(place, effort.timers, [0, 20], say);
  const kinds: KindFigures[] = [];
  for (const dimension of kindsOf(sizes)) {
    const shards = await fillShards(place, dimension, say);
    say(`${dimension.name}: looking for the largest records`);
    const records = await largestRecords(place.raw, RECORDS);
    const line = await measureDimension(place, dimension.name, shards, effort.rounds, say);
    kinds.push({ line, records, calls: await timeCalls(place, shards, effort.rounds, say) });
  }
  await place.raw.flushall();
  return { to: effort.to, kinds, limited, leases, due };
}

const kindsOf = (sizes: number[]): Dimension[] => [
  { name: 'backlog', sizes, shape: (ready) => ({ ready, drained: 1_000 }) },
  { name: 'delayed', sizes, shape: (delayed) => ({ ready: 10_000, delayed }) },
  { name: 'dead', sizes, shape: (dead) => ({ ready: 10_000, dead }) },
];
