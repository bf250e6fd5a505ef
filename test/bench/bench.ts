/** The command that measures: `npm run bench`. It runs the parts, keeps their results, and writes the page. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { startProgress } from '../../examples/demo/progress.ts';
import { runCommand } from '../../src/dev/command.ts';
import { compareBacklogs } from './backlog.ts';
import type { Machine, Results } from './figures.ts';
import { measureGrowth } from './growth.ts';
import { PLOTS, pageOf, plotsOf } from './page.ts';
import { FULL, measurePeers, QUICK } from './peers.ts';
import { type OpenPlace, openPlace } from './place.ts';
import { commandTable, demandTable, enqueueTable, growthTable, machineText, speedTable } from './tables.ts';

const HELP = `Usage: npm run bench [-- options]

Measures Sluice beside other queues, and how it grows, on a redis-server that it starts and ends. A full run takes about 15
minutes and 2 GB, prints its tables, and writes docs/benchmarks.md with its plots: a part as soon as it is done, so that a run
that is broken off keeps what it has.

  --quick       two minutes: fewer rounds, smaller sizes, no backlog part; writes nothing
  --only PART   peers, growth or backlog; several with commas between them
  --messages N  the long backlog of the backlog part, 1,000 to 5,000,000 (1000000)
  --json        print one object with the results as the last line
  --help        this text
`;

const OPTIONS = {
  quick: { type: 'boolean' },
  only: { type: 'string', default: '' },
  messages: { type: 'string', default: '1000000' },
  json: { type: 'boolean' },
} as const;

type Part = 'peers' | 'growth' | 'backlog';
const PARTS: Part[] = ['peers', 'growth', 'backlog'];

const DOCS = join(import.meta.dirname, '../../docs');
const KEPT = join(DOCS, PLOTS, 'results.json');

interface Flags {
  quick?: boolean | undefined;
  only: string;
  messages: string;
  json?: boolean | undefined;
}

async function main({ quick = false, only, messages, json }: Flags): Promise<void> {
  const parts = partsOf(only, quick);
  const many = Number(messages);
  if (!Number.isInteger(many) || many < 1_000 || many > 5_000_000) {
    throw new RangeError(`--messages must be 1000 to 5000000; got ${JSON.stringify(messages)}`);
  }
  const place = await openPlace();
  let step = '';
  const progress = startProgress(() => step);
  const say = (text: string) => {
    step = text;
  };
  const results: Results = {};
  try {
    for (const part of parts) {
      await measurePart(part, { place, quick, many, say }, results);
      if (!quick) await keep({ [part]: results[part] });
    }
  } finally {
    progress.stop();
    await place.close();
  }
  print(results);
  if (json) console.log(JSON.stringify(results));
  process.exit(0); // what contenders left open, such as retries of a connection, is nobody's any more
}

interface Means {
  place: OpenPlace;
  quick: boolean;
  many: number;
  say: (step: string) => void;
}

async function measurePart(part: Part, { place, quick, many, say }: Means, results: Results): Promise<void> {
  const before = loadavg()[0] ?? 0;
  if (part === 'peers') {
    const effort = quick ? QUICK : FULL;
    const figures = await measurePeers(place, effort, say);
    const { rounds, bulkRounds } = effort;
    results.peers = { figures, rounds, bulkRounds, machine: await machineNow(place, before) };
  } else if (part === 'growth') {
    const effort = quick ? { rounds: 3, scale: 0.01 } : { rounds: 15, scale: 1 };
    const lines = await measureGrowth(place, effort, say);
    results.growth = { lines, rounds: effort.rounds, machine: await machineNow(place, before) };
  } else {
    await place.raw.flushall(); // the memory is wanted
    const compared = await compareBacklogs(many, quick ? 50 : 200, say);
    results.backlog = { ...compared, machine: await machineNow(place, before) };
  }
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

/** Adds to the results that are kept, and makes the page of all of them. */
async function keep(found: Results): Promise<void> {
  await mkdir(join(DOCS, PLOTS), { recursive: true });
  const kept = JSON.parse(await readFile(KEPT, 'utf8').catch(() => '{}')) as Results;
  const results = { ...kept, ...found };
  await writeFile(KEPT, `${JSON.stringify(results, undefined, 2)}\n`);
  await writeFile(join(DOCS, 'benchmarks.md'), pageOf(results));
  for (const [name, svg] of Object.entries(plotsOf(results))) await writeFile(join(DOCS, PLOTS, name), svg);
}

function print(results: Results): void {
  const { peers, growth, backlog } = results;
  if (peers) {
    const { figures, machine } = peers;
    const tables = [speedTable(figures), enqueueTable(figures), commandTable(figures), machineText(machine)];
    console.log(tables.join('\n\n'));
  }
  if (growth) console.log(`\n${growthTable(growth.lines)}\n\n${machineText(growth.machine)}`);
  if (backlog) console.log(`\n${backlog.report}`);
  console.log(`\n${demandTable(results)}`);
}

function partsOf(only: string, quick: boolean): Part[] {
  if (only === '') return quick ? ['peers', 'growth'] : PARTS;
  return only.split(',').map((name) => {
    const part = PARTS.find((known) => known === name.trim());
    if (!part)
      throw new RangeError(`--only must be ${PARTS.join(', ')}, or several of them; got ${JSON.stringify(name)}`);
    return part;
  });
}

await runCommand(HELP, OPTIONS, main);
