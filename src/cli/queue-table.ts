/** Queues for people: a table of them, or one in detail. Pure. */
import { countReady, type QueueReport } from '../client/admin.ts';
import { type Cell, listOf, type Paint, type Screen, tableOf } from './table.ts';
import { ageOf, instantOf, lengthOf } from './time.ts';

const HEADINGS = ['queue', 'kind', 'ready', 'delayed', 'leased', 'dead', 'oldest', 'state'];

export function queueTable(queues: QueueReport[], now: number, screen: Screen): string {
  const rows = queues.map((report) => [
    report.queue,
    report.kind,
    counted(report, countReady(report)),
    counted(report, report.delayed),
    counted(report, report.leased),
    dead(report),
    oldest(report, now),
    stateOf(report),
  ]);
  return tableOf(HEADINGS, rows, screen);
}

export function queueDetail(report: QueueReport, now: number, paint: Paint): string {
  const { queue, kind, priority, attempts, timeoutMs, ready, oldestReadyAt } = report;
  const byPriority = Object.entries(ready).filter(([, count]) => count > 0);
  const entries: [string, Cell][] = [
    ['queue', queue],
    ['kind', kind],
    ['state', stateOf(report)],
    ['priority', priority],
    ['attempts', attempts],
    ['timeout', timeoutMs && lengthOf(timeoutMs)],
    ...limitsOf(report),
    ['ready', counted(report, countReady(report))],
    ...byPriority.map(([of, count]): [string, Cell] => [`  priority ${of}`, count]),
    ['oldest ready', oldest(report, now)],
    ['since', instantOf(oldestReadyAt)],
    ['delayed', counted(report, report.delayed)],
    ['leased', counted(report, report.leased)],
    ['dead', dead(report)],
  ];
  return listOf(entries, paint);
}

function limitsOf({ limits: { concurrency, rate } = {}, overrides = {} }: QueueReport): [string, Cell][] {
  const by = (override: unknown) => (override === undefined ? '' : ', set by an operator');
  return [
    ['concurrency', concurrency && `${concurrency}${by(overrides.concurrency)}`],
    ['rate', rate && `${rate.limit} per ${lengthOf(rate.perMs)}${by(overrides.rate)}`],
  ];
}

/** Where the server stopped counting there are at least so many. */
function counted({ complete }: QueueReport, count: number): string {
  return complete ? String(count) : `${count}+`;
}

/** Where it did not look at all of them the oldest is at least so old. */
function oldest({ oldestReadyAt, oldestComplete = true }: QueueReport, now: number): Cell {
  const age = ageOf(oldestReadyAt, now);
  return age && (oldestComplete ? age : `${age}+`);
}

function dead({ dead: count }: QueueReport): Cell {
  return count > 0 ? { text: String(count), style: 'red' } : count;
}

function stateOf({ paused, kind }: QueueReport): Cell {
  if (kind === 'unknown') return { text: paused ? 'not in the code, paused' : 'not in the code', style: 'red' };
  return paused ? { text: 'paused', style: 'yellow' } : 'open';
}
