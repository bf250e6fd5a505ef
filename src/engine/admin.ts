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
import { Invocation } from '../runtime/invocation.ts';
import { openAdminStore } from '../store/admin.ts';
import { OWN_REQUESTS } from './capacity.ts';

/** An audit answers after so long at the latest, with a cursor where there is more: whoever asked for it still waits. */
const AUDIT_MS = 12_000;

/** What becomes ready by it wakes a drain behind the answer. */
export function openAdminOn(engine: Engine): Admin {
  const mostSteps = engine.config.SLUICE_DRAIN_REQUESTS - OWN_REQUESTS - (engine.caller?.invocation.requests ?? 0);
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

/** As much of the audit as one invocation may do. @throws StorageError */
export async function auditOn(engine: Engine, request: AuditRequest): Promise<AuditReport> {
  const { capacity, shards, openStore, claims } = engine.parts;
  const budget = capacity.budget(planLife(AUDIT_MS, []), engine.caller?.invocation ?? new Invocation(), {
    reserved: INSPECTING, // it looks into all queues, too
  });
  const report = await auditWithin(budget, openStore(shards.ofBudget(budget).all[0]), openInspectorOn(engine), request);
  if (request.repair && report.findings.length > 0) claims.noteWork(); // what was mended may be ready
  return report;
}

function openStoreOn({ shard, parts }: Engine) {
  return openAdminStore(shard, parts.claims.noteWork);
}
