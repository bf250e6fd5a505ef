/** Batches: how many outcomes go with one sync. Pure. */

import { MAX_REQUEST_BYTES } from '../broker/producer.ts';
import { utf8 } from '../formats/bytes.ts';
import { joinJson } from '../message/json.ts';
import type { Settlement } from '../store/encode-settlements.ts';

/** The most settlements one sync carries. */
const MAX_SETTLEMENTS = 1_000;

/**
 * Takes the first outcomes whose results and enqueued messages fit in one request, because storage refuses larger ones. One
 * outcome alone always fits, because a handler may enqueue no more.
 */
export function nextBatch(outcomes: readonly Settlement[]): Settlement[] {
  let bytes = 0;
  const most = Math.min(outcomes.length, MAX_SETTLEMENTS);
  for (let count = 0; count < most; count++) {
    bytes += countBytes(outcomes[count] as Settlement);
    if (bytes > MAX_REQUEST_BYTES && count > 0) return outcomes.slice(0, count);
  }
  return outcomes.slice(0, most);
}

function countBytes({ result = '', chained }: Settlement): number {
  if (result === '' && !chained) return 0;
  return utf8(result + joinJson(chained ?? [])).length;
}
