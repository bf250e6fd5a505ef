/**
 * Parcels: messages of one shard that another holds until they are forwarded. To storage a parcel is a message like others, of a push
 * queue that only the engine knows. Pure.
 */
import { NonRetriableError } from '../errors.ts';
import { isPlainObject } from '../formats/json.ts';
import type { PreparedMessage, StoredDedup } from '../message/envelope.ts';
import { formatLane, PUSH_POOL } from '../message/lane.ts';
import { encodeSegments } from '../store/encode-messages.ts';

/** No queue of a deployment can have this name. */
export const PARCEL_QUEUE = '>';
/** Those for each shard stand in a lane of their own: what cannot be forwarded holds up nothing else. */
const laneTo = (shard: string) => formatLane(0, PARCEL_QUEUE, shard);
export const isParcelLane = (lane: string) => lane.startsWith(`${formatLane(0, PARCEL_QUEUE)}/`);

/** Older ones become dead letters: their shard knows which have arrived only for so long, and a day more. */
export const PARCEL_MS = 7 * 86_400_000;
export const RECOGNISED_MS = PARCEL_MS + 86_400_000;
/** It is tried for as long as it may live. */
const ATTEMPTS = 1_000_000;

export interface Parcel {
  /** The name of the shard to which it goes. */
  to: string;
  /** Its messages, as the scripts read them. */
  args: string[];
  count: number;
  /** They are not new: another shard had all of it, and it comes in as it was. */
  isMoved?: boolean | undefined;
}

/** Stands for the id of the only message of a parcel that gets its own id, as storage gives it one. */
const OWN_ID = '-';

/** A parcel with one message, which gets the id of the parcel. */
export const packOne = (to: string, message: PreparedMessage): PreparedMessage =>
  pack({ to, args: encodeSegments([message], OWN_ID), count: 1 }, 0);

export function pack(parcel: Parcel, delayMs: number): PreparedMessage {
  return {
    lane: laneTo(parcel.to),
    pool: PUSH_POOL,
    maxAttempts: ATTEMPTS,
    delayMs,
    ttlMs: PARCEL_MS,
    json: JSON.stringify({ body: parcel, ...(delayMs > 0 && { delayMs }) }),
  };
}

/** Below this age nobody notices what a delay or a time to live has lost of its length. */
const AGED_MS = 1_000;

/**
 * @param id of the parcel
 * @param ageMs since it was accepted: of the delays and times to live of its messages so much is over
 * @throws NonRetriableError where this is none
 */
export function openParcel(id: string, body: unknown, ageMs = 0): Parcel {
  if (!isPlainObject(body)) throw unreadable();
  const { to, args, count, isMoved } = body;
  const isWhole = typeof to === 'string' && typeof count === 'number' && Array.isArray(args);
  if (!isWhole || !args.every((arg) => typeof arg === 'string')) throw unreadable();
  if (isMoved === true) return { to, count, args, isMoved };
  const own = args[IDS_AT] === OWN_ID ? args.with(IDS_AT, id) : args;
  return { to, count, args: ageMs < AGED_MS ? own : age(own, ageMs) };
}

function age(args: readonly string[], ageMs: number): string[] {
  return readSegments(args).flatMap(({ id, message }) => {
    const ttlMs = message.ttlMs === 0 ? 0 : Math.max(1, message.ttlMs - ageMs);
    return encodeSegments([{ ...message, delayMs: Math.max(0, message.delayMs - ageMs), ttlMs }], id);
  });
}

const unreadable = () => new NonRetriableError('a parcel is not as it was written');

/** The settings of a segment, and where its ids stand behind them. */
const SETTINGS = 7;
const IDS_AT = SETTINGS + 1;
/** A callback: when it follows, and a segment of one. */
const CALLBACK = 1 + IDS_AT + 1 + 1;

/** What a parcel holds, each message with its id: the other way round than encodeSegments. */
export function readSegments(args: readonly string[]): { id: string; message: PreparedMessage }[] {
  const messages: { id: string; message: PreparedMessage }[] = [];
  let at = 0;
  while (at < args.length) {
    const settings = readSettings(args.slice(at, at + SETTINGS));
    const count = Number(args[at + SETTINGS]);
    const ids = args[at + IDS_AT] as string;
    at += IDS_AT + 1;
    for (let i = 0; i < count; i++) {
      const id = ids.endsWith('-') ? ids + messages.length : ids;
      const { callbacks, length } = settings.hasCallbacks ? readCallbacks(args, at + 1) : { length: 0 };
      messages.push({ id, message: { ...settings.message, callbacks, json: args[at] as string } });
      at += 1 + length;
    }
  }
  return messages;
}

function readCallbacks(args: readonly string[], at: number) {
  const count = Number(args[at]);
  const callbacks: NonNullable<PreparedMessage['callbacks']> = [];
  for (let i = at + 1; i <= at + count; i += CALLBACK) {
    const { message } = readSettings(args.slice(i + 1, i + 1 + SETTINGS));
    callbacks.push({ on: args[i] as 'done' | 'dead', message: { ...message, json: args[i + CALLBACK - 1] as string } });
  }
  return { callbacks, length: 1 + count };
}

function readSettings(settings: readonly string[]) {
  const [lane = '', pool = '', attempts, delayMs, notBefore, ttlMs, extras = '-'] = settings;
  const [resultTtlMs = '0', windowMs, mode, digest = '-', callbacks] = extras === '-' ? [] : extras.split(' ');
  const dedup: StoredDedup | undefined =
    digest === '-'
      ? undefined
      : {
          digest: digest.replace(/!$/, ''),
          windowMs: Number(windowMs),
          mode: mode as StoredDedup['mode'],
          release: digest.endsWith('!'),
        };
  const message = {
    lane,
    pool,
    maxAttempts: Number(attempts),
    delayMs: Number(delayMs),
    notBefore: Number(notBefore),
    ttlMs: Number(ttlMs),
    resultTtlMs: Number(resultTtlMs),
    dedup,
  };
  return { message, hasCallbacks: callbacks === 'callbacks' };
}
