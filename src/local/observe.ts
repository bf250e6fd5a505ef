/** What the scripts did, in the order in which Redis ran them, read from the commands that pass the emulator. */
import { createHash } from 'node:crypto';
import { scripts } from '../store/scripts.ts';
import type { Observation } from './emulator/backend.ts';

export type Happened =
  | { what: 'enqueued'; messages: { id: string; lane: string; delayed: boolean }[] }
  | {
      what: 'exchanged';
      lease: string;
      taken: string[];
      settled: { entry: string; outcome: string; status: string }[];
    };

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex');
const byCall = new Map(
  Object.values(scripts).flatMap(({ name, source }) => [
    [sha1(source), name],
    [source, name],
  ]),
);

/** @returns undefined for what changes nothing of interest: other commands, failed ones, replays */
export function whatHappened({ command, result, error }: Observation): Happened | undefined {
  const name = /^evalsha|eval$/i.test(command[0] ?? '') ? byCall.get(command[1] ?? '') : undefined;
  if (error !== undefined || !Array.isArray(result)) return undefined;
  const args = command.slice(3 + Number(command[2]));
  if (name === 'enqueue' && result[0] === 'enqueued') return { what: 'enqueued', messages: messagesIn(args.slice(7)) };
  if (name !== 'exchange') return undefined;
  const [, , , statuses, taken] = result as [string, string, string, string[], string[]];
  const settlements = args.slice(11 + Number(args[10]));
  const settled = statuses.map((status, i) => ({
    outcome: settlements[5 * i] ?? '',
    entry: settlements[5 * i + 1] ?? '',
    status,
  }));
  return { what: 'exchanged', lease: args[2] ?? '', taken: taken.filter((_, i) => i % 2 === 0), settled };
}

/** Runs of lane, pool, attempts, delay, not before, ttl, extras, count, then count × (id, JSON): the ARGV of enqueue.lua. */
function messagesIn(runs: string[]): { id: string; lane: string; delayed: boolean }[] {
  const messages: { id: string; lane: string; delayed: boolean }[] = [];
  for (let at = 0; at < runs.length; ) {
    const [lane = '', , , delay, notBefore, , , count] = runs.slice(at, at + 8);
    const delayed = Number(delay) > 0 || Number(notBefore) > 0;
    at += 8;
    for (let i = 0; i < Number(count); i++, at += 2) messages.push({ id: runs[at] ?? '', lane, delayed });
  }
  return messages;
}
