/** Instants in what callers send: ISO 8601 with a time zone. */
import * as z from 'zod/mini';
import { _isoDateTime } from 'zod/v4/core';

/** As `z.iso.datetime` makes it, which brings dates, times and durations into the Worker. */
export const IsoInstant = _isoDateTime(z.ZodMiniISODateTime, { offset: true });
