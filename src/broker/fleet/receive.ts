/**
 * Consuming over several shards: one lease of one name on each shard that has messages for it. The queues are asked in their order, each
 * where it has its home, and behind the homes wherever messages of theirs may be left.
 */
import { hashText } from '../../shards/placement.ts';
import type { ReceiveAnswer, ReceiveRequest } from '../consumer.ts';
import { type FleetConsumerOptions, findStretches, LOOK_MS } from './stretches.ts';
import { Taking } from './taking.ts';

/** @throws StorageError where no shard answers; RequestMismatch where another lease has begun under the claim */
export async function receiveFromFleet(
  consuming: FleetConsumerOptions,
  request: ReceiveRequest,
): Promise<ReceiveAnswer> {
  await consuming.fleet.ready(LOOK_MS);
  const taking = new Taking(consuming, request.lease, () => 0);
  const { homes, behind } = findStretches(consuming, request.queues, hashText(request.lease));
  await taking.take(homes, request);
  await taking.takeBehind(behind, request);
  return taking.answer();
}
