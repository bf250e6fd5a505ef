/**
 * The shards of a deployment, and what each use of one counts and tells. Today there is one: whatever is opened on "the shard" of a
 * caller or a drain is opened here, so this is where queues will be placed on several.
 */
import type { Config } from '../config/config.ts';
import type { Budget } from '../drain/budget.ts';
import type { Connect } from '../redis/send.ts';
import { openShard, type Shard, type ShardOptions } from '../redis/shard.ts';
import type { Invocation } from '../runtime/invocation.ts';
import { isOutOfSubrequests } from '../runtime/subrequests.ts';

export interface Shards {
  readonly all: readonly [Shard];
  /** For the requests of an invocation besides those of its drains. */
  ofInvocation(invocation: Invocation): Shard;
  /** For work within a budget that does not check itself whether the platform refuses. */
  ofBudget(budget: Budget): Shard;
  /** For a drain, which checks that itself. */
  ofDrain(budget: Budget): Shard;
  /** For what a drain does besides its messages, once or not at all: these requests are in its budget already. */
  besideDrain(budget: Budget): Shard;
}

/** @param onSpent told once where the platform refuses an invocation more subrequests */
export function openShards(
  config: Config,
  onSpent: (invocation: Invocation) => void,
  { connect, clock }: Pick<ShardOptions, 'clock'> & { connect?: Connect | undefined },
): Shards {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token, SLUICE_REDIS_TIMEOUT_MS: timeoutMs } = config;
  const shard = openShard({
    connection: { url, token, timeoutMs },
    connect,
    clock,
    prefix: config.SLUICE_PREFIX,
    looksAtFormat: true,
  });
  const noticing = (invocation: Invocation) => (error: unknown) => {
    if (invocation.isSpent || !isOutOfSubrequests(error)) return;
    invocation.isSpent = true;
    onSpent(invocation);
  };
  return {
    all: [shard],
    ofInvocation: (invocation) =>
      shard.within({
        onRequest: () => {
          invocation.requests += 1;
        },
        onFailure: noticing(invocation),
      }),
    ofBudget: ({ onRequest, msLeft, invocation }) =>
      shard.within({ onRequest, msLeft, onFailure: noticing(invocation) }),
    ofDrain: ({ onRequest, msLeft }) => shard.within({ onRequest, msLeft }),
    besideDrain: ({ msLeft }) => shard.within({ msLeft, repeatAfterMs: [] }),
  };
}
