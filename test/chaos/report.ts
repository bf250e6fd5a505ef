/** The report of a torture run: its figures, the verdict in words, and the object for machines. Pure. */
import type { Finding } from '../../src/store/audit.ts';
import { FAULTS, type FaultName, type Verdict } from './checker.ts';
import type { FrontFigures } from './front.ts';
import type { Event } from './history.ts';
import type { HandedOff } from './lease-book.ts';
import type { QuotaFigures, QuotaName } from './quotas.ts';
import type { Leftover } from './recount.ts';

export interface Run {
  seed: number;
  verdict: Verdict;
  /** By kind. */
  faultsInjected: Record<string, number>;
  auditFindings: Finding[];
  /** What sweeps found on the way that should never be. */
  sweepFindings: Finding[];
  leftovers: Leftover[];
  quotas: Record<QuotaName, QuotaFigures>;
  /** How often work did not go on when a quota was lifted. */
  stalled: number;
  seconds: number;
  /** From the first enqueue until everything was delivered. */
  messagesPerSecond: number;
  redis: string;
  /** Durable Objects drained, to which nothing is handed off. */
  drainer: boolean;
  handedOff: HandedOff;
  /** Leases in which drains had messages while they had others in another one. */
  furtherLeases: number;
  /** That drains have started, of these those that died with their Worker, and what their own address let through. */
  furtherDrains: { started: number; died: number } & FrontFigures;
}

/** A run of so many messages must have met all that it is for. */
const LARGE = 20_000;
/** Of so many further drains, each second of which is struck, one at least dies. */
const MANY = 10;
/** Of all messages. */
const LEAST_HANDED_OFF = 0.01;

export type TortureFigures = ReturnType<typeof figuresOf>;

export function figuresOf({ seed, verdict, faultsInjected, ...run }: Run) {
  const { faults, redelivered, deliveries, isSound, ...counts } = verdict;
  const counted = Object.fromEntries(Object.entries(faults).map(([name, ids]) => [name, ids.length]));
  const missing = missingIn(verdict, run);
  return {
    ...counts,
    ...(counted as Record<FaultName, number>),
    /** Deliveries that nobody asked for, each explained by a lapse or by a drain that had to end. */
    duplicatedByFault: redelivered.lapse + redelivered['cut off'],
    redelivered,
    deliveries,
    faultsInjected: Object.values(faultsInjected).reduce((sum, count) => sum + count, 0),
    faultKinds: faultsInjected,
    seed,
    ...run,
    leftovers: run.leftovers.length,
    auditFindings: run.auditFindings.length,
    sweepFindings: run.sweepFindings.length,
    missing,
    passed:
      isSound &&
      missing.length === 0 &&
      run.leftovers.length === 0 &&
      run.auditFindings.length === 0 &&
      run.sweepFindings.length === 0 &&
      run.stalled === 0,
  };
}

/** @returns what did not happen, or not often enough, in a large run */
function missingIn({ enqueued, kills }: Verdict, run: Omit<Run, 'seed' | 'verdict' | 'faultsInjected'>): string[] {
  if (enqueued < LARGE) return [];
  const { handedOff, furtherLeases, furtherDrains } = run;
  const least: [string, number, number][] = [
    ['further leases', furtherLeases, 1],
    ['further drains', furtherDrains.started, 1],
  ];
  if (kills > 0 && furtherDrains.started >= MANY) least.push(['further drains that died', furtherDrains.died, 1]);
  if (!run.drainer) {
    least.push(['messages handed off', handedOff.messages, LEAST_HANDED_OFF * enqueued]);
    least.push(['messages handled by the drain that they were handed to', handedOff.handled, 1]);
    if (kills > 0) least.push(['handed-off leases whose drain died before a sync', handedOff.neverSynced, 1]);
  }
  return least.filter(([, count, bar]) => count < bar).map(([what, count]) => `${what}: ${count}`);
}

export function tableOf(figures: TortureFigures): string {
  const { redelivered, faultKinds, quotas } = figures;
  const rows: [string, string | number][] = [
    ['enqueued', figures.enqueued],
    ['acknowledged', figures.acknowledged],
    ['delivered', figures.delivered],
    ...rowsOf('handed off', figures.handedOff),
    ['further leases', figures.furtherLeases],
    ...rowsOf('further drains', figures.furtherDrains),
    ['recovered', figures.recovered],
    ['dead letters', figures.dead],
    ['cancelled', figures.cancelled],
    ...Object.entries(redelivered).map(([cause, count]): [string, number] => [`redelivered: ${cause}`, count]),
    ...Object.entries(faultKinds).map(([kind, count]): [string, number] => [`fault: ${kind}`, count]),
    ...Object.entries(quotas).flatMap(([name, { filled, met, longestMs }]): [string, number][] => [
      [`quota: ${name}, filled`, filled],
      [`quota: ${name}, refused or held back`, met],
      [`quota: ${name}, longest until work went on, ms`, longestMs],
    ]),
    ['kills of the Worker', figures.kills],
    ['messages per second', figures.messagesPerSecond],
    ...Object.keys(FAULTS).map((name): [string, number] => [name, figures[name as FaultName]]),
    ['audit findings', figures.auditFindings],
    ['findings of sweeps', figures.sweepFindings],
    ['leftovers', figures.leftovers],
    ['stalled after a quota', figures.stalled],
  ];
  const width = (column: 0 | 1) => Math.max(...rows.map((row) => String(row[column]).length));
  const widths = [width(0), width(1)] as const;
  return rows.map(([name, value]) => `${name.padEnd(widths[0])}  ${String(value).padStart(widths[1])}`).join('\n');
}

const rowsOf = (name: string, counts: object) =>
  Object.entries(counts).map(([what, count]): [string, number] => [`${name}: ${what}`, count]);

const EXAMPLES = 3;

/** @returns a sentence, and for each kind of fault some examples with everything that happened to them */
export function verdictOf(
  figures: Pick<TortureFigures, 'passed' | 'seed' | 'seconds' | 'redis' | 'missing'>,
  run: Pick<Run, 'verdict' | 'auditFindings' | 'sweepFindings' | 'leftovers'>,
  events: readonly Event[],
): string {
  const { passed, seed, seconds, redis, missing } = figures;
  const head = `${passed ? 'passed' : 'FAILED'}: seed ${seed}, ${seconds} s on ${redis}`;
  const lines = Object.entries(run.verdict.faults).flatMap(([name, ids]) => {
    if (ids.length === 0) return [];
    const examples = [...new Set(ids)].slice(0, EXAMPLES).flatMap((id) => traceOf(id, events));
    return [`${name}: ${ids.length} ${FAULTS[name as FaultName]}`, ...examples];
  });
  const told = (by: string, findings: Finding[]) =>
    findings.slice(0, EXAMPLES).map(({ finding, name }) => `${by}: ${finding} ${name}`);
  return [
    head,
    ...missing.map((what) => `did not happen, or not often enough: ${what}`),
    ...lines,
    ...told('audit', run.auditFindings),
    ...told('sweep', run.sweepFindings),
    ...run.leftovers
      .slice(0, EXAMPLES)
      .flatMap(({ what, id }) => [`left over: ${what}`, ...(id ? traceOf(id, events) : [])]),
  ].join('\n');
}

/** Every event that names this message, a line each. */
function traceOf(id: string, events: readonly Event[]): string[] {
  const concerns = (entry: string) => entry.endsWith(`.${id}`);
  return events.flatMap((event): string[] => {
    const line = (...words: (string | number | boolean)[]) => [`  ${event.seq} ${event.what} ${words.join(' ')}`];
    switch (event.what) {
      case 'stored': {
        const message = event.messages.find((stored) => stored.id === id);
        return message ? line(event.at, id, message.key, message.lane, `delay ${message.delayMs}`) : [];
      }
      case 'ok':
        return event.ids.includes(id) ? line(`request ${event.request}`) : [];
      case 'delivered':
        return event.id === id ? line(event.at, `${event.attempt}.${id}`, event.key, event.lease ?? '') : [];
      case 'settled': {
        const settled = event.settlements.find(({ entry }) => concerns(entry));
        return settled ? line(event.at, settled.entry, event.lease, settled.outcome, settled.status) : [];
      }
      case 'lapse': {
        const entry = event.entries.find(concerns);
        return entry ? line(event.at, entry, event.lease, `extended ${event.extendedAt} for ${event.leaseMs}`) : [];
      }
      case 'leased': {
        const entry = event.entries.find(concerns);
        return entry ? line(event.at, entry, event.lease, `for ${event.leaseMs}`) : [];
      }
      case 'outcome':
        return event.id === id ? line(event.outcome) : [];
      default:
        return [];
    }
  });
}
