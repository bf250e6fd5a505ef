/** What the checker needs of what the scripts did: the keys in the bodies, and which retries were cut off by a drain's end. */
import { parseLane } from '../../message.ts';
import type { Observation } from '../emulator/backend.ts';
import { type Exchanged as Happened, whatHappened } from '../observe.ts';
import type { SettledEntry, StoredMessage } from './history.ts';
import { keyIn } from './messages.ts';

export type Exchanged = Omit<Happened, 'settlements'> & { settlements: SettledEntry[] };

export type Seen = Exchanged | { what: 'stored'; messages: StoredMessage[]; at: number };

/** @returns undefined for what changes nothing of interest */
export function seenIn(observation: Observation): Seen | undefined {
  const happened = whatHappened(observation);
  if (happened?.what === 'enqueued') {
    const messages = happened.messages.map(({ id, lane, delayMs, json }) => {
      const { body } = JSON.parse(json) as { body: unknown };
      return { id, key: keyIn(parseLane(lane).queue, body), lane, delayMs };
    });
    return { what: 'stored', messages, at: happened.at };
  }
  if (!happened) return undefined;
  const settlements = happened.settlements.map(({ text, ...settled }) => ({
    ...settled,
    cutOff: settled.outcome === 'retry' && text.startsWith('its drain had to end'),
  }));
  return { ...happened, settlements };
}
