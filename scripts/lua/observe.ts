/**
 * What the scripts were asked and what they answered, in the order in which Redis ran them, read from the commands that pass
 * the emulator. Their cards say where each argument stands.
 */
import { createHash } from 'node:crypto';
import type { Observation } from '../../src/dev/emulator/backend.ts';
import * as scripts from '../../src/redis/lua/generated.ts';
import { type Finding, parseFindings } from '../../src/store/audit.ts';
import type { Outcome, Status } from '../../src/store/encode-settlements.ts';
import { nameArguments } from './named.ts';

export interface Enqueued {
  what: 'enqueued';
  messages: { id: string; lane: string; delayMs: number; json: string }[];
  /** Those that met a message with their dedup key, which stands for them. */
  met: Enqueued['messages'];
  /** Epoch ms. */
  at: number;
  /** The lease into which they went, of the drain that their caller begins. */
  handedTo?: { lease: string; leaseMs: number };
}

export interface Synced {
  what: 'synced';
  lease: string;
  /** The name of the drain that called, whatever its leases are. */
  drain?: string;
  leaseMs: number;
  /** Entries the caller holds besides those it settles. */
  held: number;
  /** The server's time, epoch ms. */
  at: number;
  lost: boolean;
  settlements: { entry: string; outcome: Outcome; status: Status; delayMs: number; text: string }[];
  /** What the handlers of acked ones enqueued, of each: these are stored in the order in which they were taken into the lease. */
  chained: { by: string; messages: Enqueued['messages'] }[];
  taken: string[];
  /** Of what was taken, each begins with its lane. */
  envelopes: string[];
  /** The lease holds more that never reached its consumer. */
  unseen: boolean;
  /** Storage took a part of it only. */
  refused: boolean;
}

/** What an operator did. */
export type AdminCall =
  | { what: 'cancelled'; id: string }
  | { what: 'redriven'; ids: string[] }
  | { what: 'paused' | 'resumed'; queue: string };

/** Places that drains have taken or given back. */
export interface Claimed {
  /** Of the drain that asked. */
  own: string;
  /** For those that it starts. */
  others: string[];
  /** Free from now on. */
  back: string[];
}

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex');
const nameOf = new Map(
  Object.values(scripts).flatMap(({ name, source }) => [
    [sha1(source), name],
    [source, name],
  ]),
);

const scriptIn = ([verb = '', script = '']: string[]) =>
  /^evalsha|eval$/i.test(verb) ? nameOf.get(script) : undefined;
const argsIn = (command: string[]) => command.slice(3 + Number(command[2]));

/** @returns undefined for what changes nothing of interest: other commands, failed ones, replays */
export function whatHappened({ command, result, error, startedAt }: Observation): Enqueued | Synced | undefined {
  const name = scriptIn(command);
  if (error !== undefined || !Array.isArray(result)) return undefined;
  if (name === 'enqueue' && result[0] === 'enqueued') {
    // Those that met their dedup key were not enqueued: '<place>=<first id>=<what>' each.
    const met = new Set(
      String(result[3] ?? '')
        .split(' ')
        .map((word) => Number(word.split('=')[0])),
    );
    const { named, more } = nameArguments(name, argsIn(command));
    const all = messagesIn(more, startedAt);
    const messages = all.filter((_, i) => !met.has(i + 1));
    const enqueued = { what: 'enqueued' as const, messages, met: all.filter((_, i) => met.has(i + 1)) };
    const [, , , , handedAt = ''] = result.map(String);
    if (handedAt === '') return { ...enqueued, at: startedAt };
    const handedTo = { lease: named('lease'), leaseMs: Number(named('leaseMs')) };
    return { ...enqueued, at: Number(handedAt), handedTo };
  }
  return name === 'sync' ? syncedIn(argsIn(command), result, startedAt) : undefined;
}

/** @returns likewise */
export function readAdminCall({ command, result, error }: Observation): AdminCall | undefined {
  const name = scriptIn(command);
  if (error !== undefined || name === undefined) return undefined;
  const { named, more } = nameArguments(name, argsIn(command));
  if (name === 'cancel' && (result as string[])[0] !== 'gone') return { what: 'cancelled', id: named('id') };
  if (name === 'configure' && named('pause') !== '') {
    return { what: named('pause') === '1' ? 'paused' : 'resumed', queue: named('queue') };
  }
  if (name !== 'redrive') return undefined;
  return { what: 'redriven', ids: more.filter((_, i) => (result as string[])[i] === 'redriven') };
}

/** @returns likewise */
export function readClaim({ command, result, error }: Observation): Claimed | undefined {
  if (error !== undefined || scriptIn(command) !== 'claim-drains') return undefined;
  const { named } = nameArguments('claim-drains', argsIn(command));
  const [own = '', ...others] = (result as unknown[]).map(String);
  const lost = own === '' ? named('own') : '';
  return { own, others, back: wordsOf(`${named('back')} ${lost}`.trim()) };
}

/** @returns what a sweep found wrong */
export function readFindings({ command, result, error }: Observation): Finding[] {
  if (error !== undefined || !Array.isArray(result) || scriptIn(command) !== 'sweep') return [];
  return parseFindings(result[7] ?? []);
}

function syncedIn(args: string[], result: unknown[], startedAt: number): Synced {
  const [now, , lost, words, taken] = result.map(String);
  const refused = result[12];
  const statuses = wordsOf(words) as Status[];
  const { named, more } = nameArguments('sync', args);
  const { settlements, rest } = settlementsIn(more.slice(Number(named('pools'))), Number(named('segments')), statuses);
  return {
    what: 'synced',
    lease: named('lease'),
    ...(named('awakeMs') !== '0' && { drain: named('name') }),
    leaseMs: Number(named('leaseMs')),
    held: Number(named('held')),
    at: Number(now),
    lost: lost === '1',
    settlements,
    chained: chainedIn(rest, settlements, startedAt),
    taken: wordsOf(taken),
    envelopes: (result[5] as unknown[]).map(String),
    unseen: result[6] === '1',
    refused: refused !== '',
  };
}

const wordsOf = (text = '') => (text === '' ? [] : text.split(' '));

/** Segments of outcome, delay, kind, text, measured, count, then count × entry. Returns what is behind them, too. */
function settlementsIn(args: string[], segments: number, statuses: Status[]) {
  const settlements: Synced['settlements'] = [];
  let at = 0;
  for (let segment = 0; segment < segments; segment++) {
    const [word = '', delay, , text = '', , count] = args.slice(at, at + 6);
    const outcome = word.replace(/[+-]$/, '') as Outcome;
    const entries = args.slice(at + 6, at + 6 + Number(count));
    for (const entry of entries) {
      const status = statuses[settlements.length] as Status;
      settlements.push({ entry, outcome, status, delayMs: Number(delay), text });
    }
    at += 6 + entries.length;
  }
  return { settlements, rest: args.slice(at) };
}

/** Place of a settlement, how many arguments, and that many: of those that were acked. */
function chainedIn(args: string[], settlements: Synced['settlements'], now: number): Synced['chained'] {
  const chained: Synced['chained'] = [];
  for (let at = 0; at < args.length; ) {
    const [place, count] = args.slice(at, at + 2).map(Number) as [number, number];
    at += 2 + count;
    const { entry: by = '', status } = settlements[place - 1] ?? {};
    if (status === 'acked') chained.push({ by, messages: messagesIn(args.slice(at - count, at), now) });
  }
  return chained;
}

/** Segments of lane, pool, attempts, delay, not before, ttl, extras, count, ids, then count × JSON: admit.lua says how. */
export function messagesIn(segments: string[], now: number): Enqueued['messages'] {
  const messages: Enqueued['messages'] = [];
  for (let at = 0; at < segments.length; ) {
    const [lane = '', , , delay, notBefore, , extras = '', count, ids = ''] = segments.slice(at, at + 9);
    const delayMs = Math.max(Number(delay), Number(notBefore) - now, 0);
    at += 9;
    for (let i = 0; i < Number(count); i++, at += 1) {
      const id = ids.endsWith('-') ? ids + messages.length : ids;
      messages.push({ id, lane, delayMs, json: segments[at] ?? '{}' });
      if (extras.endsWith(' callbacks')) at += 1 + Number(segments[at + 1]);
    }
  }
  return messages;
}
