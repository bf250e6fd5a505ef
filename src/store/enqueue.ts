/** Enqueueing: the messages of a request, all or none, once however often it is sent. */

import { RequestMismatch, ShardMoved } from '../errors.ts';
import type { PreparedMessage } from '../message/envelope.ts';
import { makeIds, newToken } from '../message/ids.ts';
import { makeSplitIds, readParts, type SplitRequest, writeParts } from '../message/parts.ts';
import * as scripts from '../redis/lua/generated.ts';
import { digits } from '../redis/lua/script.ts';
import { strings } from '../redis/reply.ts';
import { commonArgs, type Shard } from '../redis/shard.ts';
import { listBlockedKeys, listMessageKeys } from './declared.ts';
import { encodeRequest } from './encode-messages.ts';
import { COMMON_WAKE, type Wake, wakeArgs } from './wake.ts';

/** A lease that an enqueue has filled for the drain that its caller starts. */
export interface HandOff {
  /** The name of the shard where it is. Left out where there is one. */
  shard?: string | undefined;
  lease: string;
  /** Until this instant, by the local clock, it surely lasts. */
  leasedUntil: number;
  /** When storage took it, by its clock: answers may come in another order. */
  takenAt: number;
  /** What it holds, in the order of arrival. Left out where that is not known (an earlier try may have filled it): the first sync says so. */
  taken?: { entry: string; envelope: string }[] | undefined;
  /** By how much the local clock is ahead of the server's. */
  clockAheadMs: number;
}

export interface EnqueueRequest {
  messages: PreparedMessage[];
  /** The idempotency token of the request: a replay with the same one enqueues nothing twice. Default: a fresh one. */
  token?: string | undefined;
  /** What the ids of its messages begin with. Default: a fresh one. */
  base?: string | undefined;
  /** Of the map of the shards by which this one was chosen: under an older one nothing is stored. '': nothing was to be chosen. */
  epoch?: string | undefined;
  /** Tells requests with the same token apart. */
  fingerprint?: string | undefined;
  /** How long a replay is recognised. Default: as long as our own repetitions go on. */
  recognisedMs?: number | undefined;
  /** Remembered with the request, and answered to its replays: text without blanks. */
  note?: string | undefined;
  /**
   * Given where the messages are those of the first part of a larger request, with a parcel behind them for each other part: so many
   * there are in all. Remembered with the request.
   */
  split?: { parts: SplitRequest['parts']; count: number } | undefined;
  /** The drain that the caller would start; false where it cannot start one, and leaves that to others. */
  wake?: Wake | false | undefined;
  /**
   * Asks for the messages themselves, for a drain that the caller can begin with them at once: all are of plain push queues, and where
   * the system is idle they go into this lease. Nothing is asked for more than `most`, or where one is delayed.
   */
  handOff?: { lease: string; leaseMs: number; most: number } | undefined;
}

export interface EnqueueAnswer {
  ids: string[];
  /** The request had been applied before, by an earlier try or another caller with the same token. */
  replayed: boolean;
  /** The caller should start a drain, because none is at work. */
  wake: boolean;
  /** Of several shards the names of those where. */
  woken?: readonly string[];
  /** The messages whose dedup keys were taken, by their places in the request: who holds the key, and whether its body was replaced. */
  duplicates: Map<number, { id: string; what: 'duplicate' | 'replaced' }>;
  /** The drain has to begin with this lease, which it asked for: nobody else knows of it. */
  handOff?: HandOff;
  /** Where messages of it are on other shards, or were when it was applied. */
  split?: SplitRequest;
  /** Places of messages of which it is not known that they have arrived at their shards: they are on their way. */
  onTheWay?: ReadonlySet<number>;
}

/** @throws StorageError, RequestMismatch; ShardMoved where the shard knows a newer map */
export function enqueue(shard: Shard, request: EnqueueRequest): Promise<EnqueueAnswer> {
  const { keys, identity } = shard;
  const { messages, token = newToken(), fingerprint = '-', recognisedMs = shard.recognisedMs, note } = request;
  const { base = newToken(), epoch = '', split, wake = COMMON_WAKE, handOff } = request;
  const asked = handOff && wake && messages.length <= handOff.most && messages.every(isReady) ? handOff : undefined;
  const declared: string[] = listMessageKeys(keys, messages, makeIds(base, messages.length));
  if (asked) declared.push(keys.lease(asked.lease), ...listBlockedKeys(keys, messages));
  if (epoch !== '') declared.push(keys.map);
  const sentAt = Date.now();
  const run = shard.run(
    scripts.enqueue,
    [keys.request(token), keys.timers, keys.awake, keys.sleeper, ...declared],
    [
      ...commonArgs(shard),
      formatBase(base, note, split),
      fingerprint,
      digits(recognisedMs),
      ...wakeArgs(wake),
      asked?.lease ?? '',
      digits(asked?.leaseMs ?? 0),
      epoch,
      ...encodeRequest(messages, base),
    ],
  );
  return readEnqueueAnswer(
    run,
    base,
    split?.count ?? messages.length,
    asked && { ...asked, shard: identity.name || undefined, messages, sentAt },
  );
}

/** A request whose messages were encoded earlier. */
export interface EncodedRequest {
  /** As encodeRequest makes them of so many messages, with this base. */
  args: readonly string[];
  count: number;
  base: string;
  token: string;
  recognisedMs: number;
  /** Of the map of the shards by which its caller knows this one. */
  epoch: string;
  wake?: Wake | false | undefined;
}

/**
 * Enqueues what was encoded earlier. Of its keys only those of each enqueue are declared.
 * @throws StorageError, RequestMismatch; ShardMoved where the shard knows a newer map
 */
export function enqueueSegments(shard: Shard, request: EncodedRequest): Promise<EnqueueAnswer> {
  const { args, count, base, token, recognisedMs, epoch, wake = COMMON_WAKE } = request;
  const { keys } = shard;
  const run = shard.run(
    scripts.enqueue,
    [keys.request(token), keys.timers, keys.awake, keys.sleeper, ...(epoch === '' ? [] : [keys.map])],
    [...commonArgs(shard), base, '-', digits(recognisedMs), ...wakeArgs(wake), '', '0', epoch, ...args],
  );
  return readEnqueueAnswer(run, base, count, undefined);
}

const isReady = ({ delayMs, notBefore = 0 }: PreparedMessage) => delayMs === 0 && notBefore === 0;

/** @param asked its messages are still needed where they may be handed off; else they are garbage by now */
async function readEnqueueAnswer(
  run: ReturnType<Shard['run']>,
  base: string,
  count: number,
  asked: AskedHandOff | undefined,
): Promise<EnqueueAnswer> {
  const { reply } = await run;
  const [status, wake, applied = base, met = '', now = '', lines = ''] = strings(reply);
  if (status === 'moved') throw new ShardMoved(Number(wake));
  if (status === 'mismatch') throw new RequestMismatch('this request token was used for other messages');
  const { note: _, ...stored } = readApplied(applied, met, count);
  const answer: EnqueueAnswer = { ...stored, replayed: status === 'repeated', wake: wake === '1' };
  if (asked && now !== '') answer.handOff = readHandOff(asked, answer, Number(now), lines);
  return answer;
}

interface AskedHandOff {
  shard: string | undefined;
  lease: string;
  leaseMs: number;
  messages: PreparedMessage[];
  sentAt: number;
}

/** @param lines the header lines of what the lease holds; '' where that is not known */
function readHandOff(
  { shard, lease, leaseMs, messages, sentAt }: AskedHandOff,
  { ids, duplicates }: EnqueueAnswer,
  now: number,
  lines: string,
): HandOff {
  const bodies = new Map<string, string>();
  for (const [place, { json }] of messages.entries()) {
    const first = duplicates.get(place);
    if (!first || (first.what === 'replaced' && bodies.has(first.id))) bodies.set(first?.id ?? ids[place] ?? '', json);
  }
  const headers = lines.split('\n');
  const taken = [...bodies].map(([id, json], at) => ({ entry: `1.${id}`, envelope: `${headers[at]}\n${json}` }));
  const clockAheadMs = (sentAt + Date.now()) / 2 - now; // the server answered about half-way between request and reply
  return {
    ...(shard && { shard }),
    lease,
    leasedUntil: sentAt + leaseMs,
    takenAt: now,
    ...(lines !== '' && { taken }),
    clockAheadMs,
  };
}

/** Behind the base of a request's ids its note is kept, and behind that its parts: no token has this character. */
const NOTE = '~';

function formatBase(base: string, note = '', split: EnqueueRequest['split']): string {
  if (split) return [base, note, writeParts(split.parts, split.count)].join(NOTE);
  return note === '' ? base : base + NOTE + note;
}

/** What is remembered of a request. */
export interface AppliedRequest extends Pick<EnqueueAnswer, 'ids' | 'duplicates' | 'split'> {
  note: string;
}

/**
 * @param applied its base, and what stands behind it
 * @param met the dedup keys that were taken
 * @param count of its messages
 */
export function readApplied(applied: string, met: string, count: number): AppliedRequest {
  const [base = '', note = '', parts = ''] = applied.split(NOTE);
  const duplicates = parseDuplicates(met);
  if (parts === '') return { ids: makeIds(base, count), duplicates, note };
  const split = { base, parts: readParts(parts) };
  const [{ places }] = split.parts; // only those were met here
  const own = [...duplicates].map(([at, first]) => [places[at] as number, first] as const);
  return { ids: makeSplitIds(split), duplicates: new Map(own), note, split };
}

function parseDuplicates(text: string): EnqueueAnswer['duplicates'] {
  const words = text === '' ? [] : text.split(' ').map((word) => word.split('='));
  return new Map(
    words.map(([place, id = '', what]) => [Number(place) - 1, { id, what: what as 'duplicate' | 'replaced' }]),
  );
}
