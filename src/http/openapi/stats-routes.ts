/** The routes for figures, for the document. */
import { StatsQuery } from '../v1/stats-schema.ts';
import { answers } from './answers.ts';
import type { Route } from './route.ts';

export const STATS: Route[] = [
  {
    method: 'get',
    path: '/v1/stats',
    operationId: 'getStats',
    tag: 'operate',
    scope: 'operate',
    summary: 'What became of messages over the last hour or day',
    description: 'Of one queue, or of all that the token is for. Deliveries that ended a moment ago are in it.',
    query: StatsQuery,
    answers: [{ status: 200, description: 'Every step of the range, and all together.', schema: answers.StatsReport }],
    problems: ['unknown_queue', 'invalid_message'],
  },
  {
    method: 'get',
    path: '/metrics',
    operationId: 'getMetrics',
    tag: 'operate',
    scope: 'operate',
    summary: 'Metrics for Prometheus',
    description: 'Of the queues that the token is for.',
    answers: [{ status: 200, description: 'The text format, version 0.0.4.', type: 'text/plain' }],
    problems: [],
  },
];
