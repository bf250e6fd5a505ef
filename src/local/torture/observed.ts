/**
 * What the scripts were asked and what they answered, read from the commands that pass the emulator.
 *
 * Like ../observe.ts, but with all that a lease's life depends on: when it was extended, for how long, and what its
 * consumer said it holds.
 */
import { createHash } from 'node:crypto';
import { parseLane } from '../../message.ts';
import { scripts } from '../../store/scripts.ts';
import type { Outcome, Status } from '../../store/store.ts';
import type { Observation } from '../emulator/backend.ts';
import type { SettledEntry, StoredMessage } from './history.ts';
import { keyIn } from './messages.ts';

export interface Exchanged {
  what: 'exchanged';
  lease: string;
  leaseMs: number;
  /** Entries the caller holds besides those it settles. */
  held: number;
  at: number;
  lost: boolean;
  settlements: SettledEntry[];
  taken: string[];
}

export type Seen = Exchanged | { what: 'stored'; messages: StoredMessage[]; at: number };

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex');
const nameOf = new Map(
  Object.values(scripts).flatMap(({ name, source }) => [
    [sha1(source), name],
    [source, name],
  ]),
);

/** @returns undefined for what changes nothing of interest: other commands, failed ones, replays */
export function seenIn({ command, result, error, startedAt }: Observation): Seen | undefined {
  const name = /^evalsha|eval$/i.test(command[0] ?? '') ? nameOf.get(command[1] ?? '') : undefined;
  if (error !== undefined || !Array.isArray(result)) return undefined;
  const args = command.slice(3 + Number(command[2]));
  if (name === 'enqueue' && result[0] === 'enqueued') {
    return { what: 'stored', messages: messagesIn(args.slice(7), startedAt), at: startedAt };
  }
  return name === 'exchange' ? exchangedIn(args, result) : undefined;
}

function exchangedIn(args: string[], result: unknown[]): Exchanged {
  const [now, , lost, statuses, taken] = result as [string, string, string, Status[], string[]];
  const settlements = args.slice(11 + Number(args[10]));
  return {
    what: 'exchanged',
    lease: args[2] ?? '',
    leaseMs: Number(args[3]),
    held: Number(args[4]),
    at: Number(now),
    lost: lost === '1',
    settlements: statuses.map((status, i) => settledIn(settlements.slice(5 * i, 5 * i + 5), status)),
    taken: taken.filter((_, i) => i % 2 === 0),
  };
}

function settledIn([outcome, entry = '', delay, , text = '']: string[], status: Status): SettledEntry {
  const cutOff = outcome === 'retry' && text.startsWith('its drain had to end');
  return { entry, outcome: outcome as Outcome, status, delayMs: Number(delay), cutOff };
}

/** Runs of lane, pool, attempts, delay, not before, ttl, extras, count, then count × (id, JSON): the ARGV of enqueue.lua. */
function messagesIn(runs: string[], now: number): StoredMessage[] {
  const messages: StoredMessage[] = [];
  for (let at = 0; at < runs.length; ) {
    const [lane = '', , , delay, notBefore, , , count] = runs.slice(at, at + 8);
    const delayMs = Math.max(Number(delay), Number(notBefore) - now, 0);
    const { queue } = parseLane(lane);
    at += 8;
    for (let i = 0; i < Number(count); i++, at += 2) {
      const { body } = JSON.parse(runs[at + 1] ?? '{}') as { body: unknown };
      messages.push({ id: runs[at] ?? '', key: keyIn(queue, body), lane, delayMs });
    }
  }
  return messages;
}
