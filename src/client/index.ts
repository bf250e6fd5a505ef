/** The client: puts messages into a Sluice and consumes them, over HTTP, on any runtime with fetch. It needs nothing but fetch. */
export { NonRetriableError, RetryAfterError } from '../errors.ts';
export { type Client, type ClientOptions, createClient } from './client.ts';
export type { ConsumeHandler, ConsumeOptions } from './consume.ts';
export { SluiceError } from './error.ts';
export type { Lease } from './lease.ts';
export type { Outgoing } from './outgoing.ts';
export type { BodyOf, QueueRef } from './queue-ref.ts';
export type { Fetch, Repeat } from './transport.ts';
export type { ReceivedMessage, Settlement, Status } from './wire.ts';
