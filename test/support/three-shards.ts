// Three shards, a queue that is at home on each, and one that is anywhere: what tests of a deployment on several shards begin with.
import { type AnyQueue, defineQueue } from '../../src/index.ts';
import type { MessageOptions } from '../../src/message/options.ts';
import { makeInitialMap } from '../../src/shards/map.ts';
import { nameAt } from './sharded.ts';

export const NAMES = ['t0', 't1', 't2'];
export const MAP = makeInitialMap(NAMES.map((name) => ({ name, weight: 1, state: 'active' as const })));

/** Of each shard the name of a queue that is at home there. */
export const AT = NAMES.map((shard) => nameAt(MAP, shard)) as [string, string, string];

/** Nobody handles them here. */
export const PULLED: readonly AnyQueue[] = [
  ...AT.map((name) => defineQueue(name, { kind: 'pull' })),
  defineQueue('anywhere', { kind: 'pull', partition: 'any' }),
];

/** What one message of a request is given as. */
export const inputTo =
  (queues: readonly AnyQueue[]) =>
  (queue: string, body: unknown, options: MessageOptions = {}) => ({
    queue: queues.find(({ name }) => name === queue),
    body,
    options,
    path: '',
  });
