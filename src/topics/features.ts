/** What topics bring along: publishing, for code too, and the end of subscriptions whose receivers want no more. */
import type { Queues } from '../broker/validate.ts';
import type { Fleet } from '../shards/fleet.ts';
import { type Disabling, openDisabling } from './disabling.ts';
import { openTopicsOn } from './fleet-store.ts';
import { openTopics, type Topics, type TopicsOptions } from './topics.ts';

/** The engine of a caller, as much as topics need of it. */
type CallingEngine = Omit<TopicsOptions, 'topics'> & { fleet: Fleet };

export const features = {
  topics: {
    open: (called: CallingEngine): Topics =>
      openTopics({
        topics: openTopicsOn(called.fleet),
        queues: called.queues,
        accept: (...inputs) => called.accept(...inputs),
        attend: (isWanted) => called.attend(isWanted),
      }),
    openDisabling: (fleet: Fleet, queues: Queues, afford: (requests: number) => boolean): Disabling =>
      openDisabling(openTopicsOn(fleet), queues, afford),
  },
};
