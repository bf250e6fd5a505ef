/**
 * The queues of a run over several shards, as its Worker and the deployments beside it define them. Handlers record what they get, as
 * those of the example do, and chain a message to the ack of each whose key says so.
 */
import { defineQueue, type HandlerContext, type Message } from 'sluice';
import type { Env } from '../../../functions/env.ts';
import { record } from '../../../functions/queues/outbox.ts';
import { bodyOf } from '../bodies.ts';
import { CHAINED, chainedKey } from './keys.ts';

/** How many of torture.limited may be at work. */
const LIMIT = 8;

const pull = [
  defineQueue('torture.pull', { kind: 'pull', fair: { quantum: 3 }, maxWait: '1500ms' }),
  defineQueue('torture.limited', { kind: 'pull', limits: { concurrency: LIMIT } }),
  defineQueue('torture.ordered', { kind: 'pull', ordered: true }),
];
const [chainedQueue] = pull as [(typeof pull)[0]];

const pushed = Object.entries({
  'confirmation.email': 0,
  'github.security': 1,
  'github.review': 3,
  'notification.email': 5,
  'github.activity': 7,
} as const).map(([name, priority]) => defineQueue(name, { priority, timeout: '10s', handler }));

export const queues = [...pull, ...pushed];

async function handler(message: Message, { env, signal, enqueue }: HandlerContext<Env>): Promise<void> {
  await record(message, env, signal);
  const { key, token, article } = message.body as Record<string, string>;
  const own = key ?? token ?? article ?? '';
  if (own.endsWith(CHAINED)) await enqueue(chainedQueue, bodyOf('torture.pull', chainedKey(own)));
}
