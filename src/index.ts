/**
 * The public API of Sluice, the entry `sluice`: define queues, schedules and webhook sources, and make a Worker of them.
 *
 * The routes of the HTTP API are `sluice/functions`, the senders of webhooks `sluice/providers`, the client `sluice/client`.
 */

export type { Receipt } from './broker/producer.ts';
export type { Tick } from './engine/sweeps.ts';
export {
  InvalidMessage,
  type Issue,
  NonRetriableError,
  RequestMismatch,
  RetryAfterError,
  StorageError,
  UnknownTopic,
} from './errors.ts';
export type { Duration } from './formats/duration.ts';
export type { EdgeFunction } from './http/route.ts';
export type { Destination } from './message/destination.ts';
export type { Message, Priority } from './message/message.ts';
export type { MessageOptions } from './message/options.ts';
export { type Raw, rawBytes } from './message/raw.ts';
export { type Backoff, constant, exponential, steps } from './queue/backoff.ts';
export type { DestinationOptions } from './queue/destination.ts';
export type { Handler, HandlerContext } from './queue/handler.ts';
export type { LimitOptions, Limits, Rate } from './queue/limits.ts';
export { type AnyQueue, defineQueue, type Queue, type QueueFor, type QueueOptions } from './queue/queue.ts';
export type { Ring, RingAdded, RingPage } from './queue/ring.ts';
export type { FetchContext } from './runtime/wait-until.ts';
export { defineSchedule, type ScheduleOptions } from './schedules/definition.ts';
export type { CatchUp } from './schedules/occurrences.ts';
export type { Schedule } from './schedules/schedule.ts';
export {
  type BatchMessage,
  createSluice,
  type Producer,
  type Sluice,
  type SluiceOptions,
  type TickOptions,
} from './sluice.ts';
export type { PublishOptions, PublishResult } from './topics/topics.ts';
export type { Handshake, HandshakeFunction, HandshakeRequest, HandshakeRule, Reply } from './webhooks/handshake.ts';
export type { Provider } from './webhooks/providers.ts';
export type { CustomVerify, SecretScheme, SignatureScheme, SignedTime, WebhookRequest } from './webhooks/scheme.ts';
export {
  type AnySource,
  defineSource,
  type Route,
  type RouteTarget,
  type Source,
  type SourceOptions,
  type WebhookEvent,
} from './webhooks/source.ts';
