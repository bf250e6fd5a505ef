/** Variety: what some messages of a run over several shards have besides: callbacks, and a message chained to their acks. */
import { type Planned, PULL_QUEUES } from '../messages.ts';
import type { Chance } from '../random.ts';
import { CHAINED, callbackKey, WITH_CALLBACKS } from './keys.ts';

const CHAINS = 0.05;
const CALLS = 0.05;
/** Of the API. */
const MOST_ATTEMPTS = 1_000;
/** Where callbacks go: to a queue that is pulled and to one that is pushed. */
const ON_SUCCESS = PULL_QUEUES[0] as string;
const ON_FAILURE = 'github.activity';

/** @returns the same messages, some of them with more */
export function embellish(plan: (pulled: boolean) => Planned, chance: Chance): (pulled: boolean) => Planned {
  return (pulled) => {
    const planned = plan(pulled);
    const { key, maxAttempts } = planned;
    const message = { ...planned, maxAttempts: Math.min(MOST_ATTEMPTS, maxAttempts) };
    if (pulled || planned.dedupKey !== undefined) return message;
    if (chance.happens(CHAINS)) return { ...message, key: key + CHAINED };
    if (!chance.happens(CALLS)) return message;
    const callbacks = {
      onSuccess: { queue: ON_SUCCESS, key: callbackKey(key, 'done') },
      onFailure: { queue: ON_FAILURE, key: callbackKey(key, 'dead') },
    };
    return { ...message, key: key + WITH_CALLBACKS, callbacks };
  };
}
