/** What an operator does to messages and queues in the store. Each call is bounded and safe to repeat. */
import type { Shard } from '../redis/shard.ts';
import { openAdminCall } from './admin-call.ts';
import { type MessageAdmin, openMessageAdmin } from './admin-messages.ts';
import { openQueueAdmin, type QueueAdmin } from './admin-queues.ts';

export interface AdminStore extends MessageAdmin, QueueAdmin {}

/** @param onWork told where something that waited is ready for a drain now */
export function openAdminStore(shard: Shard, onWork?: () => void): AdminStore {
  const call = openAdminCall(shard, onWork);
  return { ...openMessageAdmin(call), ...openQueueAdmin(call) };
}
