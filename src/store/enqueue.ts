/** Enqueueing: the messages of a request, all or none, once however often it is sent. */

import { RequestMismatch, ShardMoved } from '../errors.ts';
import type { PreparedMessage } from '../message/envelope.ts';
import { makeIds, newToken } from '../message/ids.ts';
import * as scripts from '../redis/lua/generated.ts';
import { digits } from '../redis/lua/script.ts';
import { strings } from '../redis/reply.ts';
import { commonArgs, type Shard } from '../redis/shard.ts';
import { listBlockedKeys, listMessageKeys } from './declared.ts';
import { encodeRequest } from './encode-messages.ts';
import { COMMON_WAKE, type Wake, wakeArgs } from './wake.ts';

/** A lease that an enqueue has filled for the drain that its caller starts. */
export interface HandOff {
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
  /** The messages whose dedup keys were taken, by their places in the request: who holds the key, and whether its body was replaced. */
  duplicates: Map<number, { id: string; what: 'duplicate' | 'replaced' }>;
  /** The drain has to begin with this lease, which it asked for: nobody else knows of it. */
  handOff?: HandOff;
}

/** @throws StorageError, RequestMismatch; ShardMoved where the shard knows a newer map */
export function enqueue(shard: Shard, request: EnqueueRequest): Promise<EnqueueAnswer> {
  const { keys } = shard;
  const { messages, token = newToken(), fingerprint = '-', recognisedMs = shard.recognisedMs, note } = request;
  const { base = newToken(), epoch = '', wake = COMMON_WAKE, handOff } = request;
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
      note ? base + NOTE + note : base,
      fingerprint,
      digits(recognisedMs),
      ...wakeArgs(wake),
      asked?.lease ?? '',
      digits(asked?.leaseMs ?? 0),
      epoch,
      ...encodeRequest(messages, base),
    ],
  );
  return readEnqueueAnswer(run, base, messages.length, asked && { ...asked, messages, sentAt });
}

/** A request whose messages were encoded earlier. */
export interface EncodedRequest {
  /** As encodeRequest makes them of so many messages, with this base. */
  args: readonly string[];
  count: number;
  base: string;
  token: string;
  recognisedMs: number;
}

/**
 * Enqueues what was encoded earlier, whatever map the shard has by now. Of its keys only those of each enqueue are declared.
 * @throws StorageError, RequestMismatch
 */
export function enqueueSegments(shard: Shard, request: EncodedRequest): Promise<EnqueueAnswer> {
  const { args, count, base, token, recognisedMs } = request;
  const { keys } = shard;
  const run = shard.run(
    scripts.enqueue,
    [keys.request(token), keys.timers, keys.awake, keys.sleeper],
    [...commonArgs(shard), base, '-', digits(recognisedMs), ...wakeArgs(COMMON_WAKE), '', '0', '', ...args],
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
  const answer: EnqueueAnswer = {
    ids: splitBase(applied, count).ids,
    replayed: status === 'repeated',
    wake: wake === '1',
    duplicates: parseDuplicates(met),
  };
  if (asked && now !== '') answer.handOff = readHandOff(asked, answer, Number(now), lines);
  return answer;
}

interface AskedHandOff {
  lease: string;
  leaseMs: number;
  messages: PreparedMessage[];
  sentAt: number;
}

/** @param lines the header lines of what the lease holds; '' where that is not known */
function readHandOff(
  { lease, leaseMs, messages, sentAt }: AskedHandOff,
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
  return { lease, leasedUntil: sentAt + leaseMs, takenAt: now, ...(lines !== '' && { taken }), clockAheadMs };
}

/** Behind the base of a request's ids its note is kept: no token has this character. */
const NOTE = '~';

export function splitBase(applied: string, count: number): { ids: string[]; note: string } {
  const [base = '', note = ''] = applied.split(NOTE);
  return { ids: makeIds(base, count), note };
}

export function parseDuplicates(text: string): EnqueueAnswer['duplicates'] {
  const words = text === '' ? [] : text.split(' ').map((word) => word.split('='));
  return new Map(
    words.map(([place, id = '', what]) => [Number(place) - 1, { id, what: what as 'duplicate' | 'replaced' }]),
  );
}
