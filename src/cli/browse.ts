/** Browsing: the queues, and as many messages of one as are wanted. */
import type { MessageReport, QueueReport, State } from './answers.ts';
import { type Api, path } from './api.ts';
import { collect } from './pages.ts';

export const STATES = ['ready', 'delayed', 'leased', 'dead'] as const satisfies State[];

/** Of the API. */
const MAX_PAGE = 100;

/** Those that the token is for. @throws SluiceError */
export function allQueues(api: Api): Promise<QueueReport[]> {
  return collect(api, '/v1/queues', { field: 'queues' });
}

/** @param most 1 or more. @throws SluiceError */
export function browse(api: Api, queue: string, state: State, most: number): Promise<MessageReport[]> {
  return collect(api, path`/v1/queues/${queue}/messages`, {
    field: 'messages',
    query: { state },
    most,
    page: MAX_PAGE,
  });
}
