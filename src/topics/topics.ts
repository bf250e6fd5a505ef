/**
 * Topics: one publication becomes a message for each subscription that matches its type, all or none, each with its own
 * retries and its own dead letter.
 */
import type * as z from 'zod/mini';
import {
  type EnqueueResult,
  type IdempotencyKey,
  makeReceipt,
  queuesNamed,
  type Receipt,
  type StoreInputs,
  stateOf,
} from '../broker/producer.ts';
import type { MessageInput, Queues } from '../broker/validate.ts';
import { InvalidMessage, type Issue, RequestMismatch, UnknownTopic } from '../errors.ts';
import { shortDigest } from '../formats/digest.ts';
import { parseDuration } from '../formats/duration.ts';
import { toIssues } from '../formats/issues.ts';
import type { MessageOptions } from '../message/options.ts';
import { chooseDestination } from '../queue/destination.ts';
import { placeOfTopic } from '../shards/places.ts';
import { Publication, Subscription } from './schema.ts';
import type { AppliedPublication, TopicStore } from './store.ts';

export type PublishOptions = Omit<MessageOptions, 'destination'>;

/** As its JSON is stored: with why and since when nothing is published to it, where its receiver wants no more. */
export type StoredSubscription = Subscription & {
  /** `at` in epoch ms, by the clock of the Worker that met the answer. */
  disabled?: { at: number; reason: string };
};

export type ActiveSubscription = { id: string } & StoredSubscription;

/** Headers of each message: from where it comes. */
export const TOPIC_HEADER = 'sluice-topic';
export const SUBSCRIPTION_HEADER = 'sluice-subscription';
const TYPE_HEADER = 'sluice-event';

/** What the publisher gets for each message. */
export type PublishResult = Receipt & { subscription: string };

export interface Topics {
  /** @throws StorageError */
  list(): Promise<{ topic: string; subscriptions: number }[]>;
  /** @throws StorageError, UnknownTopic */
  get(topic: string): Promise<ActiveSubscription[]>;
  /** Adds it or changes it, and enables it. @returns undefined where there are too many. @throws InvalidMessage, StorageError */
  subscribe(topic: string, id: string, wanted: unknown): Promise<ActiveSubscription | undefined>;
  /** @returns undefined where there is none. @throws StorageError; whatever `permit` throws of its queue */
  enable(topic: string, id: string, permit: (queue: string) => void): Promise<ActiveSubscription | undefined>;
  /** One, or all of them. @returns how many went. @throws StorageError */
  unsubscribe(topic: string, id?: string): Promise<number>;
  /**
   * @param publication judged by `Publication`
   * @param permit throws where the caller may not reach a queue: then nothing is published
   * @throws InvalidMessage, StorageError, RequestMismatch, UnknownTopic
   */
  publish(
    topic: string,
    publication: unknown,
    permit: (queue: string) => void,
    name?: IdempotencyKey,
  ): Promise<Omit<EnqueueResult, 'receipts'> & { receipts: PublishResult[] }>;
}

export interface TopicsOptions {
  topics: TopicStore;
  queues: Queues;
  accept: StoreInputs;
  /** Starts a drain where one is wanted. */
  attend(isWanted: boolean): void;
}

/** The most bytes of one subscription. */
const MAX_SUBSCRIPTION_LENGTH = 16_384;

export function openTopics(options: TopicsOptions): Topics {
  const { topics, queues } = options;
  return {
    async list() {
      const known = [...(await topics.topics())].toSorted(([a], [b]) => (a < b ? -1 : 1));
      return known.map(([topic, subscriptions]) => ({ topic, subscriptions }));
    },
    async get(topic) {
      const { subscriptions } = await topics.read(topic);
      if (subscriptions.size === 0) throw new UnknownTopic(topic);
      return subscribed(subscriptions);
    },
    async subscribe(topic, id, wanted) {
      const { subscription, json } = checked(wanted, queues);
      return (await topics.subscribe(topic, id, json)) ? { id, ...subscription } : undefined;
    },
    enable: (topic, id, permit) => enable(topics, topic, id, permit),
    unsubscribe: (topic, id) => topics.unsubscribe(topic, id),
    publish: (...publication) => publish(options, ...publication),
  };
}

async function enable(
  topics: TopicStore,
  topic: string,
  id: string,
  permit: (queue: string) => void,
): Promise<ActiveSubscription | undefined> {
  const read = (await topics.read(topic)).subscriptions.get(id);
  if (read === undefined) return undefined;
  const { disabled, ...subscription } = JSON.parse(read) as StoredSubscription;
  permit(subscription.queue);
  const isEnabled = !disabled || (await topics.subscribe(topic, id, JSON.stringify(subscription), read));
  return isEnabled ? { id, ...subscription } : enable(topics, topic, id, permit); // another has changed it meanwhile
}

async function publish(
  options: TopicsOptions,
  ...[topic, publication, permit, name]: Parameters<Topics['publish']>
): ReturnType<Topics['publish']> {
  const { topics, queues, accept, attend } = options;
  const { type, body, ...shared } = published(publication);
  const { subscriptions, applied } = await topics.read(topic, name?.token);
  if (applied) {
    if (applied.fingerprint !== name?.fingerprint) throw new RequestMismatch('this key was used for another request');
    attend(applied.wake);
    return { receipts: replayed(applied, shared), wake: applied.wake, replayed: true };
  }
  if (subscriptions.size === 0) throw new UnknownTopic(topic);
  const matching = subscribed(subscriptions).filter(
    ({ events, disabled }) => !disabled && events.some((event) => matches(event, type)),
  );
  for (const queue of [...matching.map((one) => one.queue), ...queuesNamed(shared)]) permit(queue);
  if (matching.length === 0) return { receipts: [], wake: false, replayed: false };
  const inputs = await Promise.all(matching.map((one) => inputFor(topic, type, body, shared, one, queues)));
  const named = name && { ...name, note: formatNote(matching), coordinator: placeOfTopic(topic) };
  const answer = await accept(inputs, named);
  if (name && answer.replayed) {
    // Another was first, or the answer to an earlier try was lost: what was stored then counts, and the store tells it.
    return publish(options, topic, publication, permit, name);
  }
  const receipts = answer.receipts.map((receipt, i) => ({ ...receipt, subscription: matching[i]?.id ?? '' }));
  return { ...answer, receipts };
}

/** @throws InvalidMessage */
function published(publication: unknown): z.infer<typeof Publication> {
  const { data, error } = Publication.safeParse(publication);
  if (!data) throw new InvalidMessage(toIssues(error, ''));
  if (data.body === undefined) throw new InvalidMessage([{ field: 'body', code: 'required', message: 'is required' }]);
  return data;
}

/** @throws InvalidMessage */
function checked(wanted: unknown, queues: Queues) {
  const parsed = Subscription.safeParse(wanted);
  if (parsed.error) throw new InvalidMessage(toIssues(parsed.error, ''));
  const subscription = parsed.data;
  const queue = queues.get(subscription.queue);
  const issues: Issue[] = [];
  if (!queue) issues.push({ field: 'queue', code: 'unknown_queue', message: 'is no queue of this deployment' });
  else {
    const chosen = chooseDestination(queue.destination, subscription.destination, '');
    if (chosen.issue) issues.push(chosen.issue);
  }
  const json = JSON.stringify(subscription);
  if (json.length > MAX_SUBSCRIPTION_LENGTH) {
    issues.push({ field: '', code: 'too_large', message: `must take at most ${MAX_SUBSCRIPTION_LENGTH} characters` });
  }
  if (issues.length > 0) throw new InvalidMessage(issues);
  return { subscription, json };
}

/** In the order of their ids: the same on every server. */
function subscribed(stored: Map<string, string>): ActiveSubscription[] {
  const byId = [...stored].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return byId.map(([id, json]) => ({ id, ...(JSON.parse(json) as StoredSubscription) }));
}

/** @param pattern a type, or the beginning of types with `*` behind it */
export function matches(pattern: string, type: string): boolean {
  return pattern.endsWith('*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern;
}

async function inputFor(
  topic: string,
  type: string,
  body: unknown,
  { dedup, headers, ...options }: PublishOptions,
  { id, queue, destination }: ActiveSubscription,
  queues: Queues,
): Promise<MessageInput> {
  return {
    queue: queues.get(queue),
    body,
    options: {
      ...options,
      headers: { ...headers, [TOPIC_HEADER]: topic, [SUBSCRIPTION_HEADER]: id, [TYPE_HEADER]: type },
      ...(destination === undefined ? {} : { destination }),
      // A key is known within its queue, and two subscriptions may share one: each has a key of its own.
      ...(dedup ? { dedup: { ...dedup, key: await shortDigest(`${topic}\n${id}\n${dedup.key}`) } } : {}),
    },
    path: `subscriptions.${id}.`,
  };
}

const formatNote = (subscriptions: ActiveSubscription[]) =>
  subscriptions.map(({ id, queue }) => `${id}:${queue}`).join(',');

/** The first answer again, whoever is subscribed by now. */
function replayed({ note, open }: AppliedPublication, options: PublishOptions): PublishResult[] {
  const places = note.split(',').map((place) => place.split(':'));
  const { ids, duplicates, split } = open(places.length);
  const own = split && new Set(split.parts[0].places);
  return places.map(([subscription = '', queue = ''], index) => {
    // Whether a key is taken on another shard is known there.
    const state = stateOf(isLater(options), options.dedup && own?.has(index) === false);
    return { ...makeReceipt(queue, ids[index] ?? '', state, duplicates.get(index)), subscription };
  });
}

function isLater({ delay = 0, notBefore = 0 }: PublishOptions): boolean {
  return (parseDuration(delay) ?? 0) > 0 || new Date(notBefore).getTime() > Date.now();
}
