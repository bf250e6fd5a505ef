/**
 * Queues: a name with a policy, and, for a push queue, the handler its messages go to.
 *
 * Pure. A push queue is drained by the deployment that has its handler, or delivered to its destination; a pull queue is received from
 * by consumers elsewhere.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type Duration, toMs } from '../formats/duration.ts';
import { PUSH_POOL } from '../message/lane.ts';
import { type Priority, QUEUE_NAME } from '../message/message.ts';
import { type Backoff, exponential, steps } from './backoff.ts';
import type { DedupPolicy, Partition, QueueContract, QueueKind } from './contract.ts';
import { breakerWords, type DestinationOptions, definePolicy } from './destination.ts';
import type { Handler } from './handler.ts';
import { checkWhole, DEFAULT_TIMEOUT_MS, encodeLimits, type LimitOptions } from './limits.ts';

export interface QueueOptions<
  Schema extends StandardSchemaV1 = StandardSchemaV1,
  Env = unknown,
  Kind extends QueueKind = QueueKind,
> extends LimitOptions {
  /** 0 to 9, 0 first; a message may carry its own. Default 5. */
  priority?: Priority;
  /** Any Standard Schema. Bodies are checked when they come in, and again when they go to the handler. */
  schema?: Schema;
  /** Deliveries, crashes included, after which a message becomes a dead letter. Default 5; 10 with a destination. */
  attempts?: number;
  /** Wait between attempts. Default: 2 s doubling to 10 minutes; with a destination 5 s, 5 min, 30 min, then hours, 3 days in all. */
  backoff?: Backoff;
  /** A delivery that takes longer is aborted and counts as failed; a drain that lives shorter does not begin it. Default 15 s. */
  timeout?: Duration;
  /** A message not delivered within it for the first time becomes a dead letter. Default: none. */
  ttl?: Duration;
  /** How long the outcome and what the handler returned are kept, to be asked for. Default: not at all. */
  resultTtl?: Duration;
  /** How messages with a dedup key are treated that do not say so themselves. */
  dedup?: DedupPolicy;
  /** Subrequests that one delivery may make, at most: a drain's budget counts them, and the platform refuses all where they are more. Default 1. */
  subrequests?: number;
  /**
   * Messages go to an HTTP endpoint instead of a handler. `true`: each names its own, and is in the group of its origin.
   * Without `limits` each destination has two deliveries at once.
   */
  destination?: DestinationOptions | true;
  /**
   * How the queue is spread where there are several shards; with one it changes nothing. Default: not at all, its home is one of them.
   *
   * 'group': each group has a home of its own, and messages without a group have the queue's. What a group promises (order, limits of
   * `group`, dedup keys) stays exact; limits of the queue are kept by each shard for itself.
   * 'any': each request goes anywhere, so nothing is in order, and limits of groups are kept by each shard for itself. Messages with one
   * dedup key still come to one shard. Refused with `ordered`, and with limits of the queue.
   * @example defineQueue('page.views', { partition: 'any', handler: … })
   */
  partition?: Partition;
  /**
   * Who works on its messages: 'push' for a handler or a destination of a deployment, 'pull' for consumers elsewhere, who receive
   * them. Has to be said where neither a handler nor a destination is given. With 'push' the queue gets its handler by `handle`, where
   * that runs; a deployment that has the queue without one leaves its messages to the deployment that handles them.
   */
  kind?: Kind;
  handler?: Handler<StandardSchemaV1.InferOutput<Schema>, Env>;
}

/** A checked definition. The type parameters carry its name, what its schema takes in and gives out, and who works on its messages. */
export interface Queue<
  Name extends string = string,
  Input = unknown,
  Output = Input,
  Env = unknown,
  Kind extends QueueKind = QueueKind,
> extends QueueContract<Input, Output> {
  readonly name: Name;
  readonly kind: Kind;
  readonly backoff: Backoff;
  readonly subrequests: number;
  /** Limits, order and fairness, in the words of the scripts; '' where it has none. */
  readonly policy: string;
  readonly handler: Handler<Output, Env> | undefined;
  /**
   * The same queue with its handler. So the definition can stand in code that others share, who enqueue, and the handler where it runs.
   * @returns another queue: this one stays as it is, and serves as well to enqueue, in schedules and in sources
   * @throws RangeError that names the queue, where it is a pull queue, or has a destination or a handler; TypeError where none is given
   * @example
   * // contracts.ts, shared
   * export const invoice = defineQueue('invoice', { kind: 'push', schema: z.object({ customer: z.string() }) });
   * // sluice.ts, where it runs
   * createSluice({ queues: [invoice.handle(async ({ body }, { env }: HandlerContext<Env>) => bill(env, body.customer))] });
   */
  handle<Bindings>(
    this: { readonly kind: 'push' },
    handler: Handler<Output, Bindings>,
  ): Queue<Name, Input, Output, Bindings, 'push'>;
}

/** A queue that takes this input, whatever its schema makes of that for the handler. */
// biome-ignore lint/suspicious/noExplicitAny: producers do not care what the handler gets
export type QueueFor<Input> = Queue<string, Input, any, any, any>;

// biome-ignore lint/suspicious/noExplicitAny: a list of queues mixes bodies, and each handler is the judge of its own
export type AnyQueue = Queue<string, any, any, any, any>;

/** The backoff of queues that name none, and of consumers elsewhere that name no delay. */
export const DEFAULT_BACKOFF = exponential({ base: '2s', max: '10m' });

/** The backoff of deliveries over HTTP, which is the schedule of Standard Webhooks: a receiver that is down for a weekend still gets them. */
const WEBHOOK_BACKOFF = steps('5s', '5m', '30m', '2h', '5h', '10h', '14h', '20h', '24h');

/**
 * Defines a queue: its name, its policy and, for a push queue, its handler. It does no I/O.
 * @param name 1 to 64 letters, digits, dots, dashes and underscores; it names the queue in storage and in the API. Its type is the
 *   literal, by which `createClient<typeof queues>()` knows the queue
 * @throws RangeError that names the bad setting
 * @example
 * const mail = defineQueue('mail', {
 *   schema: z.object({ to: z.email() }),
 *   attempts: 8,
 *   handler: async ({ body }, { env }) => send(env, body.to),
 * });
 */
export function defineQueue<
  const Name extends string,
  Schema extends StandardSchemaV1 = StandardSchemaV1,
  Env = unknown,
  Kind extends QueueKind = 'push',
>(
  name: Name,
  options: QueueOptions<Schema, Env, Kind> = {},
): Queue<Name, StandardSchemaV1.InferInput<Schema>, StandardSchemaV1.InferOutput<Schema>, Env, Kind> {
  const of = `queue ${JSON.stringify(name)}`;
  const setting = (key: string) => `${key} of ${of}`;
  if (!QUEUE_NAME.test(name))
    throw new RangeError(`a queue's name must match ${QUEUE_NAME}; got ${JSON.stringify(name)}`);
  const { schema, handler, destination } = options;
  const kind = resolveKind(name, options) as Kind;
  const { backoff = destination ? WEBHOOK_BACKOFF : DEFAULT_BACKOFF, attempts = destination ? 10 : 5 } = options;
  return Object.freeze({
    name,
    kind,
    pool: kind === 'push' ? PUSH_POOL : name,
    priority: checkWhole(options.priority ?? 5, setting('priority'), 0, 9) as Priority,
    schema: schema as
      | StandardSchemaV1<StandardSchemaV1.InferInput<Schema>, StandardSchemaV1.InferOutput<Schema>>
      | undefined,
    attempts: checkWhole(attempts, setting('attempts'), 1, 1_000),
    backoff,
    timeoutMs: toMs(options.timeout ?? DEFAULT_TIMEOUT_MS, setting('timeout')),
    ttlMs: toMs(options.ttl ?? 0, setting('ttl')),
    resultTtlMs: toMs(options.resultTtl ?? 0, setting('resultTtl')),
    dedup: Object.freeze({
      windowMs: toMs(options.dedup?.window ?? '5m', setting('dedup.window')),
      mode: options.dedup?.mode ?? 'drop',
      release: options.dedup?.release ?? false,
    }),
    subrequests: checkWhole(options.subrequests ?? 1, setting('subrequests'), 0, 1_000),
    destination: destination && definePolicy(destination, setting('destination')),
    ordered: Boolean(options.ordered),
    partition: checkPartition(options, of),
    policy: policyWords(options, destination, of) + (options.ordered ? ` p=${options.priority ?? 5}` : ''),
    handler,
    handle<Bindings>(given: Handler<StandardSchemaV1.InferOutput<Schema>, Bindings>) {
      // One that is missing, as in a circle of imports, would leave the messages to another deployment, without a word.
      if (typeof given !== 'function') throw new TypeError(`the handler of queue ${name} must be a function`);
      if (handler) throw new RangeError(`queue ${name} has a handler already`);
      return defineQueue(name, { ...options, handler: given } as QueueOptions<Schema, Bindings, 'push'>);
    },
  });
}

/** What one shard alone can keep is not for a queue that is on any. */
function checkPartition(
  options: LimitOptions & Pick<QueueOptions, 'partition' | 'destination'>,
  of: string,
): Partition | undefined {
  const { partition, ordered, destination } = options;
  if (partition === undefined || partition === 'group') return partition;
  if (partition !== 'any') throw new RangeError(`partition of ${of} must be 'group' or 'any'; got ${partition}`);
  if (ordered) throw new RangeError(`partition of ${of} cannot be 'any': the queue is ordered`);
  const { concurrency, rate } = (destination ? withFewAtOnce(options, destination) : options).limits ?? {};
  if (concurrency === undefined && rate === undefined) return partition;
  const byDefault = options.limits
    ? ''
    : ', for its destination has two deliveries at once unless `limits` say otherwise';
  throw new RangeError(`partition of ${of} cannot be 'any': the queue as a whole has limits${byDefault}`);
}

/** The kind is part of the definition, so that a program which only enqueues and one that handles agree. */
function resolveKind(
  name: string,
  { kind, handler, destination }: { kind?: QueueKind; handler?: unknown; destination?: unknown },
): QueueKind {
  if (handler && destination) throw new RangeError(`queue ${name} has a handler and a destination: it can have one`);
  const works = handler || destination;
  if (!kind && !works) {
    throw new RangeError(
      `kind of queue ${name} is missing: without a handler or a destination say 'pull' where consumers receive its ` +
        `messages, 'push' where its handler is given elsewhere`,
    );
  }
  if (kind === 'pull' && works)
    throw new RangeError(`queue ${name} is for pull: it cannot have a handler or a destination`);
  return kind ?? 'push';
}

function policyWords(options: LimitOptions, destination: DestinationOptions | true | undefined, of: string): string {
  if (!destination) return encodeLimits(options, of);
  const limits = encodeLimits(withFewAtOnce(options, destination), of);
  return [limits, ...breakerWords(destination, `destination of ${of}`)].filter((words) => words !== '').join(' ');
}

/** A destination that hangs must not hold every handler: unless the queue says otherwise each has two at a time. */
function withFewAtOnce(limits: LimitOptions, destination: DestinationOptions | true): LimitOptions {
  if (limits.limits || limits.ordered) return limits;
  const few = { concurrency: 2 };
  return { ...limits, limits: destination !== true && destination.url !== undefined ? few : { group: few } };
}
