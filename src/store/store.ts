/** The store: what Sluice does to Redis, a typed function for each script. It makes no decision of its own. */

import { RequestMismatch, StorageError } from '../errors.ts';
import { YEAR_MS } from '../formats/duration.ts';
import { idsOf, newToken } from '../message/ids.ts';
import type { Unnamed } from '../message/message.ts';
import { DEFAULT_TIMEOUT_MS } from '../queue/limits.ts';
import { type Keys, keysOf } from '../redis/keys.ts';
import { refusalOf } from '../redis/refusal.ts';
import type { Runner } from '../redis/runner.ts';
import { keysOfMessages, keysOfSettlements } from './declared.ts';
import { type Settlement, type Status, writeSettlements } from './encode-settlements.ts';
import { scripts } from './scripts.ts';
import { requestRuns } from './segments.ts';

export type { FailureKind, Outcome, Settlement, Status } from './encode-settlements.ts';

export interface EnqueueRequest {
  messages: Unnamed[];
  /** Names the request: a replay with the same token enqueues nothing twice. A fresh one if left out. */
  token?: string | undefined;
  /** Tells requests with the same token apart. */
  fingerprint?: string | undefined;
  /** How long a replay is recognised. Default: as long as our own repetitions go on. */
  recognisedMs?: number | undefined;
  /** Remembered with the request, and answered to its replays: text without blanks. */
  note?: string | undefined;
  /** Of the drain that the caller would start; false: it cannot start one, and leaves that to others. */
  wake?: Wake | false | undefined;
}

/** When a drain has to be started for messages that are not ready yet. */
export interface Wake {
  /** A delay up to this is worth a drain that sleeps until then. */
  withinMs: number;
  /** What a delivery may take: one that sleeps already has to live so much longer. */
  needsMs: number;
}

export interface EnqueueAnswer {
  ids: string[];
  /** It had been applied before, by an earlier try or another caller with the same token. */
  repeated: boolean;
  /** The caller should start a drain: nobody is draining. */
  wake: boolean;
  /** Place in the request to what became of a message whose dedup key was taken. */
  met: Map<number, { id: string; what: 'duplicate' | 'replaced' }>;
}

export interface ExchangeRequest {
  lease: string;
  leaseMs: number;
  /** How many entries the caller holds besides those it settles here. */
  held: number;
  want: number;
  pools: string[];
  settlements: Settlement[];
  /** No other lease may begin under this name as long as this one lasts. */
  claim?: string | undefined;
  /** Only for a drain. */
  drain?: {
    /** It takes nothing after this: from now on new work must wake another. */
    ending: boolean;
    /** All its handlers are busy, and it does not look until one is free: new work should wake another meanwhile. */
    busy?: boolean;
    /** How long it could sleep for the next timer. */
    sleepMs: number;
    /** How long a handler may run that it starts now: what may take longer is left to others. */
    lifeMs?: number;
  };
}

export interface ExchangeAnswer {
  /** Server time, epoch ms. */
  now: number;
  /** When to look again, epoch ms: the next timer, unless another drain sleeps for it. */
  nextDue?: number;
  /** The lease was swept: what the caller holds is another's, and it must go on with a new lease. */
  lost: boolean;
  /** One for each settlement, in order. */
  statuses: Status[];
  taken: { entry: string; envelope: string }[];
  /** There is more for this call than fitted in its answer: it comes with the next. */
  unseen: boolean;
  /** Entries the caller holds whose messages were cancelled meanwhile. */
  cancelled: string[];
  /** Breakers that opened, until an instant in epoch ms, or closed. */
  tripped: { name: string; openUntil?: number }[];
  /** The caller, which is no drain, should start one: what it made ready or due is for drains, and nobody is draining. */
  wake: boolean;
  /** Work is left that this drain does not take: the shortest timeout of its queues, ms; 0 where that is not known. */
  left?: number;
  /** An earlier try may have run: a `gone` may be its own doing. */
  repeated: boolean;
  /** Why storage took a part of it only: what is `refused`, the extension of the lease, or what would have been taken. */
  refused?: StorageError;
  /** There where slots have come. */
  schedules?: StoredSchedule[];
}

export interface SweepAnswer {
  now: number;
  nextDue?: number;
  /** Timers fired; the caller repeats while it is more than 0. */
  fired: number;
  /** Entries that expired leases gave back to their lanes. */
  requeued: number;
  dead: number;
  /** Lanes of the pool have work. */
  ready: boolean;
  /** Where to go on inspecting. */
  cursor: string;
  /** Which part of what is long is next. */
  round: number;
  findings: Finding[];
  /** There where slots have come. */
  schedules?: StoredSchedule[];
  /** There are more figures to fold. */
  unfolded?: true;
  /** Which schedules of code were registered: `<when> <version> …`, the last one first. Not there where nobody looked. */
  registered?: string;
  /** When a sweep was noted last, epoch ms; 0 where that is not known. */
  notedAt: number;
}

/** A schedule as it is stored; due.lua says how. */
export interface StoredSchedule {
  id: string;
  record: string;
}

export interface Finding {
  finding: string;
  name: string;
  /** What a queue that only storage knows holds. */
  messages?: number;
}

export interface Store {
  /** @throws StorageError, RequestMismatch */
  enqueue(request: EnqueueRequest): Promise<EnqueueAnswer>;
  /** @throws StorageError; RequestMismatch where another lease has begun under the claim */
  exchange(request: ExchangeRequest): Promise<ExchangeAnswer>;
  /** One bounded step. @throws StorageError */
  sweep(pool: string, step?: SweepStep): Promise<SweepAnswer>;
  /**
   * One bounded step; the cursor '0' begins and ends it. A deep one looks for the entry of each envelope too; a
   * whole one that was not deep has to go before it, because it takes what a lease without a timer holds for lost.
   * @throws StorageError
   */
  audit(cursor: string, repair: boolean, deep?: boolean): Promise<AuditPage>;
}

export interface SweepStep {
  limit?: number;
  /** Which keys it inspects: '0' begins, '' inspects none; ANYBODYS goes on where the last noted sweep of anybody stood. */
  cursor?: string;
  /** Which part it looks at of what is too long to be looked at whole. */
  round?: number;
  /** That it ran, where it stood and which queues there are is remembered, though it folds no figures: one or two commands more. */
  note?: boolean;
}

export const ANYBODYS = '?';

/** What an audit could not judge, because too much is at work: the counts of slots, or envelopes that are in no list. */
export type Unjudged = 'counts' | 'envelopes';

export interface AuditPage {
  cursor: string;
  findings: Finding[];
  incomplete: Unjudged[];
}

export interface StoreOptions {
  runner: Runner;
  prefix: string;
  /** Of this deployment. */
  queues?: Iterable<{ name: string; pool: string }>;
  /** Of queues with limits: see policiesOf. */
  policies?: string | undefined;
  /** How long a call with a token is recognised whose caller does not say: see recognisedMsFor. */
  recognisedMs?: number;
  /** Tests set the clock: epoch ms. */
  clock?: (() => number) | undefined;
}

export const RECOGNISED_MS = 60_000;
/** As due.lua has it: whoever was given a schedule that is due has so long to fire it. */
export const HANDED_OUT_MS = 5_000;
const AWAKE_MS = 5_000; // a wake that was lost costs this much; a standing backlog wakes one more drain as often
/** Where the queues are not known: a woken drain can sleep so long, and then deliver to one that has no timeout of its own. */
export const COMMON_WAKE: Wake = { withinMs: 12_000, needsMs: DEFAULT_TIMEOUT_MS };
const ANSWER_BYTES = 4_000_000; // the service refuses replies of 10 MB
const EXCHANGE_FIRES = 100; // keeps an exchange short when many timers are due; the sweep takes more
const SWEEP_FIRES = 250; // some 5 ms of the server's time
const AUDIT_KEYS = 200;

export function openStore(options: StoreOptions): Store {
  const { runner, prefix, clock, queues = [], policies = '', recognisedMs = RECOGNISED_MS } = options;
  const keys = keysOf(prefix);
  const poolsOf = () => [...queues].map(({ name, pool }) => `\n${name} ${pool}`).join(''); // for sweeps and audits alone
  const head = () => [keys.root, clock ? String(clock()) : ''];
  return {
    enqueue: (request) => enqueue(runner, keys, head(), request, recognisedMs),
    exchange: (request) => exchange(runner, keys, head(), policies, request),
    async sweep(pool, { limit = SWEEP_FIRES, cursor = '', round = 0, note = false } = {}) {
      const step = [String(limit), cursor, String(AUDIT_KEYS), policies, note ? '1' : '', String(round)];
      const args = [...head(), ...step, poolsOf()];
      const { reply } = await runner.run(
        scripts.sweep,
        [keys.timers, keys.failures, keys.ready(pool), keys.stats],
        args,
      );
      const [now, nextDue, fired, requeued, dead, ready, next, found, schedules, unfolded, ...kept] = list(reply);
      const [nextRound, registered, notedAt] = kept;
      return {
        now: Number(now),
        ...due(Number(nextDue)),
        fired: Number(fired),
        requeued: Number(requeued),
        dead: Number(dead),
        ready: ready === '1',
        cursor: String(next),
        round: Number(nextRound),
        findings: findingsIn(found),
        ...dueSchedules(schedules),
        ...(unfolded === '1' ? { unfolded: true as const } : {}),
        ...(registered === '-' ? {} : { registered: String(registered) }),
        notedAt: Number(notedAt),
      };
    },
    async audit(cursor, repair, deep = false) {
      const flag = (set: boolean) => (set ? '1' : '0');
      const args = [...head(), cursor, String(AUDIT_KEYS), flag(repair), flag(deep), policies, poolsOf()];
      const { reply } = await runner.run(scripts.audit, [keys.timers, keys.failures, keys.stats], args);
      const [next, found, incomplete] = list(reply);
      return { cursor: String(next), findings: findingsIn(found), incomplete: strings(incomplete) as Unjudged[] };
    },
  };
}

function enqueue(
  runner: Runner,
  keys: Keys,
  head: string[],
  request: EnqueueRequest,
  ownMs: number,
): Promise<EnqueueAnswer> {
  const { messages, token = newToken(), fingerprint = '-', recognisedMs = ownMs, note } = request;
  const { wake = COMMON_WAKE } = request;
  const base = newToken();
  const script = [keys.request(token), keys.timers, keys.awake, keys.sleeper, keys.failures];
  const declared = keysOfMessages(keys, messages, idsOf(base, messages.length));
  const run = runner.run(scripts.enqueue, script.concat(declared), [
    ...head,
    note ? base + NOTE + note : base,
    fingerprint,
    String(recognisedMs),
    ...wakeArgs(wake),
    ...requestRuns(messages, base),
  ]);
  return enqueued(run, base, messages.length);
}

/** As the scripts read it. */
export const wakeArgs = (wake: Wake | false): string[] =>
  wake ? [AWAKE_MS, wake.withinMs, wake.needsMs].map(String) : ['0', '0', '0'];

async function enqueued(run: ReturnType<Runner['run']>, base: string, count: number): Promise<EnqueueAnswer> {
  const { reply } = await run;
  const [status, wake, applied = base, met = ''] = strings(reply);
  if (status === 'mismatch') throw new RequestMismatch('this request token was used for other messages');
  return { ids: openBase(applied, count).ids, repeated: status === 'repeated', wake: wake === '1', met: metIn(met) };
}

/** Behind the base of a request's ids its note is kept: no token has this character. */
const NOTE = '~';

export function openBase(applied: string, count: number): { ids: string[]; note: string } {
  const [base = '', note = ''] = applied.split(NOTE);
  return { ids: idsOf(base, count), note };
}

export function metIn(text: string): EnqueueAnswer['met'] {
  const words = text === '' ? [] : text.split(' ').map((word) => word.split('='));
  return new Map(
    words.map(([place, id = '', what]) => [Number(place) - 1, { id, what: what as 'duplicate' | 'replaced' }]),
  );
}

async function exchange(
  runner: Runner,
  keys: Keys,
  head: string[],
  policies: string,
  request: ExchangeRequest,
): Promise<ExchangeAnswer> {
  const { lease, leaseMs, held, want, pools, settlements, claim = '', drain } = request;
  const awakeMs = !drain ? 0 : drain.ending ? -1 : drain.busy ? -2 : AWAKE_MS;
  const { sleepMs, lifeMs = YEAR_MS } = drain ?? { sleepMs: COMMON_WAKE.withinMs, lifeMs: COMMON_WAKE.needsMs };
  const written = writeSettlements(settlements);
  const limits = [leaseMs, held, want, ANSWER_BYTES, awakeMs, sleepMs, EXCHANGE_FIRES, pools.length, written.runs];
  const args = [
    ...head,
    lease,
    ...limits.map((limit) => String(Math.floor(limit))),
    policies,
    String(Math.floor(lifeMs)),
    claim,
    ...pools,
    ...written.args,
  ];
  const script = [keys.timers, keys.failures, keys.awake, keys.config, keys.sleeper, keys.stats, keys.busy];
  const declared = [keys.lease(lease), ...pools.map(keys.ready), ...keysOfSettlements(keys, settlements)];
  if (claim !== '') declared.push(keys.request(claim));
  const { reply, repeated } = await runner.run(scripts.exchange, script.concat(declared), args);
  const answer = list(reply);
  if (answer[0] === 'mismatch') throw new RequestMismatch('another lease has begun under this name');
  const [now, nextDue, lost, statuses, entries, envelopes, unseen, cancelled, tripped, schedules, wake, left, refused] =
    answer;
  return {
    now: Number(now),
    ...due(Number(nextDue)),
    lost: lost === '1',
    statuses: written.inOrder(words(statuses) as Status[]),
    taken: takenIn(words(entries), strings(envelopes)),
    unseen: unseen === '1',
    cancelled: strings(cancelled),
    tripped: pairs(strings(tripped)).map(([name, until]) => ({
      name,
      ...(until === '0' ? {} : { openUntil: Number(until) }),
    })),
    // The answer to an earlier try may have been lost, and its word with it: a drain too many costs six commands.
    wake: wake === '1' || (repeated && !drain),
    ...(left === '' ? {} : { left: Number(left) }),
    repeated,
    ...(refused === '' ? {} : { refused: refusalOf(String(refused)) }),
    ...dueSchedules(schedules),
  };
}

const findingsIn = (found: unknown): Finding[] => pairs(strings(found)).map(([finding, name]) => ({ finding, name }));

export const schedulesIn = (found: unknown): StoredSchedule[] =>
  pairs(strings(found)).map(([id, record]) => ({ id, record }));

function dueSchedules(found: unknown): { schedules?: StoredSchedule[] } {
  const schedules = schedulesIn(found);
  return schedules.length > 0 ? { schedules } : {};
}

const due = (nextDue: number) => (nextDue > 0 ? { nextDue } : {});

export function list(reply: unknown): unknown[] {
  if (!Array.isArray(reply)) throw new StorageError('garbled', 'the answer is not a list');
  return reply;
}

/** None of them is empty. */
function words(text: unknown): string[] {
  return text === '' ? [] : String(text).split(' ');
}

function takenIn(entries: string[], envelopes: string[]): ExchangeAnswer['taken'] {
  if (entries.length !== envelopes.length) throw new StorageError('garbled', 'entries without envelopes');
  return entries.map((entry, i) => ({ entry, envelope: envelopes[i] as string }));
}

export function strings(reply: unknown): string[] {
  return list(reply) as string[];
}

export function pairs(flat: string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] as string, flat[2 * i + 1] as string]);
}
