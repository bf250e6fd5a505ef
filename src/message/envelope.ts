/**
 * The envelope in which a message is stored: a header line that the scripts read, and JSON that they do not. And a message on its
 * way in, which is both before they are put together.
 *
 * Pure. The scripts write and read the same header line: entry.lua is the other half of this file.
 */
import { readJson } from '../formats/json.ts';
import type { StoredDestination } from './destination.ts';
import { parseEntry } from './ids.ts';
import { parseLane } from './lane.ts';
import type { Message } from './message.ts';
import { parseRaw, type Raw } from './raw.ts';

/** A message out of its envelope, with what only its consumer needs. */
export interface Envelope {
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

/** A message on its way in, validated. */
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
  resultTtlMs?: number;
  dedup?: StoredDedup | undefined;
  /** What follows when it is done or dead. */
  callbacks?: { on: 'done' | 'dead'; message: PreparedMessage }[] | undefined;
  /** The part of the envelope behind the header line. */
  json: string;
}

/** A message on its way in that has no id yet: its place in a request gives it. */
export type PreparedMessage = Omit<NewMessage, 'id'>;

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
 * @param envelope `<lane> <pool> <max attempts> <enqueued at> <expires at>[ <result ttl ms> <dedup digest, or ->
 *   [ callbacks]]`, a line feed, JSON
 */
export function parseHeader(envelope: string): Header {
  if (last && envelope.startsWith(last.line)) return last.header;
  const length = envelope.indexOf('\n') + 1;
  const line = envelope.slice(0, length);
  const [lane = '', , maxAttempts, enqueuedAt, , resultTtl, dedup, callbacks] = line.trimEnd().split(' ');
  const header = {
    ...parseLane(lane),
    maxAttempts: Number(maxAttempts),
    enqueuedAt: Number(enqueuedAt),
    readAtAck: Number(resultTtl ?? 0) > 0 || Boolean(dedup?.endsWith('!')) || callbacks === 'callbacks',
    length,
  };
  if (line !== '') last = { line, header };
  return header;
}

/**
 * @param entry `<attempt>.<id>`
 * @throws SyntaxError where the JSON cannot be read, or not be written again: the message is somebody else's, or damaged
 */
export function openEnvelope(entry: string, envelope: string, header = parseHeader(envelope)): Envelope {
  const { queue, priority, group, maxAttempts, enqueuedAt, readAtAck, length } = header;
  const stored = readJson(envelope.slice(length), 1) as StoredMessage;
  const { headers, destination, raw, delayMs = 0, notBefore = 0 } = stored;
  const { attempt, id } = parseEntry(entry);
  const body = raw ? parseRaw(raw) : stored.body; // the body of a webhook is stored once
  const message: Envelope['message'] = {
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
