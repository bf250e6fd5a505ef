/** Rewriting: what becomes of a stored schedule when its definition is given anew. Pure. */

import type { NextOccurrence } from './occurrences.ts';
import { type DefinitionText, type ScheduleRecord, writeHeader } from './record.ts';
import type { Change } from './store.ts';

/** A definition, written, and its occurrences. */
export interface Rewrite extends DefinitionText {
  id: string;
  next: NextOccurrence;
}

/**
 * The first occurrence is the next one from now. A stored occurrence is kept where the timing stays, so that deployments more often
 * than the interval do not put it off for ever; and where it has come and is not fired yet, so that it is not lost.
 * @param existing undefined where there is none, or none that can be read
 * @param expected the header as it was read
 */
export function planRewrite(
  { id, origin, when, lines, revision, next }: Rewrite,
  existing: ScheduleRecord | undefined,
  expected: string,
  now: number,
): Change {
  const { state = 'active', lastAt = 0 } = existing ?? {};
  const kept = existing && (existing.when === when || existing.due <= now);
  const due = state === 'paused' ? 0 : kept ? existing.due : next(now);
  const header = writeHeader({ due, state, origin, revision, lastAt });
  return { id, expected, header, error: '', lines, due: due === 0 ? undefined : due, messages: [] };
}
