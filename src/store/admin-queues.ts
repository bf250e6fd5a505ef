/** What an operator sees of queues, leases and destinations, and does to queues: pause, resume, limit. */

import { parseGroupName } from '../message/lane.ts';
import * as scripts from '../redis/lua/generated.ts';
import { type Digits, digits, type Flag } from '../redis/lua/script.ts';
import { list, pairs, strings } from '../redis/reply.ts';
import type { AdminCall } from './admin-call.ts';
import { parseFailure, parseScore } from './failure.ts';

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
  /** Whether these are all: it stops looking beyond 4,000 lanes, a million timers, or 200,000 leases and messages in them. */
  complete: boolean;
  /** Whether no ready message is older: beyond 10 lanes the others are not looked at. */
  oldestComplete: boolean;
}

/** All but the dead. */
export const countLive = ({ ready, delayed, leased }: Counts): number =>
  Object.values(ready).reduce((sum, count) => sum + count, delayed + leased);

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
  /** Where it is. Left out where there is one shard. */
  shard?: string;
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

export interface QueueAdmin {
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
  /** @throws StorageError */
  count(queue: string): Promise<Counts>;
  /** In their order: a request for each 200, side by side, and up to 20 more where much is delayed or leased. @throws StorageError */
  countAll(queues: string[]): Promise<Counts[]>;
  /** The queues that storage knows, and those of the ones asked for that it has anything of. @throws StorageError */
  names(asked?: string[]): Promise<{ name: string; pool: string }[]>;
  /** One page; the cursor '' begins and ends. @throws StorageError */
  leases(limit: number, cursor: string): Promise<Leases>;
  /** Of the newest dead letters, and how many there are in all. @throws StorageError */
  causes(queue: string, limit: number): Promise<{ dead: number; causes: Cause[] }>;
  /** One page, the cursor '0' begins and ends it. @throws StorageError */
  breakers(cursor: string): Promise<{ cursor: string; breakers: Breaker[] }>;
}

/** Queues that one script counts. */
export const COUNTED = 200;
/** Calls that count what is delayed and leased where that is much. */
export const WAITING_STEPS = 20;

export function openQueueAdmin({ keys, run, now }: AdminCall): QueueAdmin {
  const configure = async (queue: string, pool: string, settings: [pause: Flag, concurrency: string, rate: string]) => {
    await run(scripts.configure, [keys.config, keys.ready(pool)], [keys.root, queue, pool, ...settings]);
  };
  const countAll = async (queues: string[]): Promise<Counts[]> => {
    const steps: string[][] = [];
    for (let from = 0; from < queues.length; from += COUNTED) steps.push(queues.slice(from, from + COUNTED));
    const count = async (step: string[]) =>
      list(await run(scripts.countQueues, [keys.timers, keys.config], [keys.root, ...step])).map(list);
    const fields = (await Promise.all(steps.map(count))).flat();
    const counts = fields.map(parseCounts);
    if (fields.every(({ 8: areAll }) => areAll === '1')) return counts;
    const { waiting, isWhole } = await countWaiting();
    return counts.map((some, i) => {
      const [delayed, leased] = waiting.get(queues[i] as string) ?? [0, 0];
      return { ...some, delayed, leased, complete: some.complete && isWhole };
    });
  };
  /** What is delayed and leased, by queue. */
  const countWaiting = async () => {
    const waiting = new Map<string, [delayed: number, leased: number]>();
    let isWhole = true;
    let cursor = '0';
    for (let steps = 0; cursor !== '' && steps < WAITING_STEPS; steps++) {
      const [next, fields, overflows] = list(await run(scripts.countWaiting, [keys.timers], [keys.root, cursor]));
      const flat = strings(fields);
      for (let i = 0; i < flat.length; i += 3) {
        const [queue, delayed, leased] = flat.slice(i, i + 3) as [string, string, string];
        const before = waiting.get(queue) ?? [0, 0];
        waiting.set(queue, [before[0] + Number(delayed), before[1] + Number(leased)]);
      }
      cursor = String(next);
      isWhole &&= overflows === '0';
    }
    return { waiting, isWhole: isWhole && cursor === '' };
  };
  return {
    pause: (queue, pool) => configure(queue, pool, ['1', '-', '-']),
    resume: (queue, pool) => configure(queue, pool, ['0', '-', '-']),
    limit: (queue, pool, { concurrency = '-', rate = '-' }) => configure(queue, pool, ['', concurrency, rate]),
    count: async (queue) => (await countAll([queue]))[0] as Counts,
    countAll,
    async names(asked = []) {
      const reply = await run(scripts.listQueues, [keys.config], [keys.root, ...asked]);
      return pairs(strings(reply)).map(([name, pool]) => ({ name, pool }));
    },
    async leases(limit, cursor) {
      const reply = await run(
        scripts.listLeases,
        [keys.timers, keys.awake, keys.sleeper],
        [keys.root, now(), digits(limit), cursor || '0'],
      );
      const [at, next, awake, sleeper, ...held] = list(reply);
      const sleepsUntil = Number.parseInt(String(sleeper), 10);
      return {
        now: Number(at),
        leases: held.map((fields) => parseLease(list(fields))),
        cursor: String(next),
        awake: awake !== '',
        ...(sleepsUntil > Number(at) ? { sleepsUntil } : {}),
      };
    },
    async causes(queue, limit) {
      const args: [string, string, Digits] = [keys.root, queue, digits(limit)];
      const [dead, fields] = list(await run(scripts.failureGroups, [keys.dead(queue)], args));
      const flat = strings(fields);
      const causes = Array.from({ length: flat.length / 3 }, (_, i): Cause => {
        const [id = '', at, line = ''] = flat.slice(3 * i, 3 * i + 3);
        const { kind, text } = parseFailure(line);
        return { id, at: parseScore(at), kind, text };
      });
      return { dead: Number(dead), causes };
    },
    async breakers(cursor) {
      const [at, next, fields] = list(await run(scripts.listBreakers, [keys.breakers], [now(), cursor]));
      return { cursor: String(next), breakers: pairs(strings(fields)).map((pair) => parseBreaker(pair, Number(at))) };
    },
  };
}

function parseBreaker([name, stored]: [string, string], now: number): Breaker {
  const [failures, , until] = stored.split(' ').map(Number) as [number, number, number];
  const state = until === 0 ? 'closed' : until > now ? 'open' : 'probing';
  return { ...parseGroupName(name), state, failures, ...(until > 0 ? { until } : {}) };
}

function parseCounts([ready, delayed, leased, dead, oldest, config, complete, isOldest]: unknown[]): Counts {
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

function parseLease([lease, expiresAt, held, lanes]: unknown[]): HeldLease {
  const newest = pairs(strings(lanes));
  return { lease: String(lease), expiresAt: Number(expiresAt), held: Number(held), newest };
}
