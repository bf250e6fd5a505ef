/** What reports of queues say, counted together. */
import type { QueueReport, State } from './wire-types.ts';

/** Where messages can be found, in the order of their lives. */
export const STATES = ['ready', 'delayed', 'leased', 'dead'] as const satisfies State[];

/** Ready messages of all priorities. @example countReady(await admin.queues.get('mail')) */
export function countReady({ ready }: Pick<QueueReport, 'ready'>): number {
  return Object.values(ready).reduce((sum, count) => sum + count, 0);
}
