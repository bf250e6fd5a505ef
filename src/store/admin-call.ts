/** What each admin call needs of a shard: its keys, its scripts and its clock. */
import { makeReplyRunner } from '../redis/runner.ts';
import type { Shard } from '../redis/shard.ts';

export interface AdminCall extends Pick<Shard, 'keys' | 'now'> {
  run: ReturnType<typeof makeReplyRunner>;
  /** Called where messages that waited are ready for a drain now. */
  onWork: (() => void) | undefined;
}

export function openAdminCall(shard: Shard, onWork: (() => void) | undefined): AdminCall {
  return { keys: shard.keys, now: shard.now, run: makeReplyRunner(shard), onWork };
}
