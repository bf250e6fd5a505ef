/** How callers name a queue: by its definition, which types its bodies, or by its name alone. */
import type { PullName, QueueDefinition, QueueName, QueueSet } from '../queue/queue-set.ts';

export type { BodyOf, QueueSet } from '../queue/queue-set.ts';

/** What `defineQueue` returns, or a queue's name, which has to be one of the set. Of a definition only the name is used at run time. */
export type QueueRef<Queues extends QueueSet = QueueSet> = QueueName<Queues> | QueueDefinition;

/** The same of queues that consumers receive from. */
export type PullRef<Queues extends QueueSet = QueueSet> =
  | PullName<Queues>
  | (QueueDefinition & { readonly kind: 'pull' });

export function queueName(queue: QueueRef): string {
  return typeof queue === 'string' ? queue : queue.name;
}
