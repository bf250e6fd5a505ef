/** Topics in the store: who is subscribed to what. Each call is bounded and safe to repeat. */
import { StorageError } from '../errors.ts';
import type { Key } from '../redis/keys.ts';
import * as scripts from '../redis/lua/generated.ts';
import { digits } from '../redis/lua/script.ts';
import { list, pairs, strings } from '../redis/reply.ts';
import type { Shard } from '../redis/shard.ts';
import { type AppliedRequest, readApplied } from '../store/enqueue.ts';

/** The most subscriptions of a topic: a publication becomes as many messages. */
const MAX_SUBSCRIPTIONS = 100;
const MAX_TOPICS = 1_000;

/** A publication that was applied before: what its first answer said. */
export interface AppliedPublication {
  fingerprint: string;
  note: string;
  wake: boolean;
  /** The ids of its messages, the duplicates among them, and where they are. @param count how many there were */
  open(count: number): Omit<AppliedRequest, 'note'>;
}

export interface TopicStore {
  /** Topic to how many subscriptions it has. @throws StorageError */
  topics(): Promise<Map<string, number>>;
  /** Subscription to its JSON; and what is known of the request of that name. @throws StorageError */
  read(topic: string, token?: string): Promise<{ subscriptions: Map<string, string>; applied?: AppliedPublication }>;
  /**
   * @param read only where this stands there
   * @returns false where there are too many, or another stands there, and nothing was changed. @throws StorageError
   */
  subscribe(topic: string, id: string, json: string, read?: string): Promise<boolean>;
  /** One, or all of them. @returns how many went. @throws StorageError */
  unsubscribe(topic: string, id?: string): Promise<number>;
}

export function openTopicStore({ run, keys }: Shard): TopicStore {
  return {
    async topics() {
      const [fields] = list((await run(scripts.getTopic, [keys.topics], [])).reply);
      return new Map(pairs(strings(fields)).map(([topic, count]) => [topic, Number(count)]));
    },
    async read(topic, token) {
      const request: [] | [Key<'req'>, Key<'awake'>] = token === undefined ? [] : [keys.request(token), keys.awake];
      const { reply } = await run(scripts.getTopic, [keys.topic(topic), ...request], []);
      const [fields, stored, wake] = list(reply);
      const subscriptions = new Map(pairs(strings(fields)));
      return { subscriptions, ...(stored === '' ? {} : { applied: parseApplied(String(stored), wake === '1') }) };
    },
    async subscribe(topic, id, json, read) {
      const known: [] | [string] = read === undefined ? [] : [read];
      const { reply } = await run(
        scripts.subscribe,
        [keys.topic(topic), keys.topics],
        [topic, id, json, digits(MAX_SUBSCRIPTIONS), digits(MAX_TOPICS), ...known],
      );
      return reply === 'subscribed';
    },
    async unsubscribe(topic, id = '') {
      return Number((await run(scripts.unsubscribe, [keys.topic(topic), keys.topics], [topic, id])).reply);
    },
  };
}

/** @param stored as enqueue.lua writes it: `<fingerprint> <base> <met>` */
function parseApplied(stored: string, wake: boolean): AppliedPublication {
  const [, fingerprint, base = '', met = ''] = /^(\S+) (\S+) ?(.*)$/.exec(stored) ?? [];
  if (fingerprint === undefined) throw new StorageError('garbled', 'a request is not as it was written');
  return {
    fingerprint,
    note: readApplied(base, '', 0).note,
    wake,
    open: (count) => readApplied(base, met, count),
  };
}
