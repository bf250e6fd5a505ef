/** Auditing across shards: what no look at one of them can find. */
import type { Finding } from '../store/audit.ts';
import { readMap } from '../store/map.ts';
import type { Fleet } from './fleet.ts';
import { parseMap } from './map.ts';

/** Maps that are not the same on all shards, and labels that two shards have. A tick gives a shard the newest map. @throws StorageError */
export async function auditMaps(fleet: Fleet): Promise<Finding[]> {
  await fleet.ready();
  const { map } = fleet.topology;
  const read = await fleet.askAll(readMap);
  const older = read.filter(({ answer }) => answer === undefined || parseMap(answer).epoch !== map.epoch);
  const labels = map.shards.map(({ label }) => label);
  const reused = map.shards.filter(({ label }, index) => labels.indexOf(label) !== index);
  return [
    ...older.map(({ shard }) => ({ finding: 'epoch-differs', name: shard.identity.name })),
    ...reused.map(({ name }) => ({ finding: 'label-reused', name })),
    ...[...fleet.away].map((name) => ({ finding: 'shard-away', name })),
  ];
}
