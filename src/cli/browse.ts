/** Browsing: the queues, and as many messages of one as are wanted. */
import type { Admin, MessageReport, QueueReport, State } from '../client/admin.ts';
import { collect } from './pages.ts';

/** Of the API. */
const MAX_PAGE = 100;

/** Those that the token is for. @throws SluiceError */
export function listQueues({ queues }: Admin): Promise<QueueReport[]> {
  return collect(
    (cursor) => queues.list({ cursor }),
    (page) => page.queues,
  );
}

/** @param most 1 or more. @throws SluiceError */
export function listMessages({ queues }: Admin, queue: string, state: State, most: number): Promise<MessageReport[]> {
  return collect(
    (cursor, wanted) => queues.messages(queue, { state, limit: Math.min(MAX_PAGE, wanted), cursor }),
    (page) => page.messages,
    most,
  );
}
