/** What an operator does to messages and queues in the store. Each call is bounded and safe to repeat. */
import { type AdminCallOptions, openAdminCall } from './admin-call.ts';
import { type MessageAdmin, openMessageAdmin } from './admin-messages.ts';
import { openQueueAdmin, type QueueAdmin } from './admin-queues.ts';

export interface AdminStore extends MessageAdmin, QueueAdmin {}

export function openAdminStore(options: AdminCallOptions): AdminStore {
  const call = openAdminCall(options);
  return { ...openMessageAdmin(call), ...openQueueAdmin(call) };
}
