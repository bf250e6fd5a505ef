/**
 * The keys that a call is going to touch, as far as its caller knows them. They go behind those that its script knows by their
 * places, and no script reads them there: they are for storage that fetches, locks or allows keys by what is declared.
 */
import { parseLane, type Unnamed } from '../message.ts';
import type { Keys } from './keys.ts';
import type { Settlement } from './settlements.ts';

/** @param ids of these messages, in their order */
export function keysOfMessages(keys: Keys, messages: readonly Unnamed[], ids: readonly string[]): string[] {
  const found = new Set<string>();
  for (const [i, { lane, pool, delayMs, dedup, follows }] of messages.entries()) {
    const id = ids[i] as string;
    found.add(keys.message(id));
    if (delayMs === 0) found.add(keys.lane(lane)).add(keys.ready(pool));
    if (dedup) found.add(keys.dedup(parseLane(lane).queue, dedup.digest));
    if (follows) found.add(keys.followers(id));
  }
  return [...found];
}

export function keysOfSettlements(keys: Keys, settlements: readonly Settlement[]): string[] {
  return settlements.flatMap(({ entry, chained = [], result }) => {
    const id = entry.slice(entry.indexOf('.') + 1);
    const kept = result === undefined ? [] : [keys.result(id)];
    const after = keysOfMessages(
      keys,
      chained,
      chained.map((message) => message.id),
    );
    return [keys.message(id), ...kept, ...after];
  });
}
