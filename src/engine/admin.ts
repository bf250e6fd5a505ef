/**
 * What operators ask of an engine, as one caller has it. The engine has none of it: routes open what they need, once for a request, so
 * that a deployment without those routes has neither their code nor their scripts.
 */
import { type Admin, openAdmin } from '../broker/admin.ts';
import { type AuditReport, type AuditRequest, auditWithin } from '../broker/audit.ts';
import { MOST_REQUESTS as INSPECTING, type Inspector, openInspector } from '../broker/inspector.ts';
import { planLife } from '../drain/life.ts';
import type { Engine } from '../engine.ts';
import { PUSH_POOL } from '../message/lane.ts';
import type { Shard } from '../redis/shard.ts';
import { Invocation } from '../runtime/invocation.ts';
import { openFleetAdminStore } from '../shards/admin-store.ts';
import { auditFleet } from '../shards/audit.ts';
import type { MovingOptions } from '../shards/evacuate.ts';
import { findPlace, makeCursor } from '../shards/pages.ts';
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
  const { capacity, shards, openStore, claims, queues, features } = engine.parts;
  const budget = capacity.budget(planLife(AUDIT_MS, []), engine.caller?.invocation ?? new Invocation(), {
    reserved: INSPECTING, // it looks into all queues, too
  });
  const fleet = shards.ofBudget(budget);
  const inspector = openInspectorOn(engine);
  const report = fleet.topology.isMany
    ? await auditEach(
        { fleet, queues, isClosing: budget.isClosing },
        request,
        features.shards?.findIdlePins,
        (shard, one) => {
          // Of queues that only storage knows the last tells for all.
          const isLast = shard === fleet.all.at(-1);
          return auditWithin(budget, openStore(shard), isLast ? inspector : undefined, one);
        },
      )
    : await auditWithin(budget, openStore(fleet.all[0]), inspector, request);
  for (const name of fleet.away) engine.fleet.away.add(name);
  if (request.repair && report.findings.length > 0) claims.noteWork(); // what was mended may be ready
  return report;
}

/** The cursor says in which shard it stands. What does not answer is passed over, and told. @throws StorageError where none answers */
async function auditEach(
  options: MovingOptions,
  request: AuditRequest,
  findIdlePins: Parameters<typeof auditFleet>[2],
  audit: (shard: Shard, request: AuditRequest) => Promise<AuditReport>,
): Promise<AuditReport> {
  const { fleet, isClosing } = options;
  await fleet.ready();
  const findings: Finding[] = request.cursor === '' ? await auditFleet(options, Date.now(), findIdlePins) : [];
  const incomplete = new Set<AuditGap>();
  const told = (shard?: Shard, cursor = '') => ({
    findings: [...findings, ...[...fleet.away].map((name) => ({ finding: 'shard-away', name }))],
    ...(shard && { cursor: makeCursor(shard, cursor) }),
    ...(incomplete.size > 0 ? { incomplete: [...incomplete] } : {}),
  });
  const { place, inner } = findPlace(fleet, request.cursor, '');
  for (const [index, shard] of fleet.all.entries()) {
    if (index < place) continue;
    const { name } = shard.identity;
    if (index > place && isClosing()) return told(shard); // each call gets on, however little it may do
    const report = await audit(shard, { ...request, cursor: index === place ? inner : '' }).catch((error: unknown) =>
      fleet.noteAway(shard, error),
    );
    if (!report) continue;
    const ofAll = ({ finding }: Finding) => finding === 'unknown-queue';
    findings.push(...report.findings.map((finding) => (ofAll(finding) ? finding : { ...finding, shard: name })));
    for (const gap of report.incomplete ?? []) incomplete.add(gap);
    if (report.cursor !== undefined) return told(shard, report.cursor);
  }
  return told();
}

function openStoreOn({ fleet, parts }: Engine) {
  return openFleetAdminStore(fleet, parts.claims.noteWork);
}
