/** The report of a torture run: its figures, the verdict in words, and the object for machines. Pure. */
import type { Finding } from '../../src/store/audit.ts';
import { FAULTS, type FaultName, type Verdict } from './checker.ts';
import type { Event } from './history.ts';
import type { QuotaFigures, QuotaName } from './quotas.ts';

export interface Run {
  seed: number;
  verdict: Verdict;
  /** By kind. */
  faultsInjected: Record<string, number>;
  auditFindings: Finding[];
  leftovers: string[];
  quotas: Record<QuotaName, QuotaFigures>;
  /** How often work did not go on when a quota was lifted. */
  stalled: number;
  seconds: number;
  /** From the first enqueue until everything was delivered. */
  messagesPerSecond: number;
  redis: string;
  /** Messages that went straight into the lease of the drain that their enqueue woke. */
  handedOff: number;
}

export type TortureFigures = ReturnType<typeof figuresOf>;

export function figuresOf({ seed, verdict, faultsInjected, ...run }: Run) {
  const { faults, redelivered, deliveries, isSound, ...counts } = verdict;
  const counted = Object.fromEntries(Object.entries(faults).map(([name, ids]) => [name, ids.length]));
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
    passed: isSound && run.leftovers.length === 0 && run.auditFindings.length === 0 && run.stalled === 0,
  };
}

export function tableOf(figures: TortureFigures): string {
  const { redelivered, faultKinds, quotas } = figures;
  const rows: [string, string | number][] = [
    ['enqueued', figures.enqueued],
    ['acknowledged', figures.acknowledged],
    ['delivered', figures.delivered],
    ['handed off', figures.handedOff],
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
    ['leftovers', figures.leftovers],
    ['stalled after a quota', figures.stalled],
  ];
  const width = (column: 0 | 1) => Math.max(...rows.map((row) => String(row[column]).length));
  const widths = [width(0), width(1)] as const;
  return rows.map(([name, value]) => `${name.padEnd(widths[0])}  ${String(value).padStart(widths[1])}`).join('\n');
}

const EXAMPLES = 3;

/** @returns a sentence, and for each kind of fault some examples with everything that happened to them */
export function verdictOf(figures: TortureFigures, run: Run, events: readonly Event[]): string {
  const { passed, seed, seconds, redis } = figures;
  const head = `${passed ? 'passed' : 'FAILED'}: seed ${seed}, ${seconds} s on ${redis}`;
  const lines = Object.entries(run.verdict.faults).flatMap(([name, ids]) => {
    if (ids.length === 0) return [];
    const examples = [...new Set(ids)].slice(0, EXAMPLES).flatMap((id) => traceOf(id, events));
    return [`${name}: ${ids.length} ${FAULTS[name as FaultName]}`, ...examples];
  });
  const found = run.auditFindings.slice(0, EXAMPLES).map(({ finding, name }) => `audit: ${finding} ${name}`);
  return [head, ...lines, ...found, ...run.leftovers.slice(0, EXAMPLES).map((what) => `left over: ${what}`)].join('\n');
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
