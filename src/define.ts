/**
 * Definitions alone, the entry `sluice/define`: for code that a deployment shares with those who enqueue to it.
 *
 * It has what defines a queue, and what its handler throws and reads, and no package and nothing of the engine behind it. Schedules and
 * sources are not here: they belong to the one deployment that fires and receives them, and bring cron, schemas and signatures.
 */
export { NonRetriableError, RetryAfterError } from './errors.ts';
export type { Duration } from './formats/duration.ts';
export type { Destination } from './message/destination.ts';
export type { Message, Priority } from './message/message.ts';
export type { MessageOptions } from './message/options.ts';
export { type Raw, rawBytes } from './message/raw.ts';
export { type Backoff, constant, exponential, steps } from './queue/backoff.ts';
export type { DedupMode, DedupPolicy, QueueContract, QueueKind } from './queue/contract.ts';
export type { DestinationOptions } from './queue/destination.ts';
export type { Handler, HandlerContext } from './queue/handler.ts';
export type { LimitOptions, Limits, Rate } from './queue/limits.ts';
export { type AnyQueue, defineQueue, type Queue, type QueueFor, type QueueOptions } from './queue/queue.ts';
export type { QueueSet } from './queue/queue-set.ts';
export type { Ring, RingAdded, RingPage } from './queue/ring.ts';
