/** The shards of a deployment, and what each use of them counts and tells. Whatever is opened for a caller or a drain is opened here. */
import type { Config } from '../config/config.ts';
import type { Budget } from '../drain/budget.ts';
import { StorageError } from '../errors.ts';
import type { Connect } from '../redis/send.ts';
import { openShard, type Shard, type ShardOptions, type ShardUse } from '../redis/shard.ts';
import type { Invocation } from '../runtime/invocation.ts';
import { isOutOfSubrequests } from '../runtime/subrequests.ts';
import { type Fleet, openFleet } from '../shards/fleet.ts';
import { Topology } from '../shards/topology.ts';

export interface Shards {
  readonly topology: Topology;
  /** For whoever counts nothing. */
  readonly plain: Fleet;
  /** For the parcels of a drain: each is one request, which is in its budget already. */
  readonly forwarding: Fleet;
  /** For the requests of an invocation besides those of its drains. */
  ofInvocation(invocation: Invocation): Fleet;
  /** For work within a budget that does not check itself whether the platform refuses. */
  ofBudget(budget: Budget): Fleet;
  /** For a drain, which checks that itself. */
  ofDrain(budget: Budget): Fleet;
  /** For what a drain does besides its messages, once or not at all: these requests are in its budget already. */
  besideDrain(budget: Budget): Fleet;
}

type Opening = Pick<ShardOptions, 'clock'> & { connect?: Connect | undefined };

/**
 * @param pools of the queues of the deployment
 * @param onSpent told once where the platform refuses an invocation more subrequests
 */
export function openShards(
  config: Config,
  pools: readonly string[],
  onSpent: (invocation: Invocation) => void,
  opening: Opening,
): Shards {
  const topology = new Topology(config.SLUICE_SHARDS, pools);
  const shards = openAll(config, topology, opening);
  const using = (use: ShardUse) => openFleet(topology, shards.map((shard) => shard.within(use)) as [Shard, ...Shard[]]);
  const noticing = (invocation: Invocation) => (error: unknown) => {
    if (invocation.isSpent || !isOutOfSubrequests(error)) return;
    invocation.isSpent = true;
    onSpent(invocation);
  };
  return {
    topology,
    plain: openFleet(topology, shards as [Shard, ...Shard[]]),
    forwarding: using({ repeatAfterMs: [] }),
    ofInvocation: (invocation) =>
      using({
        onRequest: () => {
          invocation.requests += 1;
        },
        onFailure: noticing(invocation),
      }),
    ofBudget: ({ onRequest, msLeft, invocation }) => using({ onRequest, msLeft, onFailure: noticing(invocation) }),
    // At its end it gives back what it holds: nobody else can.
    ofDrain: ({ onRequest, msLeft, isClosing }) => using({ onRequest, msLeft, insists: () => isClosing() }),
    besideDrain: ({ msLeft }) => using({ msLeft, repeatAfterMs: [] }),
  };
}

function openAll(config: Config, topology: Topology, { connect, clock }: Opening): Shard[] {
  const timeoutMs = config.SLUICE_REDIS_TIMEOUT_MS;
  return config.SLUICE_SHARDS.map(({ name, url, token, prefix }) =>
    openShard({
      connection: { url, token, timeoutMs },
      connect,
      clock,
      prefix,
      looksAtFormat: true,
      ...(topology.isMany && { identity: topology.identify(name) }),
    }),
  );
}

/** Whether a shard has not answered: not where the platform refused, or this is no failure of storage. */
export const isAway = (error: unknown): boolean => error instanceof StorageError && error.code !== 'subrequests';
