/** What may be asked of the list of schedules. */
import * as z from 'zod/mini';

export const SchedulesPage = z.strictObject({
  limit: z._default(z.coerce.number().check(z.int(), z.minimum(1), z.maximum(100)), 20),
  /** As HSCAN makes them. */
  cursor: z._default(z.string().check(z.regex(/^\d{1,20}$/)), '0'),
});
