/** The messages of a torture run: each with a key that stands in no other, and a body from which the key can be read back. */
import { isDeepStrictEqual } from 'node:util';
import { laneOf, type Priority } from '../../message.ts';
import type { Unnamed } from '../../store/store.ts';
import type { Chance } from './random.ts';

/** A queue that the Worker does not know: consumers outside pull it. */
export const PULLED = 'torture.pulled';

const DRAINED_QUEUES: Record<string, Priority> = {
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
}

/** @returns a planner: each call plans one message */
export function planMessages(chance: Chance): (pulled: boolean) => Planned {
  let count = 0;
  return (pulled) => {
    count += 1;
    const fate = fateFor(chance.next());
    const queue = pulled ? PULLED : chance.pick(Object.keys(DRAINED_QUEUES));
    const usual = DRAINED_QUEUES[queue] ?? 5;
    return {
      key: `${fate}.${count}`,
      queue,
      priority: chance.happens(0.1) ? (chance.whole(0, 9) as Priority) : usual,
      ...(chance.happens(0.2) ? { group: `tenant ${chance.whole(1, 8)}` } : {}),
      delayMs: chance.happens(0.03) ? chance.whole(100, 3_000) : 0,
      maxAttempts: fate === 'doomed' ? 2 : 20, // the others must survive every kill of a long run
    };
  };
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

function bodyOf(queue: string, key: string): Record<string, string> {
  const to = `${key}@example.com`;
  if (queue === 'confirmation.email') return { to, token: key };
  if (queue === 'notification.email') return { to, article: key };
  return { key, text: 'déjà vu \u2028"✓'.repeat(Number(key.split('.')[1]) % 12) }; // bytes and quotes that encodings damage
}

/** The key of a body as it arrived, or what no key can be where anything of it has changed. */
export function keyIn(queue: string, body: unknown): string {
  const { token, article, key } = body as Record<string, string>;
  const found = token ?? article ?? key ?? '';
  return isDeepStrictEqual(body, bodyOf(queue, found)) ? found : `damaged: ${JSON.stringify(body)}`;
}

/** For the HTTP API. */
export function requestOf({ key, queue, delayMs, ...options }: Planned): Record<string, unknown> {
  return { queue, body: bodyOf(queue, key), ...options, ...(delayMs > 0 ? { delay: delayMs } : {}) };
}

/** For the store. */
export function unnamedOf({ key, queue, priority, group, delayMs, maxAttempts }: Planned): Unnamed {
  const json = JSON.stringify({ body: bodyOf(queue, key) });
  const pool = queue === PULLED ? PULLED : '*';
  return { lane: laneOf(priority, queue, group), pool, maxAttempts, delayMs, ttlMs: 0, json };
}
