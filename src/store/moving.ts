/** Moving: what a shard has leaves it in one step with the parcel that has it, and comes in on another as it was. */
import { ShardMoved } from '../errors.ts';
import type { PreparedMessage } from '../message/envelope.ts';
import { newToken, parseEntry } from '../message/ids.ts';
import * as scripts from '../redis/lua/generated.ts';
import { digits } from '../redis/lua/script.ts';
import { list, strings } from '../redis/reply.ts';
import { commonArgs, type Shard } from '../redis/shard.ts';
import type { State } from './admin-messages.ts';
import { encodeSegments } from './encode-messages.ts';
import { COMMON_WAKE, type Wake, wakeArgs } from './wake.ts';

/** A message as it stands on a shard. */
export interface StandingMessage {
  id: string;
  state: Exclude<State, 'leased'>;
  entry: string;
  /** Due, or dead since, as storage writes it: no digit of it may be lost. '' where it is ready. */
  at: string;
  envelope: string;
  /** The lines that are kept of them. */
  failures: string;
  callbacks: string[];
  /** Whether it keeps the slot of its group while it waits, or is dead. */
  held: boolean;
}

/** What leaves: how it stands here, and what comes in elsewhere. */
export interface Moving {
  claim: string[];
  moved: string[];
}

/** Of a page's envelopes: hosted Redis refuses replies of 10 MB. */
const PAGE_BYTES = 2_000_000;

/** In the place of a queue, where timers of all are read in one go. */
export const ANY_QUEUE = '';

/** @param queue of delayed ones ANY_QUEUE too @returns one page; the cursor '' begins and ends. @throws StorageError */
export async function readStanding(
  { run, keys }: Shard,
  queue: string,
  state: StandingMessage['state'],
  limit: number,
  cursor: string,
): Promise<{ cursor: string; messages: StandingMessage[] }> {
  const asked: [string, string, string] = [keys.root, queue, state];
  const { reply } = await run(
    scripts.listMessages,
    [keys.timers],
    [...asked, digits(limit), cursor, digits(PAGE_BYTES), '1'],
  );
  const [next, fields] = list(reply);
  const flat = strings(fields);
  const messages: StandingMessage[] = [];
  for (let i = 0; i < flat.length; i += 5) {
    const [entry, at, envelope, failures, lines] = flat.slice(i, i + 5) as [string, string, string, string, string];
    if (envelope === '' || !envelope.includes('\n')) continue; // an audit tells of it
    const callbacks = lines === '' ? [] : lines.split('\n');
    messages.push({ id: parseEntry(entry).id, state, entry, at, envelope, failures, callbacks, held: false });
  }
  return { cursor: String(next), messages };
}

export function moveMessage(message: StandingMessage): Moving {
  const { id, state, entry, at, envelope, failures, callbacks, held } = message;
  const standing = ['m', id, state, entry, held ? 'h' : ''];
  const followed = [envelope, String(callbacks.length), ...callbacks];
  return { claim: [...standing, ...followed], moved: [...standing, at, failures, ...followed] };
}

export const moveSchedule = (id: string, record: string): Moving => ({
  claim: ['s', id, record],
  moved: ['s', id, record],
});

/** Of what each claim says it is told whether it is so still; `held` and `free`: but for the slot of its group. */
export type ClaimStatus = 'same' | 'changed' | 'held' | 'free';

/**
 * @param parcel its id
 * @returns undefined where all has left; else nothing has
 * @throws StorageError
 */
export async function evacuate(
  shard: Shard,
  parcel: string,
  message: PreparedMessage,
  claims: readonly string[][],
): Promise<ClaimStatus[] | undefined> {
  const { keys, run } = shard;
  const segment = encodeSegments([message], parcel);
  const ids = claims.flatMap(([kind, id]) => (kind === 'm' ? [id as string] : []));
  const { reply } = await run(
    scripts.evacuate,
    [
      keys.timers,
      keys.schedules,
      keys.stats,
      keys.totals,
      keys.sources,
      ...[parcel, ...ids].map(keys.message),
      ...ids.map(keys.failures),
      ...ids.map(keys.callbacks),
    ],
    [...commonArgs(shard), parcel, digits(segment.length), ...segment, ...claims.flat()],
  );
  const [what, statuses] = list(reply);
  return what === 'changed' ? (strings(statuses) as ClaimStatus[]) : undefined;
}

/** What was evacuated elsewhere. */
export interface Adoption {
  moved: readonly string[];
  token: string;
  recognisedMs: number;
  epoch: string;
  wake?: Wake | false | undefined;
}

/** @returns whether somebody should drain. @throws StorageError; ShardMoved where the shard knows a newer map */
export async function adopt(shard: Shard, adoption: Adoption): Promise<boolean> {
  const { moved, token, recognisedMs, epoch, wake = COMMON_WAKE } = adoption;
  const { keys, run } = shard;
  const { reply } = await run(
    scripts.adopt,
    [keys.request(token), keys.timers, keys.awake, keys.sleeper, keys.schedules, keys.stats, keys.sources, keys.map],
    [...commonArgs(shard), newToken(), digits(recognisedMs), ...wakeArgs(wake), epoch === '' ? '0' : epoch, ...moved],
  );
  const [what, answer] = strings(reply);
  if (what === 'moved') throw new ShardMoved(Number(answer));
  return answer === '1';
}

/** One by one what `moved` has, in its order. */
export function splitMoved(moved: readonly string[]): string[][] {
  const items: string[][] = [];
  for (let at = 0; at < moved.length; ) {
    const length = lengthAt(moved, at);
    items.push(moved.slice(at, at + length));
    at += length;
  }
  return items;
}

function lengthAt(moved: readonly string[], at: number): number {
  if (moved[at] === 'm') return 9 + Number(moved[at + 8]);
  if (moved[at] === 's') return 3;
  return moved[at] === 'l' ? 2 : 2 + 2 * Number(moved[at + 1]);
}
