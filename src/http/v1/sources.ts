/** Sources: who sends webhooks, and what became of them. */
import { ANY_QUEUE, requireQueue } from '../auth.ts';
import { route } from '../route.ts';
import type { Wire } from './wire.ts';

export const listSources = route('GET /v1/sources', { scope: 'admin' }, async (c): Promise<Wire<'SourceReports'>> => {
  requireQueue(c.get('token'), ANY_QUEUE);
  return { sources: (await c.get('engine').parts.sources?.report()) ?? [] };
});

export const sources = [listSources];
