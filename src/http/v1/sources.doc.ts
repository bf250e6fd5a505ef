/** What the document says of sources. */
import * as z from 'zod/mini';
import { describe } from '../openapi/describe.ts';
import type { Operations } from '../openapi/operation.ts';
import { count } from '../openapi/primitives.ts';

const SourceReport = z.object({
  source: z.string(),
  provider: z.string(),
  queue: z.optional(z.string()),
  open: z.boolean(),
  reason: z.optional(z.string()),
  accepted: count,
  duplicates: count,
  ignored: count,
  handshakes: count,
  rejected: z.record(z.string(), count),
});
const SourceReports = z.object({ sources: z.array(SourceReport) });

describe(SourceReport, {
  queue: 'Where all of it goes. Left out where the source decides event by event.',
  open: 'It takes events: its secret is set, and its scheme can use it.',
  reason: 'Why it is closed. It names bindings, and nothing of what is in them.',
  accepted: 'Requests whose events were stored.',
  duplicates: 'Redeliveries, answered like the first and not stored again.',
  ignored: 'Verified events that are wanted nowhere.',
  handshakes: "Providers' questions that were answered.",
  rejected: 'By reason: signature, timestamp, token, closed, too_large, aborted, encoding, schema, route, storage.',
});

export const answers = { SourceReport, SourceReports };

export const operations = {
  listSources: {
    tag: 'admin',
    summary: 'Who sends webhooks, and what became of them',
    answers: [{ status: 200, description: 'Each source with its counts.', schema: SourceReports }],
    problems: [],
  },
} satisfies Operations;
