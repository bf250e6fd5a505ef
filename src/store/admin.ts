/** The admin store: what operators do to messages and queues. Each call is bounded and safe to repeat. */
import type { Shard } from '../redis/shard.ts';
import { openAdminCall } from './admin-call.ts';
import { type MessageAdmin, openMessageAdmin } from './admin-messages.ts';
import { openQueueAdmin, type QueueAdmin } from './admin-queues.ts';

export interface AdminStore extends MessageAdmin, QueueAdmin {}

/** @param onWork called where messages that waited are ready for a drain now */
export function openAdminStore(shard: Shard, onWork?: () => void): AdminStore {
  const call = openAdminCall(shard, onWork);
  return { ...openMessageAdmin(call), ...openQueueAdmin(call) };
}
