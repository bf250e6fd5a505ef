/** What the document says of destinations. */
import * as z from 'zod/mini';
import { describe } from '../openapi/describe.ts';
import type { Operations } from '../openapi/operation.ts';
import { count, instant } from '../openapi/primitives.ts';

const DestinationReport = z.object({
  queue: z.string(),
  group: z.optional(z.string()),
  state: z.enum(['open', 'probing', 'closed']),
  failures: count,
  until: z.optional(instant),
});
const DestinationReports = z.object({ destinations: z.array(DestinationReport), cursor: z.optional(z.string()) });

describe(DestinationReport, {
  group: 'Left out where the queue has one url for all.',
  state: 'open: nothing is sent; probing: one message at a time is tried; closed: it failed, not often enough to open.',
  failures: 'In a row.',
  until: 'Nothing is sent until then.',
});

export const answers = { DestinationReport, DestinationReports };

export const operations = {
  listDestinations: {
    tag: 'admin',
    summary: 'Destinations that failed last, page by page',
    query: { cursor: 'Where the last page ended.' },
    answers: [
      {
        status: 200,
        description: 'Their circuit breakers. A destination that is not here took its last delivery.',
        schema: DestinationReports,
      },
    ],
    problems: ['invalid_message'],
  },
} satisfies Operations;
