/** The messages of a torture run: each with a key that stands in no other, and a body from which the key can be read back. */
import { isDeepStrictEqual } from 'node:util';
import type { NewMessage, PreparedMessage } from '../../src/message/envelope.ts';
import { newToken } from '../../src/message/ids.ts';
import { formatLane } from '../../src/message/lane.ts';
import type { Priority } from '../../src/message/message.ts';
import { encodeLimitedQueues } from '../../src/queue/limits.ts';
import { bodyOf } from './bodies.ts';
import type { Chance } from './random.ts';

/** Queues that the Worker does not know: consumers outside pull them. */
const PULL = 'torture.pull';
export const LIMITED = 'torture.limited';
export const ORDERED = 'torture.ordered';
export const PULL_QUEUES = [PULL, LIMITED, ORDERED];

/** How many of LIMITED may be at work. */
export const LIMIT = 8;

/** What those who know these queues say of them: two versions of a deployment, side by side. The limits are the same in both. */
export const VERSIONS = [
  encodeLimitedQueues([
    { name: LIMITED, pool: LIMITED, policy: `c=${LIMIT}` },
    { name: ORDERED, pool: ORDERED, policy: 'o' },
  ]),
  encodeLimitedQueues([
    { name: PULL, pool: PULL, policy: 'a=1500 q=3' },
    { name: LIMITED, pool: LIMITED, policy: `c=${LIMIT} a=1000` },
    { name: ORDERED, pool: ORDERED, policy: 'o a=2000' },
  ]),
];

const PUSH_QUEUES: Record<string, Priority> = {
  'confirmation.email': 0,
  'github.security': 1,
  'github.review': 3,
  'notification.email': 5,
  'github.activity': 7,
};

/** What the outbox does with a message's first delivery: the first part of its key. A doomed one is never taken. */
export type Fate = 'taken' | 'fails' | 'busy' | 'hangs' | 'doomed';

const FATES: [Fate, share: number][] = [
  ['fails', 0.01],
  ['busy', 0.01],
  ['hangs', 0.0003],
  ['doomed', 0.001],
];

export interface Planned {
  key: string;
  queue: string;
  priority: Priority;
  group?: string;
  delayMs: number;
  maxAttempts: number;
  /** Over HTTP: with a dedup key, of its own or of an earlier one. */
  dedupKey?: string;
  /** Left out: it never expires. */
  ttlMs?: number;
  /** Over HTTP: what follows on it. */
  callbacks?: Record<'onSuccess' | 'onFailure', { queue: string; key: string }>;
}

/** @param from behind this number keys are not taken yet @returns a planner: each call plans one message */
export function planMessages(chance: Chance, from = 0): (pulled: boolean) => Planned {
  let count = from;
  return (pulled) => {
    count += 1;
    const fate = fateFor(chance.next());
    const queue = pulled ? pickPullQueue(chance) : chance.pick(Object.keys(PUSH_QUEUES));
    const key = `${fate}.${count}`;
    if (queue === ORDERED) return inOrder(key, chance.whole(1, GROUPS));
    const usual = PUSH_QUEUES[queue] ?? 5;
    return {
      key,
      queue,
      priority: chance.happens(0.1) ? (chance.whole(0, 9) as Priority) : usual,
      ...(chance.happens(0.2) ? { group: `tenant ${chance.whole(1, 8)}` } : {}),
      delayMs: chance.happens(0.03) ? chance.whole(100, 3_000) : 0,
      ...(chance.happens(0.03) ? { ttlMs: chance.whole(200, 4_000) } : {}),
      ...(!pulled && chance.happens(DEDUPED)
        ? { dedupKey: `of ${count - (chance.happens(0.2) ? chance.whole(1, 30) : 0)}` }
        : {}),
      maxAttempts: fate === 'doomed' ? 2 : 20, // the others must survive every kill of a long run
    };
  };
}

const DEDUPED = 0.1;
const GROUPS = 30;
const LIMITED_SHARE = 0.1;
const ORDERED_SHARE = 0.15;

function pickPullQueue(chance: Chance): string {
  const draw = chance.next();
  if (draw < LIMITED_SHARE) return LIMITED;
  return draw < LIMITED_SHARE + ORDERED_SHARE ? ORDERED : PULL;
}

/** One that dies only by its consumer's word: deaths that nobody sees would blur the order of its group. */
function inOrder(key: string, group: number): Planned {
  return { key, queue: ORDERED, priority: 5, group: `group ${group}`, delayMs: 0, maxAttempts: 10_000 };
}

/** Keys of what comes with acks, beyond those of all producers. */
let chained = 1_000_000_000;

/** What a handler enqueues with its ack. */
export function planChained(chance: Chance): NewMessage {
  chained += 1;
  const key = `taken.${chained}`;
  const [first] = PULL_QUEUES as [string];
  const anywhere: Planned = { key, queue: first, priority: 5, delayMs: 0, maxAttempts: 20 };
  return { id: newToken(), ...prepareMessage(chance.happens(0.5) ? inOrder(key, chance.whole(1, GROUPS)) : anywhere) };
}

function fateFor(draw: number): Fate {
  let below = 0;
  for (const [fate, share] of FATES) {
    below += share;
    if (draw < below) return fate;
  }
  return 'taken';
}

export function fateOf(key: string): Fate {
  return key.slice(0, key.indexOf('.')) as Fate;
}

/** The key of a body as it arrived, or what no key can be where anything of it has changed. */
export function keyIn(queue: string, body: unknown): string {
  const { token, article, key } = body as Record<string, string>;
  const found = token ?? article ?? key ?? '';
  return isDeepStrictEqual(body, bodyOf(queue, found)) ? found : `damaged: ${JSON.stringify(body)}`;
}

/** For the HTTP API. */
export function requestOf(planned: Planned): Record<string, unknown> {
  const { key, queue, priority, delayMs, ttlMs, dedupKey, callbacks, ...more } = planned;
  const options = queue === ORDERED ? more : { ...more, priority }; // which has one for all
  const times = { ...(delayMs > 0 ? { delay: delayMs } : {}), ...(ttlMs ? { ttl: ttlMs } : {}) };
  const dedup = dedupKey ? { dedup: { key: dedupKey } } : {};
  const follow = Object.entries(callbacks ?? {}).map(([on, { queue: to, key: of }]) => [
    on,
    { queue: to, body: bodyOf(to, of) },
  ]);
  return { queue, body: bodyOf(queue, key), ...options, ...times, ...dedup, ...Object.fromEntries(follow) };
}

/** For the store. */
export function prepareMessage({
  key,
  queue,
  priority,
  group,
  delayMs,
  maxAttempts,
  ttlMs = 0,
}: Planned): PreparedMessage {
  const json = JSON.stringify({ body: bodyOf(queue, key) });
  const pool = PULL_QUEUES.includes(queue) ? queue : '*';
  return { lane: formatLane(priority, queue, group), pool, maxAttempts, delayMs, ttlMs, json };
}
