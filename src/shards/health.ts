/** The health of several shards: of each, and of all of them together. One that is away does not make the others useless. */
import { StorageError } from '../errors.ts';
import { type Health, healthCheck } from '../redis/health.ts';
import type { Shard } from '../redis/shard.ts';
import type { Fleet } from './fleet.ts';
import type { ShardState } from './map.ts';

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
  /** What the map has it for; left out where no shard tells. */
  state?: ShardState;
}

type Check = () => Promise<Health>;

/** @returns a check that throws StorageError only where no shard answers */
export function fleetHealthCheck(fleet: Fleet, options: { monthlyCommands: number }): () => Promise<FleetHealth> {
  if (!fleet.topology.isMany) return healthCheck(fleet.all[0], options);
  const checks = new Map<Shard, Check>();
  const checkOf = (shard: Shard): Check => {
    const check = checks.get(shard) ?? healthCheck(shard, options);
    checks.set(shard, check);
    return check;
  };
  return async () => {
    const isMapped = await fleet.ready().then(
      () => true,
      () => false, // who does not answer is told below
    );
    const asked = await Promise.allSettled(fleet.all.map((shard) => checkOf(shard)()));
    const failed = asked.filter((result) => result.status === 'rejected');
    if (failed[0] && failed.length === asked.length) throw failed[0].reason;
    const shards: ShardHealth[] = [];
    const warnings: string[] = [];
    for (const [index, result] of asked.entries()) {
      const { name } = (fleet.all[index] as Shard).identity;
      const told =
        result.status === 'fulfilled' ? result.value : { status: 'down' as const, warnings: [say(result.reason)] };
      shards.push({ shard: name, status: told.status, ...(isMapped && { state: fleet.topology.stateOf(name) }) });
      warnings.push(...told.warnings.map((warning) => `shard ${name}: ${warning}`));
    }
    const isUnsafe = shards.some(({ status }) => status === 'unsafe');
    return { status: failed.length > 0 ? 'degraded' : isUnsafe ? 'unsafe' : 'ok', warnings, shards };
  };
}

function say(error: unknown): string {
  if (!(error instanceof StorageError)) throw error;
  return `it does not answer (${error.reason}): what it owns stands still.`;
}
