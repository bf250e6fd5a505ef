/** What the checker needs of what the scripts did: the keys in the bodies, and which retries were cut off by a drain's end. */

import { type Enqueued, type Synced as Happened, whatHappened } from '../../scripts/lua/observe.ts';
import type { Observation } from '../../src/dev/emulator/backend.ts';
import { parseLane } from '../../src/message/lane.ts';
import type { SettledEntry, StoredMessage } from './history.ts';
import { keyIn } from './messages.ts';

export type Synced = Omit<Happened, 'settlements' | 'chained'> & {
  settlements: SettledEntry[];
  /** Stored with the acks among them. */
  chained: StoredMessage[];
};

export type Stored = { what: 'stored'; messages: StoredMessage[]; at: number } & Pick<Enqueued, 'handedTo'>;

export type Seen = Synced | Stored;

/** @returns undefined for what changes nothing of interest */
export function seenIn(observation: Observation): Seen | undefined {
  const happened = whatHappened(observation);
  if (happened?.what === 'enqueued') {
    const { messages, at, handedTo } = happened;
    return { what: 'stored', messages: messages.map(withKey), at, ...(handedTo && { handedTo }) };
  }
  if (!happened) return undefined;
  const settlements = happened.settlements.map(({ text, ...settled }) => ({
    ...settled,
    cutOff: settled.outcome === 'retry' && text.startsWith('its drain had to end'),
  }));
  return { ...happened, settlements, chained: happened.chained.map(withKey) };
}

function withKey({ id, lane, delayMs, json }: Enqueued['messages'][number]): StoredMessage {
  const { body } = JSON.parse(json) as { body: unknown };
  return { id, key: keyIn(parseLane(lane).queue, body), lane, delayMs };
}
