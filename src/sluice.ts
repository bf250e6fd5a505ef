/** createSluice: queues and edge functions become a Worker. */

import { queuesNamed, type Receipt } from './broker/producer.ts';
import type { MessageInput } from './broker/validate.ts';
import { type Alarms, Drainer } from './drain/drainer.ts';
import { rememberEngines } from './engine/engines.ts';
import { collectFeatures } from './engine/features.ts';
import { noteMakings } from './engine/makings.ts';
import type { Tick } from './engine/sweeps.ts';
import { type Engine, openEngine } from './engine.ts';
import { InvalidMessage, type Issue } from './errors.ts';
import { type App, createApp } from './http/app.ts';
import { isObject } from './http/body.ts';
import type { EdgeFunction } from './http/route.ts';
import type { MessageOptions } from './message/options.ts';
import type { AnyQueue, QueueFor } from './queue/queue.ts';
import type { BodyOf, QueueName, QueueSet } from './queue/queue-set.ts';
import type { Ring } from './queue/ring.ts';
import { rehearse } from './rehearsal.ts';
import type { Caller } from './runtime/caller.ts';
import { processEnv } from './runtime/environment.ts';
import { findInvocation } from './runtime/invocation.ts';
import { checkRuntime, isWorkers } from './runtime/runtime.ts';
import { type FetchContext, FLOATING } from './runtime/wait-until.ts';
import type { Schedule } from './schedules/schedule.ts';
import type { PublishOptions, PublishResult } from './topics/topics.ts';
import type { AnySource } from './webhooks/source.ts';

export interface SluiceOptions {
  /** A push queue without handler or destination is another deployment's to handle: here its messages are enqueued, and left. */
  queues: readonly AnyQueue[];
  /** Who sends webhooks, each to `/hooks/<name>`. */
  sources?: AnySource[];
  /** Messages that are enqueued again and again by the clock. */
  schedules?: Schedule[];
  /**
   * The routes that the Worker answers over HTTP, from `sluice/functions`. Code in the Worker has topics and rings only where their
   * functions are given. Without any only cron and code in the Worker reach the queues.
   */
  functions?: EdgeFunction[];
}

/** One message of a batch. */
export interface BatchMessage<Input = unknown> {
  queue: QueueFor<Input>;
  body: NoInfer<Input>;
  options?: MessageOptions;
}

/** A message of a batch that names its queue. Its options stand beside the body, as in the HTTP API. */
export type NamedMessage<Queues extends QueueSet = QueueSet> = {
  [Name in QueueName<Queues>]: MessageOptions & { queue: Name; body: BodyOf<Name, Queues> };
}[QueueName<Queues>];

/** Enqueueing by the names of queues, for callers that do not have their definitions. They may have their types: `typeof queues`. */
export interface NamedProducer<Queues extends QueueSet = QueueSet> {
  /**
   * Stores one message.
   * @returns its receipt, as that of Producer
   * @throws InvalidMessage, also where there is no such queue; StorageError
   */
  enqueue<Name extends QueueName<Queues>>(
    queue: Name,
    body: BodyOf<Name, Queues>,
    options?: MessageOptions,
  ): Promise<Receipt>;
  /** Stores 1 to 1000 messages, all or none, in one request. @throws InvalidMessage, StorageError */
  enqueueMany(messages: NamedMessage<Queues>[]): Promise<Receipt[]>;
}

/** The part of a Durable Object's state that a drainer uses. */
export interface DrainerState {
  storage: Alarms;
  id: { equals(other: never): boolean };
}

/** Enqueueing from code in the Worker: other handlers, other routes, Durable Objects. */
export interface Producer {
  /**
   * Stores one message.
   * @returns `{ id, queue, state: 'ready' | 'delayed' | 'accepted' | 'duplicate', duplicate }`, when the message is stored
   * @throws InvalidMessage where the message is wrong; StorageError where storage gave no usable answer
   * @example const { id } = await sluice.producer(env, ctx).enqueue(mail, { to: 'ada@example.com' }, { delay: '10m' })
   */
  enqueue<Input>(queue: QueueFor<Input>, body: NoInfer<Input>, options?: MessageOptions): Promise<Receipt>;
  /**
   * Stores 1 to 1000 messages, all or none, in one request.
   * @returns their receipts, in their order
   * @throws InvalidMessage whose issues name fields such as `messages[3].delay`; StorageError
   * @example await sluice.producer(env, ctx).enqueueMany(users.map(({ to }) => ({ queue: mail, body: { to } })))
   */
  enqueueMany<Inputs extends unknown[]>(
    messages: readonly [...{ [Place in keyof Inputs]: BatchMessage<Inputs[Place]> }],
  ): Promise<Receipt[]>;
  /**
   * Enqueues a message for each subscription of the topic whose filter matches the type, all or none.
   * @returns a receipt with its subscription for each message; an empty list where no filter matches
   * @throws InvalidMessage, StorageError; UnknownTopic where the topic has no subscriptions at all; Error where createSluice was not
   *   given the function `topics`
   * @example await sluice.producer(env, ctx).publish('invoices', 'invoice.paid', { id: 'in_1' })
   */
  publish(topic: string, type: string, body: unknown, options?: PublishOptions): Promise<PublishResult[]>;
}

export interface TickOptions {
  /**
   * `false`: it does not wait for what is due later, for platforms that bill such a wait. Default: it waits where that is worth it,
   * for as long as `SLUICE_DRAIN_MS` lets it take messages.
   */
  wait?: boolean;
  /** What keeps work alive behind the tick. */
  context?: FetchContext | undefined;
}

/**
 * A deployment. Where `env` is left out it is the environment of the process. Each environment has one engine: a copy that holds the
 * same values is the same environment.
 */
export interface Sluice<Env extends object> {
  /**
   * Answers a request. Without a context, as outside Workers, the work that it begins behind its answer goes on by itself.
   * @returns an answer also where something is wrong: a problem, as docs/api.md lists them
   * @example const response = await sluice.fetch(request, env, { waitUntil: (promise) => after(() => promise) })
   */
  fetch(request: Request, env?: Env, context?: FetchContext): Promise<Response>;
  /**
   * Does what cron does once a minute: it sweeps, and drains where there is work.
   * @returns what was swept, and delivered where it drained
   * @throws StorageError; BadSettings
   * @example await sluice.tick(process.env, { wait: false })
   */
  tick(env?: Env, options?: TickOptions): Promise<Tick>;
  /** A tick, as Cloudflare's cron calls it. */
  scheduled(controller: unknown, env?: Env, context?: FetchContext): Promise<void>;
  /**
   * Enqueues from code elsewhere in the deployment: `sluice.producer(env, ctx).enqueue(queue, body)`. Without a context, as in a
   * handler, it wakes no drain: the message is taken by a drain at work, by one that the next request wakes, or by cron's.
   */
  producer(env?: Env, context?: FetchContext): Producer;
  /**
   * A producer by names, for callers that do not share this code: their messages are validated as by the HTTP API.
   * @example await sluice.named<typeof queues>(env, ctx).enqueue('mail', { to: 'ada@example.com' })
   */
  named<Queues extends QueueSet = QueueSet>(env?: Env, context?: FetchContext): NamedProducer<Queues>;
  /** The work of a Durable Object that is bound as DRAINER: `drainerOf` of `sluice/cloudflare` makes a class of it. */
  drainer(env: Env, state: DrainerState): Drainer;
  /**
   * A ring of this deployment, which is a circular list; createSluice has to be given the function `rings`.
   * @throws Error where it was not; RangeError where no ring can have this name
   * @example const next = await sluice.ring(env, 'sites').rotate(10)
   */
  ring(env: Env, name: string): Ring;
}

/**
 * Makes a Worker of queues and what belongs to them. It does no I/O: settings are read, and storage is reached, at the first request.
 * @throws Error where the runtime is too old
 * @throws RangeError where two queues or two sources share a name, or two schedules an id; where the queue of a schedule, or the one
 *   queue of a source, is not among the queues
 * @example export default createSluice<Env>({ queues: [mail], functions: [enqueue, health] })
 */
export function createSluice<Env extends object>({
  queues,
  sources = [],
  schedules = [],
  functions = [],
}: SluiceOptions): Sluice<Env> {
  checkRuntime();
  const byName = indexQueues(queues);
  const bySource = new Map(sources.map((source) => [source.name, source]));
  if (bySource.size < sources.length) throw new RangeError('two sources have the same name');
  for (const { name, route } of sources) {
    if (typeof route !== 'function' && !byName.has(route.name))
      // it may be the same without its handler
      throw new RangeError(`the queue of source ${name} is not here`);
  }
  checkSchedules(schedules, byName);
  const features = collectFeatures(functions);
  const options = { sources: bySource, schedules, features };
  const engines = rememberEngines((env) => openEngine(env, byName, options));
  const ofProcess = () => processEnv() as Env;
  const app = createApp(functions, (env, context) => engines.of(env).under(makeCaller(context)));
  if (isWorkers()) rehearse(queues, { open: engines.of, app }); // elsewhere a process is loaded once, and nobody counts
  const sluice: Sluice<Env> = {
    async fetch(request, env = ofProcess(), context = FLOATING) {
      const response = await app.fetch(request, env, context as Parameters<App['fetch']>[2]); // only its waitUntil is used
      const engine = engines.known(env); // none where the settings are bad
      if (engine?.parts.claims.areOpen) engine.under(makeCaller(context)).attend(false);
      return response;
    },
    async tick(env = ofProcess(), { wait = true, context } = {}) {
      const caller = makeCaller(context);
      if (!wait) caller.invocation.sleepsMs = 0;
      return engines.of(env).under(caller).tick();
    },
    async scheduled(_controller, env = ofProcess(), context) {
      await engines.of(env).under(makeCaller(context)).tick(); // awaited: what it throws shows up as a failed cron event
    },
    producer: (env = ofProcess(), context) => makeProducer(engines.of(env), context),
    named: (env = ofProcess(), context) => makeNamedProducer(engines.of(env), context),
    drainer: (env, { storage, id }) => drainerFor(engines.of(env), storage, id),
    ring: (env, name) => engines.of(env).parts.ring(name),
  };
  noteMakings(sluice, { queues: byName, options, engines });
  return sluice;
}

function indexQueues(queues: readonly AnyQueue[]): ReadonlyMap<string, AnyQueue> {
  const byName = new Map<string, AnyQueue>();
  for (const queue of queues) {
    const { name } = queue;
    if (byName.has(name)) throw new RangeError(`two queues have the name ${name}`);
    byName.set(name, queue);
  }
  return byName;
}

function checkSchedules(schedules: Schedule[], queues: ReadonlyMap<string, AnyQueue>): void {
  if (new Set(schedules.map(({ id }) => id)).size < schedules.length) {
    throw new RangeError('two schedules have the same id');
  }
  for (const { id, queue, message } of schedules) {
    for (const name of [queue, ...queuesNamed(message.options)]) {
      if (!queues.has(name)) throw new RangeError(`schedule ${id}: there is no queue ${name} here`);
    }
  }
}

const NO_OPTIONS = {};
const NO_LIST: Issue = { field: 'messages', code: 'invalid', message: 'must be a list of messages' };

const makeCaller = (context?: FetchContext): Caller => ({ invocation: findInvocation(context), context });

/**
 * What code of the deployment enqueues by, asked for with each call: a producer may be kept as long as its process, and a context that
 * is no platform's has an invocation each time.
 */
function underCode(deployed: Engine, context?: FetchContext): () => Engine {
  let engine: Engine | undefined;
  return () => {
    const caller = { ...makeCaller(context), isCode: true };
    if (engine?.caller?.invocation !== caller.invocation) engine = deployed.under(caller);
    return engine;
  };
}

function makeProducer(deployed: Engine, context?: FetchContext): Producer {
  const engine = underCode(deployed, context);
  const { topics } = deployed.parts.features;
  const store = (messages: readonly BatchMessage[], many: boolean) => {
    const inputs = messages.map(({ queue, body, options = NO_OPTIONS }, i) => ({
      queue,
      body,
      options,
      path: many ? `messages[${i}].` : '',
    }));
    return storeFor(engine(), inputs);
  };
  return {
    enqueueMany: (messages) => store(messages, true),
    async publish(topic, type, body, options) {
      if (!topics) throw new Error('this deployment has no topics: give createSluice the function "topics"');
      const permitted = () => {}; // code of the deployment may reach every queue
      const publishing = engine();
      publishing.caller?.invocation.noteCaller(1, Date.now()); // it reads the subscriptions first
      return (await topics.open(publishing).publish(topic, { ...options, type, body }, permitted)).receipts;
    },
    async enqueue(queue, body, options) {
      const [receipt] = await store([{ queue, body, ...(options ? { options } : {}) }], false);
      return receipt as Receipt;
    },
  };
}

function makeNamedProducer<Queues extends QueueSet>(deployed: Engine, context?: FetchContext): NamedProducer<Queues> {
  const { queues } = deployed;
  const engine = underCode(deployed, context);
  return {
    async enqueue(name, body, options = NO_OPTIONS) {
      const [receipt] = await storeFor(engine(), [{ queue: queues.get(name), body, options, path: '' }]);
      return receipt as Receipt;
    },
    async enqueueMany(messages: unknown) {
      if (!Array.isArray(messages)) throw new InvalidMessage([NO_LIST]);
      const inputs = messages.map((message: unknown, i) => {
        const { queue, body, ...options } = (isObject(message) ? message : NO_OPTIONS) as NamedMessage;
        return { queue: queues.get(queue), body, options, path: `messages[${i}].` };
      });
      return storeFor(engine(), inputs);
    },
  };
}

async function storeFor(engine: Engine, inputs: MessageInput[]): Promise<Receipt[]> {
  return (await engine.enqueue(inputs)).receipts;
}

function drainerFor(engine: Engine, alarms: Alarms, id: DrainerState['id']): Drainer {
  const { waking, drainers } = engine.parts;
  const place = drainers?.placeOf(id);
  return new Drainer({ alarms, drain: (watch) => waking.round(watch, { place }), next: drainers?.behind(id) });
}
