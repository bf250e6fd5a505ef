/** What the document says of metrics. */
import type { Operations } from '../openapi/operation.ts';

export const answers = {};

export const operations = {
  getMetrics: {
    tag: 'admin',
    summary: 'Metrics for Prometheus',
    description: 'Of the queues that the token is for.',
    answers: [{ status: 200, description: 'The text format, version 0.0.4.', type: 'text/plain' }],
    problems: [],
  },
} satisfies Operations;
