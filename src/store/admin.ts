/** Operations: what an operator does to messages and queues in the store. Each call is bounded and safe to repeat. */
import { parseGroupName } from '../message/lane.ts';
import { type Keys, keysOf } from '../redis/keys.ts';
import { list, pairs, strings } from '../redis/reply.ts';
import type { Script } from '../redis/runner.ts';
import { scripts } from './scripts.ts';
import type { StoreOptions } from './store.ts';

/** Where a cancelled message was. `unseen`: ready or leased, in a lane too long to tell. */
export type Cancelled = 'ready' | 'delayed' | 'dead' | 'leased' | 'unseen' | 'gone';

export type Redriven = 'redriven' | 'gone' | 'missing';

export type State = 'ready' | 'delayed' | 'leased' | 'dead';

/** A message as it is stored. */
export interface Stored {
  entry: string;
  /** Due, end of its lease, or dead since: epoch ms. */
  at?: number;
  envelope: string;
  failures: Failure[];
}

/** What is kept of an acked message. */
export interface Result {
  queue: string;
  attempt: number;
  /** Epoch ms. */
  at: number;
  /** What its handler, or its consumer, gave. */
  json: string;
}

/** One delivery that did not end well. */
export interface Failure {
  attempt: number;
  /** Epoch ms. */
  at: number;
  kind: string;
  text: string;
  /** Where a handler's error was thrown: its first frames, a line each. */
  stack?: string;
}

export interface Counts {
  /** Priority to messages. */
  ready: Record<string, number>;
  delayed: number;
  leased: number;
  dead: number;
  oldestReadyAt?: number;
  paused: boolean;
  /** What operators set over the queue's own limits, in the words of the scripts. */
  limits: string;
  /** Whether these are all: beyond 4,000 lanes, 1,000 timers, or 2,000 messages in leases it stops looking. */
  complete: boolean;
  /** Whether no ready message is older: beyond 10 lanes the others are not looked at. */
  oldestComplete: boolean;
}

/** A destination that failed last. */
export interface Breaker {
  queue: string;
  /** Left out where the breaker is that of the whole queue. */
  group?: string;
  /** 'open': nothing is sent; 'probing': one message at a time is tried; 'closed': it has failed, not often enough to open. */
  state: 'open' | 'probing' | 'closed';
  /** In a row. */
  failures: number;
  /** Epoch ms. */
  until?: number;
}

/** What holds messages now. */
export interface HeldLease {
  lease: string;
  /** Epoch ms. */
  expiresAt: number;
  held: number;
  /** Of the newest it holds: pool and lane of each. */
  newest: [pool: string, lane: string][];
}

export interface Leases {
  /** The server's, epoch ms. */
  now: number;
  leases: HeldLease[];
  cursor: string;
  /** Somebody drains, or was just asked to. */
  awake: boolean;
  /** Until when the one idle drain sleeps, epoch ms. */
  sleepsUntil?: number;
}

/** Why a dead letter died. */
export interface Cause {
  id: string;
  /** Dead since, epoch ms. */
  at: number;
  kind: string;
  text: string;
}

export interface Operations {
  /** A message is never given out again. @throws StorageError */
  cancel(id: string): Promise<Cancelled>;
  /** From the moment this is answered no message of the queue is given out. @throws StorageError */
  pause(queue: string, pool: string): Promise<void>;
  /** @throws StorageError */
  resume(queue: string, pool: string): Promise<void>;
  /**
   * Limits over those of the queue's definition.
   * @param limits the words of wordsOf with a blank before them; '' takes one away, left out it stays
   * @throws StorageError
   */
  limit(queue: string, pool: string, limits: { concurrency?: string; rate?: string }): Promise<void>;
  /**
   * Dead letters back to their lanes: 1 to 200 ids.
   * @param pool of the queue as it is defined now; left out, of each message as it was stored
   * @throws StorageError
   */
  redrive(queue: string, ids: string[], pool?: string): Promise<Redriven[]>;
  /** @throws StorageError */
  look(id: string): Promise<{ state: State | 'cancelled' | 'unseen' | 'gone'; result?: Result } & Stored>;
  /** @throws StorageError */
  count(queue: string): Promise<Counts>;
  /** Up to 200 queues at once, in their order. @throws StorageError */
  countAll(queues: string[]): Promise<Counts[]>;
  /** The queues that storage knows, and those of the ones asked for that it has anything of. @throws StorageError */
  names(asked?: string[]): Promise<{ name: string; pool: string }[]>;
  /** One page; the cursor '' begins and ends. @throws StorageError */
  leases(limit: number, cursor: string): Promise<Leases>;
  /** Of the newest dead letters, and how many there are in all. @throws StorageError */
  causes(queue: string, limit: number): Promise<{ dead: number; causes: Cause[] }>;
  /** One page; the cursor '' begins and ends. Without bodies it is never cut short by their size. @throws StorageError */
  browse(
    queue: string,
    state: State,
    limit: number,
    cursor: string,
    bodies?: boolean,
  ): Promise<{ cursor: string; messages: Stored[] }>;
  /** One page, the cursor '0' begins and ends it. @throws StorageError */
  breakers(cursor: string): Promise<{ cursor: string; breakers: Breaker[] }>;
  /** One bounded step; the cursor '0' begins. @throws StorageError */
  purge(
    queue: string,
    states: Exclude<State, 'leased'>[],
    cursor: string,
  ): Promise<{ purged: number; cursor: string; more: boolean }>;
}

const PURGE_STEP = 1_000;
/** Among the dead letters under this name are those that their own queue could not keep. */
const NOBODYS = '-';
/** Of a page's envelopes: hosted Redis refuses replies of 10 MB. */
const PAGE_BYTES = 4_000_000;

/** @param onWork told where something that waited is ready for a drain now */
export function openOperations({
  runner,
  prefix,
  clock,
  onWork,
}: StoreOptions & { onWork?: (() => void) | undefined }): Operations {
  const keys: Keys = keysOf(prefix);
  const head = [keys.root];
  const now = () => (clock ? String(clock()) : '');
  const run = async (script: Script, names: string[], args: string[]) =>
    (await runner.run(script, names, [...head, ...args])).reply;
  const configure = async (queue: string, pool: string, settings: string[]) => {
    await run(scripts.configure, [keys.config, keys.ready(pool)], [queue, pool, ...settings]);
  };
  const countAll = async (queues: string[]): Promise<Counts[]> => {
    if (queues.length === 0) return [];
    const reply = list(await run(scripts.count, [keys.timers, keys.config], queues));
    return reply.map((fields) => countsOf(list(fields)));
  };
  return {
    async cancel(id) {
      const names = [keys.timers, keys.failures, keys.message(id), keys.followers(id)];
      const [was, work] = strings(await run(scripts.cancel, names, [id]));
      if (work === '1') onWork?.();
      return was as Cancelled;
    },
    pause: (queue, pool) => configure(queue, pool, ['1', '-', '-']),
    resume: (queue, pool) => configure(queue, pool, ['0', '-', '-']),
    limit: (queue, pool, { concurrency = '-', rate = '-' }) => configure(queue, pool, ['', concurrency, rate]),
    async redrive(queue, ids, pool = '') {
      const dead = [queue, NOBODYS].map(keys.dead);
      const names = [keys.timers, keys.failures, ...dead, ...ids.map(keys.message)];
      const reply = await run(scripts.redrive, names, [now(), queue, pool, ...ids]);
      return strings(reply) as Redriven[];
    },
    async look(id) {
      const names = [keys.timers, keys.failures, keys.message(id), keys.result(id)];
      const reply = strings(await run(scripts.look, names, [id]));
      const [state, entry, at, envelope, failures, result] = reply as [State, ...string[]];
      const [, queue = '', attempt, acked, json] = /^(\S+) (\d+) (\d+) (.*)$/s.exec(result ?? '') ?? [];
      const kept = json === undefined ? {} : { result: { queue, attempt: Number(attempt), at: Number(acked), json } };
      return { state, ...storedOf([entry ?? '', at ?? '', envelope ?? '', failures ?? '']), ...kept };
    },
    count: async (queue) => (await countAll([queue]))[0] as Counts,
    countAll,
    async names(asked = []) {
      return pairs(strings(await run(scripts.names, [keys.config], asked))).map(([name, pool]) => ({ name, pool }));
    },
    async leases(limit, cursor) {
      const names = [keys.timers, keys.awake, keys.sleeper];
      const reply = list(await run(scripts.leases, names, [now(), String(limit), cursor || '0']));
      const [at, next, awake, sleeper, ...held] = reply;
      const sleepsUntil = Number.parseInt(String(sleeper), 10);
      return {
        now: Number(at),
        leases: held.map((fields) => leaseOf(list(fields))),
        cursor: String(next),
        awake: awake !== '',
        ...(sleepsUntil > Number(at) ? { sleepsUntil } : {}),
      };
    },
    async causes(queue, limit) {
      const [dead, fields] = list(await run(scripts.causes, [keys.failures, keys.dead(queue)], [queue, String(limit)]));
      const flat = strings(fields);
      const causes = Array.from({ length: flat.length / 3 }, (_, i): Cause => {
        const [id = '', at, line = ''] = flat.slice(3 * i, 3 * i + 3);
        const { kind, text } = failureOf(line);
        return { id, at: msOf(at), kind, text };
      });
      return { dead: Number(dead), causes };
    },
    async browse(queue, state, limit, cursor, bodies = true) {
      const args = [queue, state, String(limit), cursor, String(bodies ? PAGE_BYTES : 0)];
      const [next, fields] = list(await run(scripts.browse, [keys.timers, keys.failures], args));
      const flat = strings(fields);
      const messages = Array.from({ length: flat.length / 4 }, (_, i) => storedOf(flat.slice(4 * i, 4 * i + 4)));
      return { cursor: String(next), messages };
    },
    async breakers(cursor) {
      const { reply } = await runner.run(scripts.breakers, [keys.breakers], [now(), cursor]);
      const [at, next, fields] = list(reply);
      return { cursor: String(next), breakers: pairs(strings(fields)).map((pair) => breakerOf(pair, Number(at))) };
    },
    async purge(queue, states, cursor) {
      const args = [queue, String(PURGE_STEP), states.join(' '), cursor];
      const [purged, next, more, work] = strings(await run(scripts.purge, [keys.timers, keys.failures], args));
      if (work === '1') onWork?.();
      return { purged: Number(purged), cursor: String(next), more: more === '1' };
    },
  };
}

function breakerOf([name, stored]: [string, string], now: number): Breaker {
  const [failures, , until] = stored.split(' ').map(Number) as [number, number, number];
  const state = until === 0 ? 'closed' : until > now ? 'open' : 'probing';
  return { ...parseGroupName(name), state, failures, ...(until > 0 ? { until } : {}) };
}

function countsOf([ready, delayed, leased, dead, oldest, config, complete, isOldest]: unknown[]): Counts {
  return {
    ready: Object.fromEntries(pairs(strings(ready)).map(([priority, count]) => [priority, Number(count)])),
    delayed: Number(delayed),
    leased: Number(leased),
    dead: Number(dead),
    ...(oldest === '' ? {} : { oldestReadyAt: Number(oldest) }),
    paused: String(config).startsWith('paused'),
    limits: /^\S+ \S+(.*)$/.exec(String(config))?.[1] ?? '',
    complete: complete === '1',
    oldestComplete: isOldest === '1',
  };
}

function leaseOf([lease, expiresAt, held, lanes]: unknown[]): HeldLease {
  const newest = pairs(strings(lanes));
  return { lease: String(lease), expiresAt: Number(expiresAt), held: Number(held), newest };
}

function storedOf([entry = '', at = '', envelope = '', failures = '']: string[]): Stored {
  return {
    entry,
    ...(at === '' ? {} : { at: msOf(at) }),
    envelope,
    failures: failures === '' ? [] : failures.split('\n').map(failureOf),
  };
}

/** Scores are instants whose fraction of a ms keeps what shares it in its order. */
const msOf = (score: string | undefined) => Math.floor(Number(score));

function failureOf(line: string): Failure {
  const [, attempt, at, kind = '', kept = ''] = /^(\d+) (\d+) (\S+) (.*)$/.exec(line) ?? [];
  const [text = '', ...frames] = kept.split('\t');
  const stack = frames.length > 0 ? { stack: frames.join('\n') } : {};
  return { attempt: Number(attempt), at: Number(at), kind, text, ...stack };
}
