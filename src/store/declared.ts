/**
 * The keys that a call is going to touch, as far as its caller knows them. They go behind those that its script knows by their
 * places, and no script reads them there: they are for storage that fetches, locks or allows keys by what is declared.
 */

import type { PreparedMessage } from '../message/envelope.ts';
import { parseLane } from '../message/lane.ts';
import type { Keys } from '../redis/keys.ts';
import type { Settlement } from './encode-settlements.ts';

/** @param ids of these messages, in their order */
export function listMessageKeys(keys: Keys, messages: readonly PreparedMessage[], ids: readonly string[]): string[] {
  const own: string[] = []; // no two messages have an id in common, and a set would read each key to find that out
  const shared = new Set<string>();
  let before = ''; // most of a batch are for one lane
  for (let i = 0; i < messages.length; i++) {
    const { lane, pool, delayMs, dedup, callbacks } = messages[i] as PreparedMessage;
    const id = ids[i] as string;
    own.push(keys.message(id));
    if (delayMs === 0 && lane !== before) {
      shared.add(keys.lane(lane)).add(keys.ready(pool));
      before = lane;
    }
    if (dedup) shared.add(keys.dedup(parseLane(lane).queue, dedup.digest));
    if (callbacks) own.push(keys.callbacks(id));
  }
  return [...own, ...shared];
}

/** What is blocked of their queues. */
export function listBlockedKeys(keys: Keys, messages: readonly PreparedMessage[]): string[] {
  return [...new Set(messages.map(({ lane }) => keys.blocked(parseLane(lane).queue)))];
}

export function listSettlementKeys(keys: Keys, settlements: readonly Settlement[]): string[] {
  const found: string[] = [];
  for (const { entry, outcome, chained, result } of settlements) {
    const id = entry.slice(entry.indexOf('.') + 1);
    found.push(keys.message(id));
    if (outcome !== 'ack' || !entry.startsWith('1.')) found.push(keys.failures(id)); // it fails, or has
    if (result !== undefined) found.push(keys.result(id));
    if (chained) {
      const ids = chained.map((message) => message.id);
      found.push(...listMessageKeys(keys, chained, ids));
    }
  }
  return found;
}
