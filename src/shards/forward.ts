/** Forwarding: the messages of a parcel are enqueued at its shard, once, however often and by whomever it is forwarded. */
import * as scripts from '../redis/lua/generated.ts';
import type { Shard } from '../redis/shard.ts';
import { encodeSegments } from '../store/encode-messages.ts';
import { type EnqueueAnswer, enqueueSegments } from '../store/enqueue.ts';
import type { Wake } from '../store/wake.ts';
import type { Fleet } from './fleet.ts';
import { type Parcel, RECOGNISED_MS, readSegments } from './parcel.ts';
import { openPlacing, type PartitionedQueues, placeMessage } from './placing.ts';

/**
 * @param id of the parcel
 * @param wake the drain that the caller would wake
 * @throws StorageError
 */
export function forward(
  shard: Shard,
  id: string,
  { args, count }: Omit<Parcel, 'to'>,
  wake?: Wake | false,
): Promise<EnqueueAnswer> {
  return enqueueSegments(shard, { args, count, base: id, token: `parcel-${id}`, recognisedMs: RECOGNISED_MS, wake });
}

/**
 * Forwards a parcel whose shard is gone: each message to where it belongs by now, under the id that it has.
 * @returns whether somebody should drain there
 * @throws StorageError where a part has not arrived: another try brings the rest
 */
export async function forwardAnew(
  fleet: Fleet,
  queues: PartitionedQueues,
  id: string,
  { args }: Parcel,
): Promise<boolean> {
  const { topology } = fleet;
  const placing = openPlacing(topology, queues);
  const parts = new Map<string, { args: string[]; count: number }>();
  for (const { id: own, message } of readSegments(args)) {
    const home = topology.home(placeMessage(queues, message, id));
    const part = parts.get(home) ?? { args: [], count: 0 };
    part.args.push(...encodeSegments([placing.settle(message, home)], own));
    part.count += 1;
    parts.set(home, part);
  }
  const answers = await Promise.all([...parts].map(([home, part]) => forward(fleet.named(home), id, part)));
  return answers.some(({ wake }) => wake);
}

/** A parcel that has arrived is not needed any more. Where nobody takes it away it is forwarded again, and changes nothing. @throws StorageError */
export async function dropParcel({ run, keys }: Shard, id: string): Promise<void> {
  await run(scripts.cancel, [keys.timers, keys.message(id)], [keys.root, id, '']);
}
