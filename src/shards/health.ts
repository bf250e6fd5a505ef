/** The health of several shards: of each, and of all of them together. One that is away does not make the others useless. */
import { StorageError } from '../errors.ts';
import { type Health, healthCheck } from '../redis/health.ts';
import type { Fleet } from './fleet.ts';

export interface FleetHealth {
  /** `degraded`: a shard does not answer, and what it owns stands still. */
  status: Health['status'] | 'degraded';
  warnings: string[];
  /** Left out where there is one. */
  shards?: ShardHealth[];
}

interface ShardHealth {
  shard: string;
  status: Health['status'] | 'down';
}

/** @returns a check that throws StorageError only where no shard answers */
export function fleetHealthCheck(fleet: Fleet, options: { monthlyCommands: number }): () => Promise<FleetHealth> {
  const checks = fleet.all.map((shard) => ({ name: shard.identity.name, check: healthCheck(shard, options) }));
  const [only] = checks;
  if (only && checks.length === 1) return only.check;
  return async () => {
    const asked = await Promise.allSettled(checks.map(({ check }) => check()));
    const failed = asked.filter((result) => result.status === 'rejected');
    if (failed[0] && failed.length === asked.length) throw failed[0].reason;
    const shards: ShardHealth[] = [];
    const warnings: string[] = [];
    for (const [index, result] of asked.entries()) {
      const shard = checks[index]?.name ?? '';
      const told =
        result.status === 'fulfilled' ? result.value : { status: 'down' as const, warnings: [say(result.reason)] };
      shards.push({ shard, status: told.status });
      warnings.push(...told.warnings.map((warning) => `shard ${shard}: ${warning}`));
    }
    const isUnsafe = shards.some(({ status }) => status === 'unsafe');
    return { status: failed.length > 0 ? 'degraded' : isUnsafe ? 'unsafe' : 'ok', warnings, shards };
  };
}

function say(error: unknown): string {
  if (!(error instanceof StorageError)) throw error;
  return `it does not answer (${error.reason}): what it owns stands still.`;
}
