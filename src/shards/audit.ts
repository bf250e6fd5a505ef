/** Auditing across shards: what no look at one of them can find. */
import { openAdminStore } from '../store/admin.ts';
import { type Counts, countLive } from '../store/admin-queues.ts';
import type { Finding } from '../store/audit.ts';
import { readMap } from '../store/map.ts';
import type { MovingOptions } from './evacuate.ts';
import type { Fleet } from './fleet.ts';
import { readHeldParcels } from './held-parcels.ts';
import { findLimited } from './limited.ts';
import { type Pin, parseMap } from './map.ts';
import { isBound } from './places.ts';
import type { PartitionedQueues } from './placing.ts';

/** What has waited for so long, though it is tried each 30 s or each minute, does not go by itself. */
const STUCK_MS = 300_000;

/**
 * Maps that are not the same on all shards, and labels that two shards have; parcels that do not get through, and those that were given
 * up; queues whose order or limits are not those of one shard, and pins that nothing holds. A tick gives a shard the newest map, and lifts
 * such pins.
 * @param now epoch ms
 * @param findIdlePins left out where no tick lifts pins
 * @throws StorageError where no shard answers
 */
export async function auditFleet(
  options: MovingOptions,
  now: number,
  findIdlePins?: (options: MovingOptions) => Promise<Pin[]>,
): Promise<Finding[]> {
  const { fleet } = options;
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
  findings.push(...reused.map(({ name }) => ({ finding: 'label-reused', name })));
  findings.push(...(await findMisplaced(fleet, options.queues)));
  if (findIdlePins && now - map.changedAt > STUCK_MS && fleet.away.size === 0) {
    const idle = await findIdlePins(options);
    findings.push(
      ...idle.map(({ place, shard }) => ({ finding: 'pin-without-messages', name: place.slice(2), shard })),
    );
  }
  return findings;
}

/** Queues of which a shard has something that is not their home, though their order or their limits are kept at their home. */
async function findMisplaced(fleet: Fleet, queues: PartitionedQueues): Promise<Finding[]> {
  const bound = [...queues.values()].filter(isBound).map(({ name }) => name);
  const isWhole = (queue: string) => queues.get(queue)?.partition === undefined;
  const found = await fleet.askAll(async (shard): Promise<Finding[]> => {
    const own = shard.identity.name;
    if (fleet.topology.stateOf(own) === 'draining') return []; // it is on its way
    const all = new Set([...bound, ...(await findLimited(shard))]);
    const names = [...all].filter((queue) => isWhole(queue) && fleet.topology.home(`q:${queue}`) !== own);
    const counts = await openAdminStore(shard).countAll(names);
    return names.flatMap((name, i) => {
      const messages = countLive(counts[i] as Counts);
      return messages > 0 ? [{ finding: 'misplaced-queue', name, shard: own, messages }] : [];
    });
  });
  return found.flatMap(({ answer }) => answer);
}
