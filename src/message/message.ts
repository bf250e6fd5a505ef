/**
 * Messages: their ids, lanes and entries, and the envelope in which one is stored.
 *
 * Pure. The scripts read the same forms: entry.lua and lane.lua are the other half of this file.
 */

import { readJson } from '../formats/json.ts';
import type { StoredDestination } from './destination.ts';
import { parseRaw, type Raw } from './raw.ts';

export { type Raw, rawBytes } from './raw.ts';

export type Priority = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

/** A queue's name: safe in a key, a URL and a log. */
export const QUEUE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** The most a message's body and headers may take as JSON, in UTF-8 bytes. */
export const MAX_MESSAGE_BYTES = 256 * 1024;

/** The longest group name, in characters. */
export const MAX_GROUP_LENGTH = 128;

/** A message as a consumer gets it. */
export interface Message<Body = unknown> {
  id: string;
  queue: string;
  /** 0 to 9, 0 first. */
  priority: Priority;
  group?: string;
  /**
   * 1 at the first delivery, and one more after each that failed or whose lease lapsed: no two consumers work on the same (id,
   * attempt). A release gives the same again, because whoever released it has done nothing; a redrive, and what takes the place of
   * a message that was tried, begin at 1.
   */
  attempt: number;
  /** Deliveries after which it becomes a dead letter. */
  maxAttempts: number;
  body: Body;
  headers: Record<string, string>;
  /** The exact body of a webhook, of which `body` is the parsed form. Left out for other messages. */
  raw?: Raw;
  /** Epoch ms, by the server's clock. */
  enqueuedAt: number;
}

/** A message out of its envelope, with what only its consumer needs. */
export interface Opened {
  /** With where it goes, if it names that itself. */
  message: Message & { destination?: StoredDestination };
  /** Storage has to read its envelope again when it is acked: a result is kept, a dedup key goes with it, or others follow. */
  readAtAck: boolean;
  /** When its first delivery was due: epoch ms, by the server's clock. */
  dueAt: number;
}

/** The JSON of an envelope. What delayed the message is only there where something did. */
export interface StoredMessage {
  body?: unknown;
  raw?: Raw | undefined;
  headers?: Record<string, string> | undefined;
  destination?: StoredDestination | undefined;
  delayMs?: number | undefined;
  notBefore?: number | undefined;
}

/** A message on its way in, checked and complete. */
export interface NewMessage {
  id: string;
  lane: string;
  pool: string;
  maxAttempts: number;
  delayMs: number;
  /** Epoch ms; whichever is later, this or the delay, holds. */
  notBefore?: number | undefined;
  /** 0: it never expires. */
  ttlMs: number;
  /** How long its result is kept; 0: not at all. */
  retentionMs?: number;
  dedup?: StoredDedup | undefined;
  /** What follows when it is done or dead. */
  follows?: { on: 'done' | 'dead'; message: Unnamed }[] | undefined;
  /** The part of the envelope behind the header line. */
  json: string;
}

/** A message on its way in that has no id yet: its place in a request gives it. */
export type Unnamed = Omit<NewMessage, 'id'>;

/** How one message is known as the duplicate of another. */
export interface StoredDedup {
  /** Of the key: keys are users' text, which no name in Redis holds. */
  digest: string;
  windowMs: number;
  /** What becomes of a new message with the key of one that waits; 'debounce' waits for a quiet window, too. */
  mode: 'drop' | 'replace' | 'debounce';
  /** The key goes when the message is acked or dead, not only when its window is over. */
  release: boolean;
}

/** Drained queues share this pool, a pulled queue is its own. No queue can have this name. */
export const DRAINED = '*';

/** @param group any well-formed text; it is encoded, so that no two groups share a lane and none harms a key. */
export function laneOf(priority: Priority, queue: string, group?: string): string {
  return `${priority}:${queue}${group === undefined ? '' : `/${encodeURIComponent(group)}`}`;
}

export function parseLane(lane: string): { priority: Priority; queue: string; group?: string } {
  const slash = lane.indexOf('/');
  const priority = Number(lane[0]) as Priority;
  if (slash < 0) return { priority, queue: lane.slice(2) };
  return { priority, queue: lane.slice(2, slash), group: decodeURIComponent(lane.slice(slash + 1)) };
}

/** @param name of a queue, or of one of its groups: '<queue>', '<queue>/<group>', '<queue>/' for messages without a group */
export function parseGroupName(name: string): { queue: string; group?: string } {
  const { priority: _, ...named } = parseLane(`0:${name.replace(/\/$/, '')}`);
  return named;
}

/** @param entry `<attempt>.<id>`, or `1r.<id>` after a redrive */
export function parseEntry(entry: string): { attempt: number; id: string } {
  const dot = entry.indexOf('.');
  return { attempt: Number.parseInt(entry, 10), id: entry.slice(dot + 1) };
}

/** The header line of an envelope. */
interface Header extends ReturnType<typeof parseLane> {
  maxAttempts: number;
  enqueuedAt: number;
  readAtAck: boolean;
  /** Where the JSON begins. */
  length: number;
}

/** The last header line that was read, line feed included: messages that came in together mostly share theirs. */
let last: { line: string; header: Header } | undefined;

/**
 * Can be read even where the JSON cannot.
 * @param envelope `<lane> <pool> <max attempts> <enqueued at> <expires at>[ <retention ms> <dedup digest, or ->
 *   [ then]]`, a line feed, JSON
 */
export function headerOf(envelope: string): Header {
  if (last && envelope.startsWith(last.line)) return last.header;
  const length = envelope.indexOf('\n') + 1;
  const line = envelope.slice(0, length);
  const [lane = '', , maxAttempts, enqueuedAt, , retention, dedup, follow] = line.trimEnd().split(' ');
  const header = {
    ...parseLane(lane),
    maxAttempts: Number(maxAttempts),
    enqueuedAt: Number(enqueuedAt),
    readAtAck: Number(retention ?? 0) > 0 || Boolean(dedup?.endsWith('!')) || follow === 'then',
    length,
  };
  if (line !== '') last = { line, header };
  return header;
}

/**
 * @param entry `<attempt>.<id>`
 * @throws SyntaxError where the JSON cannot be read, or not be written again: the message is somebody else's, or damaged
 */
export function openEnvelope(entry: string, envelope: string, header = headerOf(envelope)): Opened {
  const { queue, priority, group, maxAttempts, enqueuedAt, readAtAck, length } = header;
  const stored = readJson(envelope.slice(length), 1) as StoredMessage;
  const { headers, destination, raw, delayMs = 0, notBefore = 0 } = stored;
  const { attempt, id } = parseEntry(entry);
  const body = raw ? parseRaw(raw) : stored.body; // the body of a webhook is stored once
  const message: Opened['message'] = {
    id,
    queue,
    priority,
    attempt,
    maxAttempts,
    body,
    headers: headers ?? {},
    enqueuedAt,
  };
  if (group !== undefined) message.group = group;
  if (raw) message.raw = raw;
  if (destination) message.destination = destination;
  return { message, readAtAck, dueAt: Math.max(enqueuedAt + delayMs, notBefore) };
}

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * A new token: 8 characters of time, so that ids sort roughly by age, and 12 of chance (71 bits). Ids are not taken from
 * a counter in Redis: after a restore it would hand out old ones again, and a late ack would hit the wrong message.
 */
export function newToken(nowMs: number = Date.now()): string {
  let time = '';
  for (let rest = nowMs, i = 0; i < 8; i++, rest = Math.floor(rest / 62)) time = DIGITS[rest % 62] + time;
  let chance = '';
  for (const byte of crypto.getRandomValues(new Uint16Array(12))) chance += DIGITS[byte % 62];
  return time + chance;
}

/** The ids of a request's messages: its base, and their places in it. */
export function idsOf(base: string, count: number): string[] {
  return count === 1 ? [base] : Array.from({ length: count }, (_, index) => `${base}-${index}`);
}
