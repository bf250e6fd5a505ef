/** What the queries of lists are made of. */
import * as z from 'zod/mini';

/** How much of a list one answer has. */
export const pageLimit = (most: number, standard: number) =>
  z._default(z.coerce.number().check(z.int(), z.minimum(1), z.maximum(most)), standard);

export const flag = (standard: 'true' | 'false' = 'false') => z._default(z.enum(['true', 'false']), standard);

/** A cursor that has this form; where a list begins there is none. */
export const cursorOf = (form: RegExp, none = '') => z._default(z.string().check(z.regex(form)), none);
