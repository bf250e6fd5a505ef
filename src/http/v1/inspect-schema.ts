/** What operators may ask of many queues and of leases: the schemas of the inspect function's queries. */
import * as z from 'zod/mini';

const limit = (most: number, standard: number) =>
  z._default(z.coerce.number().check(z.int(), z.minimum(1), z.maximum(most)), standard);

export const QueuesPage = z.strictObject({
  limit: limit(1_000, 100),
  /** The name of the last queue of the page before. */
  cursor: z._default(z.string().check(z.regex(/^([A-Za-z0-9][A-Za-z0-9_.-]{0,63})?$/)), ''),
  /** A part of the name. */
  search: z._default(z.string().check(z.regex(/^[A-Za-z0-9_.-]{0,64}$/)), ''),
  /** With figures of the last minutes. */
  recent: z._default(z.enum(['true', 'false']), 'false'),
});

export const LeasesPage = z.strictObject({
  limit: limit(50, 20),
  cursor: z._default(z.string().check(z.regex(/^\d{0,9}$/)), ''),
});
