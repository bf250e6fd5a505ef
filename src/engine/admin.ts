/**
 * What operators ask of an engine, as one caller has it. The engine has none of it: routes open what they need, once for a request, so
 * that a deployment without those routes has neither their code nor their scripts.
 */
import { type Admin, openAdmin } from '../broker/admin.ts';
import { type AuditReport, type AuditRequest, auditWithin } from '../broker/audit.ts';
import { MOST_REQUESTS as INSPECTING, type Inspector, openInspector } from '../broker/inspector.ts';
import type { Budget } from '../drain/budget.ts';
import { planLife } from '../drain/life.ts';
import type { Engine } from '../engine.ts';
import { PUSH_POOL } from '../message/lane.ts';
import type { Shard } from '../redis/shard.ts';
import { Invocation } from '../runtime/invocation.ts';
import { openFleetAdminStore } from '../shards/admin-store.ts';
import { auditMaps } from '../shards/audit.ts';
import type { Fleet } from '../shards/fleet.ts';
import { makeCursor, parseCursor } from '../shards/pages.ts';
import type { AuditGap, Finding } from '../store/audit.ts';
import { countOwnRequests } from './capacity.ts';

/** An audit answers after so long at the latest, with a cursor where there is more: whoever asked for it still waits. */
const AUDIT_MS = 12_000;

/** What becomes ready by it wakes a drain behind the answer. */
export function openAdminOn(engine: Engine): Admin {
  const mostSteps =
    engine.config.SLUICE_DRAIN_REQUESTS - countOwnRequests(engine.config) - (engine.caller?.invocation.requests ?? 0);
  const admin = openAdmin(openStoreOn(engine), mostSteps);
  return {
    ...admin,
    async override(queue, overrides) {
      await admin.override(queue, overrides);
      engine.attend(!overrides.paused && queue.pool === PUSH_POOL); // what waited for it may go
    },
    async redrive(...which) {
      const messages = await admin.redrive(...which);
      engine.attend(messages.some(({ status }) => status === 'redriven'));
      return messages;
    },
  };
}

export function openInspectorOn(engine: Engine): Inspector {
  return openInspector(openStoreOn(engine), engine.queues);
}

/** As much of the audit as one invocation may do, of one shard after the other. @throws StorageError */
export async function auditOn(engine: Engine, request: AuditRequest): Promise<AuditReport> {
  const { capacity, shards, openStore, claims } = engine.parts;
  const budget = capacity.budget(planLife(AUDIT_MS, []), engine.caller?.invocation ?? new Invocation(), {
    reserved: INSPECTING, // it looks into all queues, too
  });
  const fleet = shards.ofBudget(budget);
  const inspector = openInspectorOn(engine);
  const report = fleet.topology.isMany
    ? await auditEach(fleet, request, budget, (shard, one) => auditWithin(budget, openStore(shard), inspector, one))
    : await auditWithin(budget, openStore(fleet.all[0]), inspector, request);
  if (request.repair && report.findings.length > 0) claims.noteWork(); // what was mended may be ready
  return report;
}

/** The cursor says in which shard it stands. */
async function auditEach(
  fleet: Fleet,
  request: AuditRequest,
  budget: Budget,
  audit: (shard: Shard, request: AuditRequest) => Promise<AuditReport>,
): Promise<AuditReport> {
  const findings: Finding[] = request.cursor === '' ? await auditMaps(fleet) : await fleet.ready().then(() => []);
  const incomplete = new Set<AuditGap>();
  const { name: from, inner } = parseCursor(request.cursor, '');
  let isBegun = from === undefined;
  for (const shard of fleet.all) {
    const { name } = shard.identity;
    const isFirst = name === from;
    isBegun ||= isFirst;
    if (!isBegun) continue;
    if (budget.isClosing()) return { ...told(findings, incomplete), cursor: makeCursor(shard, '') };
    const report = await audit(shard, { ...request, cursor: isFirst ? inner : '' });
    // Of queues that only storage knows each audit tells for all shards.
    const own = report.findings.filter(({ finding }) => finding !== 'unknown-queue' || shard === fleet.all[0]);
    findings.push(
      ...own.map((finding) => (finding.finding === 'unknown-queue' ? finding : { ...finding, shard: name })),
    );
    for (const gap of report.incomplete ?? []) incomplete.add(gap);
    if (report.cursor !== undefined) return { ...told(findings, incomplete), cursor: makeCursor(shard, report.cursor) };
  }
  return told(findings, incomplete);
}

const told = (findings: Finding[], incomplete: ReadonlySet<AuditGap>) => ({
  findings,
  ...(incomplete.size > 0 ? { incomplete: [...incomplete] } : {}),
});

function openStoreOn({ fleet, parts }: Engine) {
  return openFleetAdminStore(fleet, parts.claims.noteWork);
}
