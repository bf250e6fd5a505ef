/**
 * Disabling: a receiver that wants no more gets no more. Its subscription stays, says since when and why, and is enabled again by
 * whoever operates the topic.
 */

import type { Queues } from './complete.ts';
import { chooseDestination } from './destinations/destination.ts';
import { logWarning } from './log.ts';
import { type Opened, QUEUE_NAME } from './message.ts';
import type { TopicStore } from './store/topics.ts';
import { type StoredSubscription, SUBSCRIPTION_HEADER, TOPIC_HEADER } from './topics.ts';

/** To read the topic and to write the subscription, each by a script that storage may have to be told first. */
const REQUESTS = 4;

export interface Disabling {
  /** A message was answered so: its subscription is disabled, while the caller goes on. */
  note(message: Opened['message'], reason: string): void;
  /** Whatever was noted has ended. */
  ended(): Promise<void>;
}

/**
 * What storage does not take, or no budget is left for, the next such answer does.
 * @param afford counts these requests; false where they do not fit
 */
export function openDisabling(topics: TopicStore, queues: Queues, afford: (requests: number) => boolean): Disabling {
  const noted = new Map<string, Promise<void>>();
  return {
    note(message, reason) {
      const { [TOPIC_HEADER]: topic = '', [SUBSCRIPTION_HEADER]: subscription = '' } = message.headers;
      // Headers may be anybody's.
      if (!QUEUE_NAME.test(topic) || !QUEUE_NAME.test(subscription)) return;
      const name = `${topic} ${subscription} ${JSON.stringify(message.destination)}`;
      if (noted.has(name) || !afford(REQUESTS)) return;
      noted.set(
        name,
        disable({ topics, queues, topic, subscription, reason }, message).catch(() => {}),
      );
    },
    async ended() {
      await Promise.all(noted.values());
    },
  };
}

interface Wanted {
  topics: TopicStore;
  queues: Queues;
  topic: string;
  subscription: string;
  reason: string;
}

/** Not one that was put anew since the message was published: what stands there has to be what the message was sent to. */
async function disable(
  { topics, queues, topic, subscription, reason }: Wanted,
  { queue, destination }: Opened['message'],
): Promise<void> {
  const read = (await topics.read(topic)).subscriptions.get(subscription);
  if (read === undefined) return;
  const stands = JSON.parse(read) as StoredSubscription;
  if (stands.disabled || stands.queue !== queue) return;
  const chosen = chooseDestination(queues.get(queue)?.destination, stands.destination, '');
  if (JSON.stringify(chosen.destination) !== JSON.stringify(destination)) return;
  const disabled = { ...stands, disabled: { at: Date.now(), reason } };
  const isDone = await topics.subscribe(topic, subscription, JSON.stringify(disabled), read);
  if (isDone) logWarning('subscription disabled', { topic, subscription, queue, reason });
}
