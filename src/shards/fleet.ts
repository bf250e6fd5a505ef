/** A fleet: the shards of a deployment for one use of them, such as an invocation or a drain. */
import { StorageError } from '../errors.ts';
import { labelOf } from '../message/ids.ts';
import type { Shard } from '../redis/shard.ts';
import type { Place } from './placement.ts';
import type { Topology } from './topology.ts';

export interface Fleet {
  readonly topology: Topology;
  /** In the order of the settings, without those that are gone. */
  readonly all: readonly [Shard, ...Shard[]];
  /** Names of the shards that have not answered a call to all of them. */
  readonly away: Set<string>;
  /**
   * The map is known, which the calls below need. Nothing is read where there is one shard.
   * @param lookMs of those who are not told where there is a newer map: where nobody has read it for so long, they look
   * @throws StorageError
   */
  ready(lookMs?: number): Promise<void>;
  /** Where this belongs. */
  home(place: Place): Shard;
  /** @throws RangeError where none has this name, or it is gone; StorageError where only the map has it */
  named(name: string): Shard;
  /** The shard that the id of a message speaks of; undefined where it speaks of none. */
  hinted(id: string): Shard | undefined;
  /**
   * Asks all shards side by side, or some of them.
   * @returns what those answered that did; the others are noted as away
   * @throws StorageError where none answers, or the platform allows no more requests; whatever else is thrown
   */
  askAll<Answer>(
    ask: (shard: Shard) => Promise<Answer>,
    some?: readonly Shard[],
  ): Promise<{ shard: Shard; answer: Answer }[]>;
  /** Notes the shard as away. @throws what it is given, where that is no answer that failed to come */
  noteAway(shard: Shard, error: unknown): void;
}

export function openFleet(topology: Topology, shards: readonly [Shard, ...Shard[]]): Fleet {
  const [only] = shards;
  const away = new Set<string>();
  const fleet: Fleet = {
    topology,
    get all() {
      if (!topology.isMany) return shards;
      const visited = shards.filter(({ identity }) => topology.stateOf(identity.name) !== 'gone');
      return visited as unknown as Fleet['all'];
    },
    away,
    async ready(lookMs = Number.POSITIVE_INFINITY) {
      if (!topology.isMany) return;
      if (!topology.isKnown) await topology.load(shards);
      else if (Date.now() - topology.readAt > lookMs) await topology.look(fleet.all);
    },
    home: (place) => (topology.isMany ? fleet.named(topology.home(place)) : only),
    named(name) {
      const shard = fleet.all.find(({ identity }) => identity.name === name);
      if (!shard) throw notNamed(topology, name);
      return shard;
    },
    hinted(id) {
      if (!topology.isMany) return only;
      const name = topology.labelled(labelOf(id));
      return fleet.all.find(({ identity }) => identity.name === name);
    },
    askAll: (ask, some = fleet.all) => askEach(fleet, some, ask),
    noteAway({ identity }, error) {
      if (!(error instanceof StorageError) || error.code === 'subrequests') throw error;
      away.add(identity.name);
    },
  };
  return fleet;
}

/** An older version of the deployment may meet a map with a shard that only newer ones have in their settings. */
function notNamed(topology: Topology, name: string): Error {
  if (!topology.isMany || !['active', 'draining'].includes(topology.stateOf(name))) {
    return new RangeError('no shard of this deployment has this name');
  }
  const error = new StorageError('unreachable', 'the shard is not in the settings of this deployment');
  error.shard = name;
  return error;
}

async function askEach<Answer>(
  fleet: Fleet,
  shards: readonly Shard[],
  ask: (shard: Shard) => Promise<Answer>,
): Promise<{ shard: Shard; answer: Answer }[]> {
  const results = await Promise.allSettled(shards.map(ask));
  const answers: { shard: Shard; answer: Answer }[] = [];
  let failure: unknown;
  for (const [index, result] of results.entries()) {
    const shard = shards[index] as Shard;
    if (result.status === 'fulfilled') answers.push({ shard, answer: result.value });
    else {
      fleet.noteAway(shard, result.reason);
      failure ??= result.reason;
    }
  }
  if (answers.length === 0 && shards.length > 0) throw failure;
  return answers;
}
