/** What must hold, as ratios within one run on one machine: asked, measured, and whether it does. Pure. */
import { ceilingDemands } from './ceilings/page.ts';
import { beside, type Demand, most, times } from './demand.ts';
import type { GrowthLine, PeerFigures, Results } from './figures.ts';
import { short } from './plot.ts';
import { demandsFromAfar } from './rtt/demands.ts';
import { shardsDemands } from './shards/page.ts';
import { standingDemands } from './standing/page.ts';

export function demandsOf({ peers, rtt, standing, shards, growth, ceilings, backlog }: Results): Demand[] {
  const figures = peers?.figures ?? [];
  return [
    ...(peers ? [...speedsOf(figures), ...costsOf(figures)] : []),
    ...(rtt ? demandsFromAfar(rtt) : []),
    ...(shards ? shardsDemands(shards) : []),
    ...(standing ? standingDemands(standing) : []),
    ...(growth ? growthDemands(growth.lines.filter(({ dimension }) => GROWTH.includes(dimension))) : []),
    ...(ceilings ? ceilingDemands(ceilings) : []),
    ...backlogOf(backlog),
  ];
}

const called = (figures: PeerFigures[], beginning: string) => figures.filter(({ name }) => name.startsWith(beginning));

function best(figures: PeerFigures[], beginning: string): number | undefined {
  const rates = called(figures, beginning).flatMap(({ drain }) => (drain ? [drain.median] : []));
  return rates.length > 0 ? Math.max(...rates) : undefined;
}

function speedsOf(figures: PeerFigures[]): Demand[] {
  const library = best(figures, 'Sluice, library');
  const worker = best(figures, 'Sluice, Worker');
  const bulk = (beginning: string) =>
    Math.max(
      ...called(figures, beginning).flatMap(({ enqueue }) =>
        [enqueue['batches of 100'], enqueue['batches of 1,000'], enqueue['four batches of 1,000']].flatMap((rate) =>
          rate ? [rate.median] : [],
        ),
      ),
    );
  const [ourWorker, theirWorker] = [called(figures, 'Sluice, Worker')[0], called(figures, 'Cloudflare')[0]];
  const posted = ({ enqueue }: PeerFigures) => enqueue['one at a time']?.median;
  return [
    times('library drain : BullMQ at its best', 6, library, best(figures, 'BullMQ')),
    times('library drain : textbook reliable', 20, library, best(figures, 'textbook reliable, one')),
    beside('library drain : textbook reliable, 10 consumers', library, best(figures, 'textbook reliable, 10')),
    times('bulk enqueue : BullMQ addBulk', 5.5, bulk('Sluice, library'), bulk('BullMQ')),
    beside('bare LPUSH of the bodies over HTTP : BullMQ addBulk', bulk('textbook reliable'), bulk('BullMQ')),
    times('Worker drain : Cloudflare Queues in Miniflare', 3, worker, best(figures, 'Cloudflare')),
    times(
      'both at once, Worker : Cloudflare Queues in Miniflare',
      1,
      ourWorker?.both?.median,
      theirWorker?.both?.median,
    ),
    beside(
      'POST one at a time : send of Cloudflare Queues',
      ourWorker && posted(ourWorker),
      theirWorker && posted(theirWorker),
    ),
    most('wake of the Worker, p50, ms', 10, ourWorker?.wake?.p50),
    most('wake of the Worker, p99, ms', 30, ourWorker?.wake?.p99),
  ];
}

function costsOf(figures: PeerFigures[]): Demand[] {
  const cost = called(figures, 'Sluice, library')[0]?.cost;
  const peer = called(figures, 'BullMQ').find((bullmq) => bullmq.cost.lone)?.cost;
  const besidePeer = (demand: Demand, value: number | undefined): Demand =>
    value === undefined ? demand : { ...demand, measured: `${demand.measured} (BullMQ ${value.toFixed(1)})` };
  return [
    besidePeer(most('commands of a lone message', 17, cost?.lone?.commands), peer?.lone?.commands),
    most('HTTP requests of a lone message', 2, cost?.lone?.requests),
    most('commands per message, 10 a second', 17, cost?.['10/s']?.commands),
    besidePeer(most('commands per message, saturated', 0.22, cost?.saturated?.commands), peer?.saturated?.commands),
  ];
}

const GROWTH = ['backlog', 'queues', 'in flight', 'delayed'];
const WITHIN = 0.75;

/** Held against the slowest size, which need not be the last. */
export function growthDemands(lines: GrowthLine[]): Demand[] {
  return lines.flatMap(({ dimension, points }) => {
    const [first, last] = [points[0], points.at(-1)];
    if (!first || !last) return [];
    const slowest = points.reduce((least, point) => (point.rate.median < least.rate.median ? point : least));
    const ratio = ({ rate }: typeof first) => rate.median / first.rate.median;
    return [
      {
        what: `drain rate, ${dimension} ${short(first.size)} to ${short(last.size)}`,
        asked: 'within 25 %',
        measured: `${ratio(last).toFixed(2)} times; least ${ratio(slowest).toFixed(2)}, at ${short(slowest.size)}`,
        holds: ratio(slowest) >= WITHIN,
      },
    ];
  });
}

function backlogOf(backlog: Results['backlog']): Demand[] {
  if (!backlog) return [];
  const holds = backlog.within;
  return [
    { what: 'each API call, long backlog : short', asked: '≤ 3 times', measured: holds ? 'all' : 'not all', holds },
  ];
}
