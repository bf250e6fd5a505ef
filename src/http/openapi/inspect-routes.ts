/** The routes for overviews, for the document. */
import { LeasesPage, QueuesPage } from '../v1/inspect-schema.ts';
import { answers } from './answers.ts';
import { operating } from './operate-routes.ts';
import type { Route } from './route.ts';

export const INSPECT: Route[] = [
  operating({
    method: 'get',
    path: '/v1/queues',
    operationId: 'listQueues',
    summary: 'The queues the token is for, page by page',
    query: QueuesPage,
    answer: answers.QueueReports,
    says: 'Each queue with its counts.',
    problems: ['invalid_message'],
  }),
  operating({
    method: 'get',
    path: '/v1/queues/{queue}/dead/causes',
    operationId: 'listCauses',
    summary: 'Why the newest thousand dead letters died',
    description: 'Texts that differ in numbers and ids only are one cause.',
    answer: answers.Causes,
    says: 'The causes, the most frequent first.',
    problems: ['unknown_queue'],
  }),
  operating({
    method: 'get',
    path: '/v1/leases',
    operationId: 'listLeases',
    summary: 'The leases that hold messages now, the next to expire first',
    query: LeasesPage,
    answer: answers.LeasePage,
    says: 'A page.',
    problems: ['invalid_message'],
  }),
];
