/** What a call of an operator is made with: the keys, what runs scripts, and the clock. */
import { makeReplyRunner } from '../redis/runner.ts';
import type { Shard } from '../redis/shard.ts';

export interface AdminCall extends Pick<Shard, 'keys' | 'now'> {
  run: ReturnType<typeof makeReplyRunner>;
  /** Told where something that waited is ready for a drain now. */
  onWork: (() => void) | undefined;
}

export function openAdminCall(shard: Shard, onWork: (() => void) | undefined): AdminCall {
  return { keys: shard.keys, now: shard.now, run: makeReplyRunner(shard), onWork };
}
