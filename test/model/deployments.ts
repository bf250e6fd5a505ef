// Deployments: two of them serve one shard by turns, and differ in whatever a definition can say of a queue.
import fc from 'fast-check';
import type { PreparedMessage, StoredDedup } from '../../src/message/envelope.ts';
import type { Priority } from '../../src/message/message.ts';
import { encodeLimitedQueues } from '../../src/queue/limits.ts';
import type { Bench } from '../support/bench.ts';
import { type Callback, callbackJson } from './ledger.ts';

/** Two are push queues, one is a pull queue: that is a pool of its own. */
export const POOLS: Record<string, string> = { mail: '*', news: '*', pulled: 'pulled' };
export const QUEUES = Object.keys(POOLS);

export interface Definition {
  /** The words of limits.lua and breaker.lua. */
  policy: string;
  ttlMs: number;
  maxAttempts: number;
  mode: StoredDedup['mode'];
  release: boolean;
  callbacks: Callback[];
}

export type Deployment = Record<string, Definition>;

/** Mostly none of them, so that a policy has few words, and now and then many. */
const word = (...words: string[]) =>
  fc.oneof({ weight: 2, arbitrary: fc.constant('') }, { weight: 1, arbitrary: fc.constantFrom(...words) });

const policy = fc
  .tuple(
    word('c=1', 'c=2', 'c=3'),
    word('r=2/1000', 'r=3/3000'),
    word('gc=1', 'gc=2', 'o', 'b'),
    word('gr=1/3000'),
    word('q=1', 'q=2'),
    word('w=g:2', 'w=g:3,h:2'),
    word('a=500', 'a=3000'),
    word('h=1/1000', 'h=2/500', 'gh=1/3000'),
  )
  .map((words) => words.filter((each) => each !== '').join(' '));

const delay = fc.constantFrom(0, 0, 500, 3_000);
const callback: fc.Arbitrary<Callback> = fc.record({
  on: fc.constantFrom('done' as const, 'dead' as const),
  delayMs: delay,
});

const definition: fc.Arbitrary<Definition> = fc.record({
  policy: fc.oneof({ weight: 1, arbitrary: fc.constant('') }, { weight: 3, arbitrary: policy }),
  ttlMs: fc.constantFrom(0, 0, 0, 600, 5_000),
  maxAttempts: fc.integer({ min: 1, max: 3 }),
  mode: fc.constantFrom('drop' as const, 'replace' as const, 'debounce' as const),
  release: fc.boolean(),
  callbacks: fc.oneof(
    { weight: 2, arbitrary: fc.constant<Callback[]>([]) },
    { weight: 1, arbitrary: fc.array(callback, { minLength: 1, maxLength: 2 }) },
  ),
});

export const deployment: fc.Arbitrary<Deployment> = fc.record(
  Object.fromEntries(QUEUES.map((queue) => [queue, definition])),
);

export function policiesIn(deployed: Deployment): string {
  return encodeLimitedQueues(
    QUEUES.map((name) => ({ name, pool: POOLS[name] ?? '', policy: deployed[name]?.policy ?? '' })),
  );
}

/** What a caller asks for; the rest comes from the definition of the queue. */
export interface Asked {
  queue: string;
  priority: Priority;
  group: string | undefined;
  delayMs: number;
  /** It has the dedup key of its queue. */
  keyed: boolean;
  /** Over what the definition says. */
  mode: StoredDedup['mode'] | undefined;
  /** Of blanks in its body: what fits in a small answer differs. */
  size: number;
}

export const asked: fc.Arbitrary<Asked> = fc.record({
  queue: fc.constantFrom(...QUEUES),
  priority: fc.constantFrom<Priority>(0, 5),
  group: fc.constantFrom(undefined, 'g', 'h', 'i'),
  delayMs: delay,
  keyed: fc.constantFrom(false, false, true),
  mode: fc.constantFrom(undefined, undefined, 'drop' as const, 'replace' as const, 'debounce' as const),
  size: fc.constantFrom(0, 40, 90),
});

const DIGEST = 'd'.repeat(22);
const WINDOW_MS = 3_600_000; // Redis counts it by its own clock: no run lasts as long

export function messageOf(bench: Bench, deployed: Deployment, body: string, wanted: Asked): PreparedMessage {
  const { queue, priority, group, delayMs, keyed, mode, size } = wanted;
  const { ttlMs, maxAttempts, callbacks, ...defined } = deployed[queue] as Definition;
  const dedup = { digest: DIGEST, windowMs: WINDOW_MS, mode: mode ?? defined.mode, release: defined.release };
  return bench.message(queue, body.padEnd(size), {
    pool: POOLS[queue] ?? '',
    priority,
    delayMs: keyed && dedup.mode === 'debounce' ? Math.max(delayMs, 500) : delayMs,
    maxAttempts,
    ttlMs,
    ...(group === undefined ? {} : { group }),
    ...(keyed ? { dedup } : {}),
    ...(callbacks.length > 0
      ? { callbacks: callbacks.map(({ on, delayMs: later }) => ({ on, message: callbackOf(bench, on, later) })) }
      : {}),
  });
}

/** Each in a lane of its own. */
function callbackOf(bench: Bench, on: Callback['on'], delayMs: number): PreparedMessage {
  const [queue, group] = on === 'done' ? ['mail', 'g'] : ['news', 'h'];
  return { ...bench.message(queue, '', { group, priority: 0, delayMs }), json: callbackJson(on) };
}

/** As the shard has it. */
export const dedupOf = ({ lane, dedup }: PreparedMessage) =>
  dedup && { key: `${lane.slice(2).split('/')[0]}:${dedup.digest}`, release: dedup.release };
