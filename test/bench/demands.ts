/** What must hold, as ratios within one run on one machine: asked, measured, and whether it does. Pure. */
import type { PeerFigures, Results } from './figures.ts';
import { short } from './plot.ts';

export interface Demand {
  what: string;
  asked: string;
  measured: string;
  /** undefined: this run did not measure it, or it was not asked and helps to judge what was. */
  holds: boolean | undefined;
}

export function demandsOf({ peers, growth, backlog }: Results): Demand[] {
  const figures = peers?.figures ?? [];
  return [...(peers ? [...speedsOf(figures), ...costsOf(figures)] : []), ...growthOf(growth), ...backlogOf(backlog)];
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
  const wake = called(figures, 'Sluice, Worker')[0]?.wake;
  return [
    times('library drain : BullMQ at its best', 5, library, best(figures, 'BullMQ')),
    times('library drain : textbook reliable', 20, library, best(figures, 'textbook reliable, one')),
    beside('library drain : textbook reliable, 10 consumers', library, best(figures, 'textbook reliable, 10')),
    times('bulk enqueue : BullMQ addBulk', 5, bulk('Sluice, library'), bulk('BullMQ')),
    beside('bare LPUSH of the bodies over HTTP : BullMQ addBulk', bulk('textbook reliable'), bulk('BullMQ')),
    times('Worker drain : Cloudflare Queues in Miniflare', 3, worker, best(figures, 'Cloudflare')),
    most('wake of the Worker, p50, ms', 10, wake?.p50),
    most('wake of the Worker, p99, ms', 30, wake?.p99),
  ];
}

function costsOf(figures: PeerFigures[]): Demand[] {
  const cost = called(figures, 'Sluice, library')[0]?.cost;
  const peer = called(figures, 'BullMQ').find((bullmq) => bullmq.cost.lone)?.cost;
  const besidePeer = (demand: Demand, value: number | undefined): Demand =>
    value === undefined ? demand : { ...demand, measured: `${demand.measured} (BullMQ ${value.toFixed(1)})` };
  return [
    besidePeer(most('commands of a lone message', 26, cost?.lone?.commands), peer?.lone?.commands),
    besidePeer(most('commands per message, saturated', 0.3, cost?.saturated?.commands), peer?.saturated?.commands),
  ];
}

const GROWTH = ['backlog', 'queues', 'in flight'];
const WITHIN = 0.75;

/** Held against the slowest size, which need not be the last. */
function growthOf(growth: Results['growth']): Demand[] {
  return (growth?.lines ?? []).flatMap(({ dimension, points }) => {
    const [first, last] = [points[0], points.at(-1)];
    if (!GROWTH.includes(dimension) || !first || !last) return [];
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

function times(what: string, asked: number, ours: number | undefined, theirs: number | undefined): Demand {
  const ratio = ours && theirs && Number.isFinite(ours / theirs) ? ours / theirs : undefined;
  const measured = ratio === undefined ? 'not measured' : `${ratio.toFixed(1)} times`;
  return { what, asked: `≥ ${asked} times`, measured, holds: ratio === undefined ? undefined : ratio >= asked };
}

/** Was not asked: another view of the ratio above it. */
function beside(what: string, ours: number | undefined, theirs: number | undefined): Demand {
  return { ...times(what, 0, ours, theirs), asked: '–', holds: undefined };
}

function most(what: string, asked: number, value: number | undefined): Demand {
  const measured = value === undefined ? 'not measured' : value.toFixed(value < 1 ? 2 : 1);
  // To the digits that are shown: the first call of a run has to load its script.
  const holds = value === undefined ? undefined : Number(measured) <= asked;
  return { what, asked: `≤ ${asked}`, measured, holds };
}
