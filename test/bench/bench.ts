/** The command that measures: `npm run bench`. It runs the parts, keeps their results, and writes the page. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startProgress } from '../../examples/demo/progress.ts';
import { runCommand } from '../../src/dev/command.ts';
import { ceilingTables } from './ceilings/page.ts';
import { sizeOf } from './ceilings/sizes.ts';
import type { Results } from './figures.ts';
import { PLOTS, pageOf, plotsOf } from './page.ts';
import { measurePart, partsOf } from './parts.ts';
import { openPlace } from './place.ts';
import { farCallsTable, farTable, farText } from './rtt/page.ts';
import { awayText, shardPriorities, shardRates } from './shards/page.ts';
import { standingTable } from './standing/page.ts';
import { commandTable, demandTable, enqueueTable, growthTable, machineText, speedTable } from './tables.ts';

const HELP = `Usage: npm run bench [-- options]

Measures Sluice beside other queues, and how it grows, on a redis-server that it starts and ends. A full run takes about 18
minutes and 2 GB, prints its tables, and writes docs/benchmarks.md with its plots: a part as soon as it is done, so that a run
that is broken off keeps what it has.

  --quick       three minutes: fewer rounds, smaller sizes, no backlog part; writes nothing
  --only PART   peers, rtt, growth or backlog; or what is only run where it is named: standing (10 minutes), shards (five), ceilings
                (half an hour with 10M, and 11 GB); several with commas between them
  --to N        messages of each kind for the ceilings, 10k to 20M (10M)
  --page        writes the page anew from the results that are kept, and measures nothing
  --messages N  the long backlog of the backlog part, 1,000 to 5,000,000 (1000000)
  --json        print one object with the results as the last line
  --help        this text
`;

const OPTIONS = {
  quick: { type: 'boolean' },
  only: { type: 'string', default: '' },
  messages: { type: 'string', default: '1000000' },
  to: { type: 'string', default: '10M' },
  page: { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

const DOCS = join(import.meta.dirname, '../../docs');
const KEPT = join(DOCS, PLOTS, 'results.json');

interface Flags {
  quick?: boolean | undefined;
  only: string;
  messages: string;
  to: string;
  page?: boolean | undefined;
  json?: boolean | undefined;
}

async function main({ quick = false, only, messages, to, page, json }: Flags): Promise<void> {
  if (page) return keep({});
  const parts = partsOf(only, quick);
  const many = Number(messages);
  if (!Number.isInteger(many) || many < 1_000 || many > 5_000_000) {
    throw new RangeError(`--messages must be 1000 to 5000000; got ${JSON.stringify(messages)}`);
  }
  const most = sizeOf(to);
  const place = await openPlace();
  let step = '';
  const progress = startProgress(() => step);
  const say = (text: string) => {
    step = text;
  };
  const results: Results = {};
  try {
    for (const part of parts) {
      const found = await measurePart(part, { place, quick, many, to: most, say });
      Object.assign(results, found);
      if (!quick) await keep(found);
    }
  } finally {
    progress.stop();
    await place.close();
  }
  print(results);
  if (json) console.log(JSON.stringify(results));
  process.exit(0); // what contenders left open, such as retries of a connection, is nobody's any more
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
  const { peers, rtt, standing, shards, growth, ceilings, backlog } = results;
  if (peers) {
    const { figures, machine } = peers;
    const tables = [speedTable(figures), enqueueTable(figures), commandTable(figures), machineText(machine)];
    console.log(tables.join('\n\n'));
  }
  if (rtt) {
    const { lines, figures, machine } = rtt;
    console.log(
      `\n${farTable(lines, figures)}\n\n${farCallsTable(lines, figures)}\n\n${farText(lines)} ${machineText(machine)}`,
    );
  }
  if (standing) console.log(`\n${standingTable(standing.figures)}\n\n${machineText(standing.machine)}`);
  if (shards) {
    const tables = [shardRates(shards), shardPriorities(shards), awayText(shards), machineText(shards.machine)];
    console.log(`\n${tables.join('\n\n')}`);
  }
  if (growth) console.log(`\n${growthTable(growth.lines)}\n\n${machineText(growth.machine)}`);
  if (ceilings) console.log(`\n${ceilingTables(ceilings).join('\n\n')}\n\n${machineText(ceilings.machine)}`);
  if (backlog) console.log(`\n${backlog.report}`);
  console.log(`\n${demandTable(results)}`);
}

await runCommand(HELP, OPTIONS, main);
