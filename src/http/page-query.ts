/** What the queries of lists are made of. */
import * as z from 'zod/mini';
import { _coercedNumber } from 'zod/v4/core';

/** As `z.coerce.number` makes it, which brings dates, big integers and texts into the Worker. */
const NumberOfText = _coercedNumber(z.ZodMiniNumber);

/** How much of a list one answer has. */
export const pageLimit = (most: number, standard: number) =>
  z._default(NumberOfText.check(z.int(), z.minimum(1), z.maximum(most)), standard);

export const flag = (standard: 'true' | 'false' = 'false') => z._default(z.enum(['true', 'false']), standard);

/** A cursor that has this form; where a list begins there is none. */
export const cursorSchema = (form: RegExp, none = '') => z._default(z.string().check(z.regex(form)), none);

/** The cursor of a list by name: the last name of the page before. */
export const nameCursor = cursorSchema(/^([A-Za-z0-9][A-Za-z0-9_.-]{0,63})?$/);
