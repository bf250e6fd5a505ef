/**
 * The checker: judges a finished history as Jepsen's total-queue does, and looks for a cause behind each duplicate.
 *
 * Pure, and one pass: a hundred thousand messages take about a second. The history must be finished: all faults stopped,
 * everything drained, so that what is still under way counts as lost or unfinished.
 */
import { parseEntry } from '../../src/message/ids.ts';
import { parseLane } from '../../src/message/lane.ts';
import { followCallbacks } from './callbacks.ts';
import { watchGroupOrder } from './group-order.ts';
import type { Event } from './history.ts';
import { watchLaneOrder } from './lane-order.ts';
import { type Cause, followLeasings } from './leasings.ts';
import { type LimitOf, watchLimits } from './limits.ts';
import { followRequests } from './requests.ts';
import { followRequestsWhole, type Spread } from './whole.ts';

/** What must never be, each with the ids it befell. */
export const FAULTS = {
  halfVisible: 'of a request of which other messages are there: it and they were accepted together',
  lost: 'answered ok, then neither delivered nor a dead letter nor cancelled',
  unfinished: 'delivered or stored, but neither acked nor a dead letter in the end',
  unexpected: 'delivered or stored, but never begun, or refused, or with another body; or delivered, but never stored',
  enqueuedTwice: 'one begun message under two ids',
  unexplainedDuplicates: 'given out again without a cause',
  doubleAcks: 'a second ack was accepted',
  unfenced: 'settled by a consumer that did not hold it',
  orderViolations: 'overtaken in its lane by a later one',
  early: 'given out before its time',
  overLimit: 'given out above the limit of its queue',
  groupOvertaken: 'given out before an earlier one of its ordered group was done, dead or cancelled',
  afterCancel: 'given out after its cancel',
  whilePaused: 'given out while its queue was paused',
} as const;

export type FaultName = keyof typeof FAULTS;

export interface Verdict {
  /** Messages that producers began to enqueue. */
  enqueued: number;
  /** Messages whose enqueue was answered ok. */
  acknowledged: number;
  /** Messages that were delivered once at least. */
  delivered: number;
  deliveries: number;
  /** Delivered although the producer never learned that they were enqueued. */
  recovered: number;
  dead: number;
  cancelled: number;
  kills: number;
  /** Of requests whose messages were stored one after the other: how long that took. */
  spread: Spread;
  /** Deliveries after a message's first, by cause. */
  redelivered: Record<Cause, number>;
  faults: Record<FaultName, string[]>;
  isSound: boolean;
}

export interface Rules {
  /** How many messages of a queue may be out at once. Default: any number. */
  limitOf?: LimitOf;
  /** Queues that keep the order of each group. Default: none. */
  isOrdered?: (queue: string) => boolean;
}

type Followers = { [What in Event['what']]: (event: Extract<Event, { what: What }>) => void };

interface Arrivals {
  key: string;
  /** Another delivery of the same id had another body. */
  mixed: boolean;
}

export function judge(events: readonly Event[], rules: Rules = {}): Verdict {
  const follower = followMessages(rules);
  for (const event of events) follower.see(event);
  return follower.verdict();
}

function followMessages({ limitOf = () => undefined, isOrdered = () => false }: Rules) {
  const faults = Object.fromEntries(Object.keys(FAULTS).map((name) => [name, []])) as unknown as Verdict['faults'];
  const blame = (fault: FaultName, id: string) => void faults[fault].push(id);
  const stored = new Map<string, { queue: string; readyAt: number }>();
  const arrived = new Map<string, Arrivals>();
  const ended = new Map<string, string>();
  const promised: string[] = [];
  const requests = followRequests((id) => blame('enqueuedTwice', id));
  const order = watchLaneOrder((id) => blame('orderViolations', id));
  const groups = watchGroupOrder(isOrdered, (id) => blame('groupOvertaken', id));
  const paused = new Set<string>();
  const visible = followRequestsWhole();
  const callbacks = followCallbacks();
  const onShard = (shard: string | undefined, queue: string) => `${shard ?? ''} ${queue}`;
  const limits = watchLimits(limitOf, (id) => blame('overLimit', id));
  const leasings = followLeasings(blame, (id) => stored.get(id)?.readyAt ?? 0);
  const redelivered: Verdict['redelivered'] = { lapse: 0, 'cut off': 0, retry: 0, release: 0, redrive: 0 };
  let deliveries = 0;
  let kills = 0;

  const queueOf = (entry: string) => stored.get(parseEntry(entry).id)?.queue ?? '';

  const followers: Followers = {
    begun({ request, keys }) {
      requests.begun(request, keys);
      visible.begun(request, keys);
    },
    promised: ({ keys }) => void promised.push(...keys),
    met: ({ keys }) => visible.met(keys),
    ok: ({ request, ids }) => requests.answered(request, 'ok', ids),
    failed: ({ request }) => requests.answered(request, 'failed'),
    unknown: ({ request }) => requests.answered(request, 'unknown'),

    stored({ messages, at, shard }) {
      for (const message of messages) {
        stored.set(message.id, { queue: parseLane(message.lane).queue, readyAt: at + message.delayMs });
        requests.met(message.id, message.key);
        visible.stored(message.key, at);
        callbacks.met(message.id, message.key);
        order.stored(shard === undefined ? message : { ...message, lane: `${shard} ${message.lane}` });
        groups.stored(message);
      }
    },

    leased({ lease, entries, at, leaseMs, shard }) {
      limits.extended(lease, at, leaseMs);
      for (const entry of entries) {
        leasings.leased(entry, lease, at);
        limits.leased(entry, queueOf(entry), lease, at);
        order.leased(entry);
        groups.leased(entry);
        if (paused.has(onShard(shard, queueOf(entry)))) blame('whilePaused', parseEntry(entry).id);
        if (ended.get(parseEntry(entry).id) === 'cancelled') blame('afterCancel', parseEntry(entry).id);
      }
    },

    settled({ lease, settlements, at }) {
      for (const settled of settlements) {
        leasings.settled(settled, lease, at);
        if (['stale', 'gone', 'refused'].includes(settled.status)) continue;
        limits.returned(settled.entry, queueOf(settled.entry));
        const { id } = parseEntry(settled.entry);
        if (settled.status === 'acked' || settled.status === 'dead') groups.ended(id);
        if (settled.status === 'dead') ended.set(id, 'dead');
        if (settled.status === 'acked') callbacks.ended(id, 'done');
        if (settled.status === 'dead') callbacks.ended(id, 'dead');
      }
    },

    lapse(lapse) {
      leasings.lapsed(lapse);
      for (const entry of lapse.entries) limits.returned(entry, queueOf(entry));
    },

    delivered({ id, attempt, key }) {
      deliveries += 1;
      const cause = leasings.delivered(id, attempt);
      const earlier = arrived.get(id);
      if (!earlier) arrived.set(id, { key, mixed: false });
      else if (earlier.key !== key) earlier.mixed = true;
      if (earlier && cause) redelivered[cause] += 1;
      requests.met(id, key);
      callbacks.met(id, key);
    },

    outcome({ id, outcome }) {
      if (outcome === 'redriven') leasings.redriven(id);
      // The place that it has in a lease is free when its consumer settles it, or is told before it has seen it.
      if (outcome === 'cancelled') limits.returned(`1.${id}`, stored.get(id)?.queue ?? '');
      if (outcome === 'redriven') ended.delete(id);
      else ended.set(id, outcome);
      groups.ended(id);
    },

    paused: ({ queue, shard }) => void paused.add(onShard(shard, queue)),
    resumed: ({ queue, shard }) => void paused.delete(onShard(shard, queue)),

    killed() {
      kills += 1;
    },
  };

  /** Accepted on its way to its shard, where its dedup key was found to be taken: its receipt has an id that is never used. */
  const isMet = (id: string) => visible.isStoodFor(requests.keyOf(id) ?? '') && !stored.has(id);

  /** What only the end can tell. @returns how many were recovered */
  function close(): number {
    const lost = new Set<string>();
    for (const id of requests.acknowledged()) if (!arrived.has(id) && !ended.has(id) && !isMet(id)) lost.add(id);
    for (const key of promised) if (!visible.has(key)) lost.add(key);
    faults.lost.push(...lost, ...callbacks.missing());
    faults.halfVisible.push(...visible.halves());
    let recovered = 0;
    for (const id of new Set([...stored.keys(), ...arrived.keys()])) {
      const arrival = arrived.get(id);
      const key = requests.keyOf(id);
      const knowledge = key === undefined ? undefined : requests.knowledgeOf(key);
      const another = arrival !== undefined && (arrival.mixed || arrival.key !== key);
      const isDue = key === undefined ? undefined : callbacks.isDue(key);
      const unknown = knowledge === undefined || knowledge === 'failed' || !stored.has(id);
      if (another || (isDue === undefined ? unknown : !isDue)) blame('unexpected', id);
      else if (arrival && knowledge === 'unknown') recovered += 1;
      if (!leasings.hasEnded(id) && !ended.has(id) && !lost.has(id)) blame('unfinished', id);
    }
    return recovered;
  }

  return {
    see: (event: Event) => (followers[event.what] as (event: Event) => void)(event),
    verdict(): Verdict {
      const recovered = close();
      return {
        enqueued: requests.begunCount(),
        acknowledged: [...requests.acknowledged()].length,
        delivered: arrived.size,
        deliveries,
        recovered,
        dead: [...ended.values()].filter((outcome) => outcome === 'dead').length,
        cancelled: [...ended.values()].filter((outcome) => outcome === 'cancelled').length,
        kills,
        spread: visible.spread(),
        redelivered,
        faults,
        isSound: Object.values(faults).every((ids) => ids.length === 0),
      };
    },
  };
}
