/**
 * The public API of Sluice, the entry `sluice`: define queues, schedules and webhook sources, and make a Worker of them.
 *
 * Definitions alone are `sluice/define`, the routes of the HTTP API `sluice/functions`, the senders of webhooks `sluice/providers`, the
 * client `sluice/client`.
 */

export type { Receipt } from './broker/producer.ts';
export * from './define.ts';
export type { Tick } from './engine/sweeps.ts';
export { InvalidMessage, type Issue, RequestMismatch, StorageError, UnknownTopic } from './errors.ts';
export type { EdgeFunction } from './http/route.ts';
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
