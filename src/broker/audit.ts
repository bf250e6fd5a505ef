/** Auditing: all keys against the invariants, page by page, within what one invocation may use; a cursor goes on with the rest. */
import { type AuditGap, audit, type Finding } from '../store/audit.ts';
import type { Store } from '../store/store.ts';
import { countHeld, type Inspector } from './inspector.ts';

export interface AuditRequest {
  repair: boolean;
  /** Looks for the entry of each message too. */
  deep: boolean;
  /** As an audit of the same depth answered it; '' begins. */
  cursor: string;
}

/** What one invocation may use. */
interface Budget {
  /** Nothing more may begin. */
  isClosing(): boolean;
}

export interface AuditReport {
  findings: Finding[];
  /** There is more to look at. */
  cursor?: string;
  /** What could not be judged, because too much is at work. */
  incomplete?: AuditGap[];
}

/**
 * Leases without timers first: a deep page would take what they hold for lost. So a deep audit is a whole one that is not, and
 * then another, and the cursor says which of them it stands in.
 */
const PASSES = ['shallow', 'deep'];

/** @param inspector left out where another tells of queues that only storage knows @throws StorageError */
export async function auditWithin(
  budget: Budget,
  store: Store,
  inspector: Inspector | undefined,
  { repair, deep, cursor }: AuditRequest,
): Promise<AuditReport> {
  const [, from = 'shallow', at = '0'] = /^(\w+) (.*)$/s.exec(cursor) ?? [];
  const findings: Finding[] = [];
  const incomplete = new Set<AuditGap>();
  const told = () => ({ findings, ...(incomplete.size > 0 ? { incomplete: [...incomplete] } : {}) });
  let next = at;
  for (const pass of PASSES.slice(PASSES.indexOf(from), deep ? 2 : 1)) {
    do {
      const page = await audit(store, next, repair, pass === 'deep');
      findings.push(...page.findings);
      for (const what of page.incomplete) incomplete.add(what);
      next = page.cursor;
      if (next !== '0' && budget.isClosing()) return { ...told(), cursor: `${pass} ${next}` };
    } while (next !== '0');
    if (pass === 'shallow' && inspector) findings.push(...(await unknownQueues(inspector))); // behind it all that was met is known
    if (pass === 'shallow' && deep && budget.isClosing()) return { ...told(), cursor: 'deep 0' };
  }
  return told();
}

/** Queues that left the code but hold messages: only operators can do something about those. */
async function unknownQueues(inspector: Inspector): Promise<Finding[]> {
  const unknown = await inspector.unknown();
  return unknown.map((report) => ({ finding: 'unknown-queue', name: report.queue, messages: countHeld(report) }));
}
