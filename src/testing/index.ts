/** The entry `sluice/testing`: a Sluice under test, whatever runs the test. It is for Node, Bun and Deno, and never deployed. */
export { MissingPeer } from '../dev/peers.ts';
export type { EnqueuedMessage, TestedQueue, WantedMessage } from './enqueued.ts';
export { createTestSluice, type TestOptions, type TestSluice } from './test-sluice.ts';
export type { DrainSummary, FailedDelivery } from './timeline.ts';
