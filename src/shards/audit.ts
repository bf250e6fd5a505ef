/** Auditing across shards: what no look at one of them can find. */
import type { Finding } from '../store/audit.ts';
import { readMap } from '../store/map.ts';
import type { Fleet } from './fleet.ts';
import { readHeldParcels } from './held-parcels.ts';
import { parseMap } from './map.ts';

/** A parcel that has waited for so long, though it is tried each 30 s, does not get through by itself. */
const STUCK_MS = 300_000;

/**
 * Maps that are not the same on all shards, and labels that two shards have; parcels that do not get through, and those that were given
 * up. A tick gives a shard the newest map.
 * @param now epoch ms
 * @throws StorageError where no shard answers
 */
export async function auditFleet(fleet: Fleet, now: number): Promise<Finding[]> {
  await fleet.ready();
  const read = await fleet.askAll((shard) => Promise.all([readMap(shard), readHeldParcels(shard)]));
  const { map } = fleet.topology;
  const findings: Finding[] = [];
  for (const { shard, answer } of read) {
    const { name } = shard.identity;
    const [text, { count, oldestAt = now, undelivered }] = answer;
    if (text === undefined || parseMap(text).epoch !== map.epoch) findings.push({ finding: 'epoch-differs', name });
    if (now - oldestAt > STUCK_MS) findings.push({ finding: 'parcel-stuck', name, messages: count });
    if (undelivered > 0) findings.push({ finding: 'undelivered', name, messages: undelivered });
  }
  const labels = map.shards.map(({ label }) => label);
  const reused = map.shards.filter(({ label }, index) => labels.indexOf(label) !== index);
  return [...findings, ...reused.map(({ name }) => ({ finding: 'label-reused', name }))];
}
