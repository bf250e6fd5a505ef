/** What topics bring along: publishing, for code too, and the end of subscriptions whose receivers want no more. */
import type { Queues } from '../broker/validate.ts';
import type { Shard } from '../redis/shard.ts';
import { type Disabling, openDisabling } from './disabling.ts';
import { openTopicStore } from './store.ts';
import { openTopics, type Topics, type TopicsOptions } from './topics.ts';

/** The engine of a caller, as much as topics need of it. */
type CallingEngine = Omit<TopicsOptions, 'topics'> & { shard: Shard };

export const features = {
  topics: {
    open: (called: CallingEngine): Topics =>
      openTopics({
        topics: openTopicStore(called.shard),
        queues: called.queues,
        accept: (...inputs) => called.accept(...inputs),
        attend: (isWanted) => called.attend(isWanted),
      }),
    openDisabling: (shard: Shard, queues: Queues, afford: (requests: number) => boolean): Disabling =>
      openDisabling(openTopicStore(shard), queues, afford),
  },
};
