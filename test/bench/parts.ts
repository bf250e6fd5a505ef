/** The parts of the benchmarks: what each measures, with how much effort, and on which machine. */
import { cpus, loadavg, totalmem } from 'node:os';
import { compareBacklogs } from './backlog.ts';
import { effortTo, measureCeilings } from './ceilings/measure.ts';
import type { Machine, Results } from './figures.ts';
import { measureGrowth } from './growth.ts';
import { FULL, measurePeers, QUICK } from './peers.ts';
import type { OpenPlace } from './place.ts';
import { FAR, FAR_QUICK, measureFar } from './rtt/measure.ts';
import { measureShards, SHARDS, SHARDS_QUICK } from './shards/measure.ts';
import { measureStanding } from './standing/measure.ts';

export interface Means {
  place: OpenPlace;
  quick: boolean;
  /** Messages of the long backlog. */
  many: number;
  /** How many messages of each kind the ceilings are looked for with. */
  to: number;
  say: (step: string) => void;
}

const QUICK_CEILING = 10_000;

type Measure = { [Part in keyof Results]-?: (means: Means) => Promise<Omit<NonNullable<Results[Part]>, 'machine'>> };

const MEASURES: Measure = {
  async peers({ place, quick, say }) {
    const effort = quick ? QUICK : FULL;
    const { rounds, bulkRounds } = effort;
    return { figures: await measurePeers(place, effort, say), rounds, bulkRounds };
  },
  async rtt({ place, quick, say }) {
    const effort = quick ? FAR_QUICK : FAR;
    return { ...(await measureFar(place, effort, say)), rounds: effort.rounds };
  },
  async standing({ place, quick, say }) {
    const effort = quick ? { messages: 2_000, drains: [4, 16] } : { messages: 100_000, drains: [1, 4, 16] };
    return { figures: await measureStanding(place, effort, say) };
  },
  async shards({ quick, say }) {
    return measureShards(quick ? SHARDS_QUICK : SHARDS, say);
  },
  async ceilings({ place, quick, to, say }) {
    return measureCeilings(place, effortTo(quick ? QUICK_CEILING : to), say);
  },
  async growth({ place, quick, say }) {
    const effort = quick ? { rounds: 3, scale: 0.01 } : { rounds: 15, scale: 1 };
    return { lines: await measureGrowth(place, effort, say), rounds: effort.rounds };
  },
  async backlog({ place, quick, many, say }) {
    await place.raw.flushall(); // the memory is wanted
    return compareBacklogs(many, quick ? 50 : 200, say);
  },
};

export type Part = keyof Results;

/** Of a run that names none, and of a quick one. */
const USUAL: Part[] = ['peers', 'rtt', 'growth', 'backlog'];
const QUICK_ONES: Part[] = ['peers', 'rtt', 'growth'];

/** @param only names with commas between them; '' for the usual ones @throws RangeError */
export function partsOf(only: string, quick: boolean): Part[] {
  if (only === '') return quick ? QUICK_ONES : USUAL;
  const known = Object.keys(MEASURES);
  return only.split(',').map((name) => {
    if (known.includes(name.trim())) return name.trim() as Part;
    throw new RangeError(`--only must be ${known.join(', ')}, or several of them; got ${JSON.stringify(name)}`);
  });
}

export async function measurePart(part: Part, means: Means): Promise<Results> {
  const before = loadavg()[0] ?? 0;
  const found = await MEASURES[part](means);
  return { [part]: { ...found, machine: await machineNow(means.place, before) } };
}

async function machineNow({ raw }: OpenPlace, loadBefore: number): Promise<Machine> {
  const all = cpus();
  return {
    cores: all.length,
    cpu: /AMD|Intel|Apple|ARM|Neoverse/i.exec(all[0]?.model ?? '')?.[0] ?? 'unnamed',
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    redis: /redis_version:(\S+)/.exec(await raw.info('server'))?.[1] ?? '',
    loadBefore,
    loadAfter: loadavg()[0] ?? 0,
  };
}
