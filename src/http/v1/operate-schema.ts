/** What operators may ask: the schemas of the operate function's queries and bodies. */
import * as z from 'zod/mini';
import { milliseconds } from '../../formats/duration-schema.ts';
import { LEAST_PERIOD_MS, MOST_PERIOD_MS } from '../../queue/limits.ts';

/** As browse.lua makes them. The longest lane has 1,219 characters. */
const RANK_CURSOR = /^\d{1,9}$/;
const CURSORS = {
  ready: /^[1-3]:\d{1,20} (-|\d:\S{1,1217}) \d{1,9}$/,
  delayed: RANK_CURSOR,
  leased: /^\d{1,9} \d{1,9}$/,
  dead: RANK_CURSOR,
};
/** As purge.lua makes it. */
const PURGE_CURSOR = /^(0|(-|[1-3]:\d{1,20}) (-|\d{1,20}))$/;
/** As audit.ts makes it: `<pass> <cursor of the store>`, of which audit.lua says more. */
const AUDIT_CURSOR = /^(shallow|deep) \d{1,20}( .{1,1400} \d{1,20})?$/s;
/** Redis' own, of a scan. */
const SCAN_CURSOR = /^\d{1,20}$/;

export const Page = z
  .strictObject({
    state: z._default(z.enum(['ready', 'delayed', 'leased', 'dead']), 'ready'),
    limit: z._default(z.coerce.number().check(z.int(), z.minimum(1), z.maximum(100)), 20),
    cursor: z._default(z.string(), ''),
  })
  .check(
    z.refine(({ state, cursor }) => cursor === '' || CURSORS[state].test(cursor), {
      path: ['cursor'],
      message: 'must be one that a page of the same state answered',
    }),
  );
export const Id = z.string().check(z.regex(/^[\w-]{1,64}$/));

export const Redrive = z.union([
  z.strictObject({ ids: z.array(Id).check(z.minLength(1), z.maxLength(1_000)) }),
  z.strictObject({ limit: z._default(z.int().check(z.minimum(1), z.maximum(1_000)), 1_000) }),
]);

/** What an operator may set for a queue over its definition: at least one of them. */
export const Override = z
  .strictObject({
    paused: z.optional(z.boolean()),
    /** null takes the operator's limit away: that of the definition counts again. */
    concurrency: z.optional(z.nullable(z.int().check(z.minimum(1), z.maximum(1_000_000)))),
    rate: z.optional(
      z.nullable(
        z.strictObject({
          limit: z.int().check(z.minimum(1), z.maximum(1_000_000)),
          per: milliseconds(LEAST_PERIOD_MS, MOST_PERIOD_MS, '100 ms to a day'),
        }),
      ),
    ),
  })
  .check(
    z.refine((set) => Object.keys(set).length > 0, { path: ['paused'], message: 'or concurrency or rate must be set' }),
  );
export const Purge = z.strictObject({
  states: z._default(z.array(z.enum(['ready', 'delayed', 'dead'])).check(z.minLength(1)), ['ready', 'delayed']),
  cursor: z._default(z.string().check(z.regex(PURGE_CURSOR)), '0'),
});
const flag = z._default(z.enum(['true', 'false']), 'false');
export const Drain = z.strictObject({ wait: z._default(z.enum(['true', 'false']), 'true') });
export const Destinations = z.strictObject({ cursor: z._default(z.string().check(z.regex(SCAN_CURSOR)), '0') });
export const Audit = z
  .strictObject({
    repair: flag,
    deep: flag,
    cursor: z._default(z.string(), ''),
  })
  .check(
    z.refine(
      ({ deep, cursor }) =>
        cursor === '' || (AUDIT_CURSOR.test(cursor) && (deep === 'true' || cursor.startsWith('shallow '))),
      {
        path: ['cursor'],
        message: 'must be one that an audit of the same depth answered',
      },
    ),
  );
