/** What operators may ask of the stats. */
import * as z from 'zod/mini';
import { QUEUE_NAME } from '../../message/message.ts';

export const StatsQuery = z.strictObject({
  range: z._default(z.enum(['1h', '24h']), '1h'),
  queue: z.optional(z.string().check(z.regex(QUEUE_NAME))),
});
