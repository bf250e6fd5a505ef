/** What the queries of lists are made of. */
import * as z from 'zod/mini';
import { _coercedNumber } from 'zod/v4/core';

/** As `z.coerce.number` makes it, which brings dates, big integers and texts into the Worker. */
const NumberOfText = _coercedNumber(z.ZodMiniNumber);

/** How much of a list one answer has. */
export const pageLimit = (most: number, standard: number) =>
  z._default(NumberOfText.check(z.int(), z.minimum(1), z.maximum(most)), standard);

export const flag = (standard: 'true' | 'false' = 'false') => z._default(z.enum(['true', 'false']), standard);

/** A cursor of a list that goes from shard to shard: where there are several it begins with the name of one. */
export const overShards = ({ source, flags }: RegExp) =>
  new RegExp(source.replace(/^\^/, '^(?:~[a-z0-9-]{1,32}\\.)?'), flags);

/** Whether a cursor is one of several shards. */
export const isOverShards = (cursor: unknown) => typeof cursor === 'string' && cursor.startsWith('~');

/** A cursor that has this form; where a list begins there is none. */
export const cursorSchema = (form: RegExp, none = '') => z._default(z.string().check(z.regex(overShards(form))), none);

/** The cursor of a list by name: the last name of the page before. */
export const nameCursor = z._default(z.string().check(z.regex(/^([A-Za-z0-9][A-Za-z0-9_.-]{0,63})?$/)), '');
