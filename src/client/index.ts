/** The client: puts messages into a Sluice, consumes them and looks after it, over HTTP, on any runtime with fetch. It needs nothing but fetch. */
export { NonRetriableError, RetryAfterError } from '../errors.ts';
export {
  type Admin,
  type AdminOptions,
  BadName,
  countReady,
  createAdmin,
  purgeAll,
  readPages,
  STATES,
} from './admin.ts';
export { type Client, type ClientOptions, createClient } from './client.ts';
export type { ConsumeHandler, ConsumeOptions } from './consume.ts';
export { SluiceError } from './error.ts';
export type { Lease } from './lease.ts';
export type { Outgoing } from './outgoing.ts';
export type { BodyOf, PullRef, QueueRef, QueueSet } from './queue-ref.ts';
export type { Fetch, Repeat } from './transport.ts';
export type * from './wire-types.ts';
