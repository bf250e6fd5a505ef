/** Destinations that failed last, with their circuit breakers. */
import * as z from 'zod/mini';
import { openAdminOn } from '../../engine/admin.ts';
import { canUseQueue } from '../auth.ts';
import { cursorSchema } from '../page-query.ts';
import { route } from '../route.ts';
import type { Wire } from './wire.ts';

/** The cursor is Redis' own, of a scan. */
const DestinationsPage = z.strictObject({ cursor: cursorSchema(/^\d{1,20}$/, '0') });

export const listDestinations = route(
  'GET /v1/destinations',
  { scope: 'admin', query: DestinationsPage },
  async (c, { query }): Promise<Wire<'DestinationReports'>> => {
    const { token, engine } = c.var;
    const { destinations, cursor } = await openAdminOn(engine).destinations(query().cursor);
    const permitted = destinations.filter(({ queue }) => canUseQueue(token, queue));
    return { destinations: permitted, ...(cursor === undefined ? {} : { cursor }) };
  },
);

export const destinations = [listDestinations];
