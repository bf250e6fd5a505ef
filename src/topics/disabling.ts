/**
 * Disabling: a receiver that wants no more gets no more. Its subscription stays, says since when and why, and is enabled again by
 * whoever operates the topic.
 */
import type { Queues } from '../broker/validate.ts';
import { logWarning } from '../log.ts';
import type { Envelope } from '../message/envelope.ts';
import { QUEUE_NAME } from '../message/message.ts';
import { chooseDestination } from '../queue/destination.ts';
import type { TopicStore } from './store.ts';
import { type StoredSubscription, SUBSCRIPTION_HEADER, TOPIC_HEADER } from './topics.ts';

/** To read the topic and to write the subscription, each by a script that storage may have to be told first. */
const REQUESTS = 4;

export interface Disabling {
  /** A message was answered so: its subscription is disabled, once in a drain, while the caller goes on. */
  note(message: Envelope['message'], reason: string): void;
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
      const { [TOPIC_HEADER]: topic = '', [SUBSCRIPTION_HEADER]: id = '' } = message.headers;
      if (!QUEUE_NAME.test(topic) || !QUEUE_NAME.test(id)) return; // headers may be anybody's
      const name = `${topic} ${id} ${JSON.stringify(message.destination)}`;
      if (noted.has(name) || !afford(REQUESTS)) return;
      const disabling = disable(topics, topic, id, reason, (stands) => isFrom(stands, message, queues));
      noted.set(
        name,
        disabling.catch(() => {}),
      );
    },
    async ended() {
      await Promise.all(noted.values());
    },
  };
}

async function disable(
  topics: TopicStore,
  topic: string,
  id: string,
  reason: string,
  isMeant: (stands: StoredSubscription) => boolean,
): Promise<void> {
  const read = (await topics.read(topic)).subscriptions.get(id);
  if (read === undefined) return;
  const stands = JSON.parse(read) as StoredSubscription;
  if (stands.disabled || !isMeant(stands)) return;
  const disabled = { ...stands, disabled: { at: Date.now(), reason } };
  const isDone = await topics.subscribe(topic, id, JSON.stringify(disabled), read);
  if (isDone) logWarning('subscription disabled', { topic, subscription: id, queue: stands.queue, reason });
}

/** The subscription may have been put anew since the message was published: the answer was of where that was sent to. */
function isFrom(stands: StoredSubscription, { queue, destination }: Envelope['message'], queues: Queues): boolean {
  const chosen = chooseDestination(queues.get(queue)?.destination, stands.destination, '');
  const isThere = JSON.stringify(chosen.destination) === JSON.stringify(destination);
  return stands.queue === queue && !chosen.issue && isThere;
}
