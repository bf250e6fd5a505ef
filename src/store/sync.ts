/** Syncing: what a consumer settles, how long its lease lasts, and what it takes, in one call. */

import { RequestMismatch, StorageError } from '../errors.ts';
import { YEAR_MS } from '../formats/duration.ts';
import * as scripts from '../redis/lua/generated.ts';
import { type Digits, digits } from '../redis/lua/script.ts';
import { parseRefusal } from '../redis/refusal.ts';
import { list, pairs, strings } from '../redis/reply.ts';
import { commonArgs, type Shard } from '../redis/shard.ts';
import { listSettlementKeys } from './declared.ts';
import type { Definitions } from './definitions.ts';
import { due, parseDueSchedules, type StoredSchedule } from './due.ts';
import { type EncodedSettlements, encodeSettlements, type Settlement, type Status } from './encode-settlements.ts';
import type { FiringPace } from './firing.ts';
import { AWAKE_MS, COMMON_WAKE } from './wake.ts';

export interface SyncRequest {
  lease: string;
  leaseMs: number;
  /** How many entries the caller holds besides those it settles here. */
  held: number;
  want: number;
  pools: string[];
  settlements: Settlement[];
  /** No other lease may begin under this name as long as this one lasts. */
  claim?: string | undefined;
  /** Set only where the caller is a drain. */
  drain?: {
    /** By which it sleeps for a timer, whatever its leases are. Left out: the name of this one. */
    name?: string;
    /** It takes nothing after this: from now on new work must wake another. */
    ending: boolean;
    /** All its handlers are busy, and it does not look until one is free: new work should wake another meanwhile. */
    busy?: boolean;
    /** How long it could sleep for the next timer. */
    sleepMs: number;
    /** How long a handler may run that it starts now: what may take longer is left to others. */
    lifeMs?: number;
    /**
     * Where it takes something, but less than it wants and no more than so many, it looks again in a moment: new work need not wake another.
     * -1 where nobody counts on it, and so it leaves to others who is woken.
     */
    keeps?: number;
    /** It takes from several shards, and wants to know how urgent the first message is that is left here. */
    asksHorizon?: boolean;
  };
}

export interface SyncAnswer {
  /** Server time, epoch ms. */
  now: number;
  /** When to look again, epoch ms: the next timer, unless another drain sleeps for it. */
  nextDue?: number;
  /** The lease was swept: what the caller holds is another's, and it must go on with a new lease. */
  lost: boolean;
  /** One for each settlement, in order. */
  statuses: Status[];
  taken: { entry: string; envelope: string }[];
  /** There are more messages for this call than fitted in its answer: they come with the next. */
  unseen: boolean;
  /** Entries the caller holds whose messages were cancelled meanwhile. */
  cancelled: string[];
  /** Breakers that opened, until an instant in epoch ms, or closed. */
  transitions: { name: string; openUntil?: number }[];
  /** The caller, which is no drain, should start one: what it made ready or due is for drains, and nobody is draining. */
  wake: boolean;
  /** Work is left that this drain does not take: the shortest timeout of its queues, ms; 0 where that is not known. */
  left?: number;
  /**
   * The priority of the first lane that is left for the caller, where it asked; not there where none is. A lane that waited for too long
   * counts among the most urgent; those that a take moves out of the way (paused, over a limit) count until then.
   */
  horizon?: number;
  /** An earlier try may have run: a `gone` may be its own doing. */
  retried: boolean;
  /** Why storage took a part of it only: what is `refused`, the extension of the lease, or what would have been taken. */
  refused?: StorageError;
  /** The schedules whose occurrences have come; left out where there are none. */
  schedules?: StoredSchedule[];
}

const ANSWER_BYTES = 4_000_000; // the service refuses replies of 10 MB

const whole = (number: number): Digits => digits(Math.floor(number));

/** @throws StorageError; RequestMismatch where another lease has begun under the claim */
export async function sync(
  shard: Shard,
  definitions: Definitions,
  firing: FiringPace,
  request: SyncRequest,
): Promise<SyncAnswer> {
  const { keys } = shard;
  const { lease, leaseMs, held, want, pools, settlements, claim = '', drain } = request;
  const { sleepMs, lifeMs = YEAR_MS } = drain ?? { sleepMs: COMMON_WAKE.withinMs, lifeMs: COMMON_WAKE.needsMs };
  const written = encodeSettlements(settlements);
  const declared: string[] = [keys.lease(lease), ...pools.map(keys.ready), ...listSettlementKeys(keys, settlements)];
  if (claim !== '') declared.push(keys.request(claim));
  const began = performance.now();
  const asked = [lease, whole(leaseMs), whole(held), whole(want), digits(ANSWER_BYTES)] as const;
  const counts = [digits(awakeMsFor(drain)), whole(sleepMs), digits(firing.limit), digits(pools.length)] as const;
  const { reply, retried } = await definitions.run(shard, ({ policies, kept }) =>
    shard.run(
      scripts.sync,
      [keys.timers, keys.awake, keys.config, keys.sleeper, keys.stats, keys.busy, ...kept, ...declared],
      [
        ...commonArgs(shard),
        ...asked,
        ...counts,
        digits(written.segments),
        policies,
        whole(lifeMs),
        drain ? (drain.name ?? lease) : claim,
        whole(drain?.keeps ?? 0),
        drain?.asksHorizon ? '1' : '',
        ...pools,
        ...written.args,
      ],
    ),
  );
  const answer = parseAnswer(list(reply), written, retried);
  firing.note(performance.now() - began, answer.nextDue !== undefined && answer.nextDue <= answer.now);
  // The reply to an earlier try may have been lost, and its request for a drain with it: a drain too many costs six commands.
  if (retried && !drain) answer.wake = true;
  return answer;
}

/** The life of the flag `awake`, which says that somebody is draining. -1 and -2 tell the script why this drain takes nothing more. */
function awakeMsFor(drain: SyncRequest['drain']): number {
  if (!drain) return 0;
  if (drain.ending) return -1;
  return drain.busy ? -2 : AWAKE_MS;
}

function parseAnswer(reply: unknown[], written: EncodedSettlements, retried: boolean): SyncAnswer {
  if (reply[0] === 'mismatch') throw new RequestMismatch('another lease has begun under this name');
  const [now, nextDue, lost, statuses, entries, envelopes, unseen, cancelled, ...rest] = reply;
  const [transitions, schedules, wake, left, refused, horizon = ''] = rest;
  return {
    now: Number(now),
    ...due(Number(nextDue)),
    lost: lost === '1',
    statuses: written.inOrder(words(statuses) as Status[]),
    taken: parseTaken(words(entries), strings(envelopes)),
    unseen: unseen === '1',
    cancelled: strings(cancelled),
    transitions: pairs(strings(transitions)).map(([name, until]) => ({
      name,
      ...(until === '0' ? {} : { openUntil: Number(until) }),
    })),
    wake: wake === '1',
    ...(left === '' ? {} : { left: Number(left) }),
    ...(horizon === '' ? {} : { horizon: Number(horizon) }),
    retried,
    ...(refused === '' ? {} : { refused: parseRefusal(String(refused)) }),
    ...parseDueSchedules(schedules),
  };
}

/** None of them is empty. */
function words(text: unknown): string[] {
  return text === '' ? [] : String(text).split(' ');
}

function parseTaken(entries: string[], envelopes: string[]): SyncAnswer['taken'] {
  if (entries.length !== envelopes.length) throw new StorageError('garbled', 'entries without envelopes');
  return entries.map((entry, i) => ({ entry, envelope: envelopes[i] as string }));
}
