// The calls of two deployments that serve one shard by turns, as fast-check strings them together: each is judged by what
// must hold whoever makes it, and a call whose answer was lost is made again by either.
import fc from 'fast-check';
import { expect } from 'vitest';
import type { PreparedMessage } from '../../src/message/envelope.ts';
import { parseEntry } from '../../src/message/ids.ts';
import type { Runner } from '../../src/redis/runner.ts';
import { type AdminStore, openAdminStore } from '../../src/store/admin.ts';
import type { State } from '../../src/store/admin-messages.ts';
import type { StoredSchedule } from '../../src/store/due.ts';
import type { Outcome, Settlement } from '../../src/store/encode-settlements.ts';
import type { EnqueueAnswer, EnqueueRequest, HandOff } from '../../src/store/enqueue.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import type { SyncAnswer, SyncRequest } from '../../src/store/sync.ts';
import type { Bench } from '../support/bench.ts';
import { type Shard, violations } from '../support/shard.ts';
import {
  type Asked,
  asked,
  type Deployment,
  dedupOf,
  deployment,
  messageOf,
  POOLS,
  policiesIn,
  QUEUES,
} from './deployments.ts';
import { Ledger } from './ledger.ts';
import { Scheduler } from './schedules.ts';
import { type Sizes, sizedRunner } from './small.ts';

export type Side = 0 | 1;

const LEASE_MS = 10_000;
/** More than a request of this model has. */
const MOST_HANDED = 20;

interface Consumer {
  lease: string;
  pool: string;
  /** The newest first. */
  held: string[];
  /** Settlements whose answer was lost: they come again with the next call. */
  pending: Settlement[];
}

/** The shard, the two deployments, and what their callers remember. */
export class World {
  readonly bench: Bench;
  readonly ledger = new Ledger();
  readonly sizes: Sizes;
  readonly deployments: [Deployment, Deployment];
  readonly stores: [Store, Store];
  readonly adminStore: AdminStore;
  readonly scheduler: Scheduler;
  readonly consumers: Consumer[];
  /** Every entry ever given out, for whoever comes late. */
  readonly seen: string[] = [];
  readonly ids: string[] = [];
  lastEnqueue: { messages: Asked[]; request: EnqueueRequest } | undefined;
  /** Names tokens, bodies and leases. */
  #count = 0;
  readonly #runner: Runner;

  constructor(bench: Bench, sizes: Sizes, deployments: [Deployment, Deployment]) {
    this.bench = bench;
    this.sizes = sizes;
    this.#runner = sizedRunner(bench.runner(), sizes);
    this.deployments = [...deployments];
    this.stores = [this.#open(deployments[0]), this.#open(deployments[1])];
    this.adminStore = openAdminStore(bench.opened(this.#runner, () => bench.now));
    this.scheduler = new Scheduler(bench, this.#runner);
    this.consumers = ['*', '*', 'pulled'].map((pool) => ({ lease: this.name('c'), pool, held: [], pending: [] }));
  }

  name(of: string): string {
    return `${of}${this.#count++}`;
  }

  /** From now on this side has these definitions. */
  deploy(side: Side, deployed: Deployment): void {
    this.deployments[side] = deployed;
    this.stores[side] = this.#open(deployed);
  }

  #open(deployed: Deployment): Store {
    const queues = Object.entries(POOLS).map(([name, pool]) => ({ name, pool }));
    const shard = this.bench.opened(this.#runner, () => this.bench.now);
    return openStore(shard, { queues, policies: policiesIn(deployed) });
  }

  pass(ms: number): void {
    this.bench.now += ms;
  }

  /** To be called after each call that may let something die. */
  async observe(): Promise<Shard> {
    const shard = await this.bench.shard();
    this.ledger.noteDeaths(shard, this.bench.now);
    return shard;
  }

  /** @returns what is wrong with the shard as it is now */
  async faults(): Promise<string[]> {
    const { ledger } = this;
    const shard = await this.observe();
    const faults = ledger.judge(shard);
    return [...faults, ...violations(shard, { alive: new Set(ledger.alive.keys()), unordered: ledger.unordered })];
  }

  /** @param begins the consumer that would begin with them, where nobody looks and their queues take no turns */
  async enqueue(side: Side, wanted: Asked[], begins?: Consumer): Promise<void> {
    const request = {
      ...this.#requestOf(side, wanted),
      token: this.name('t'),
      fingerprint: 'f',
      recognisedMs: 3_600_000,
    };
    this.lastEnqueue = { messages: wanted, request };
    const { failures } = await this.bench.shard();
    const isPlain = wanted.every(({ queue }) => POOLS[queue] === '*' && this.deployments[side][queue]?.policy === '');
    const asked = begins && isPlain ? { lease: this.name('c'), leaseMs: LEASE_MS, most: MOST_HANDED } : undefined;
    if (asked) await this.bench.redises.raw.del(`${this.bench.root}awake`);
    const answer = await this.stores[side].enqueue({ ...request, handOff: asked });
    this.#admit(request.messages, answer, new Set(Object.keys(failures)));
    if (begins && answer.handOff) this.#begin(begins, answer.handOff);
  }

  #begin(consumer: Consumer, { lease, taken = [] }: HandOff): void {
    this.ledger.extended(lease, this.bench.now + LEASE_MS);
    this.ledger.given(taken, lease, this.bench.now);
    const entries = taken.map(({ entry }) => entry);
    Object.assign(consumer, { lease, held: entries.toReversed(), pending: [] });
    this.seen.push(...entries);
  }

  #requestOf(side: Side, wanted: Asked[]): { messages: PreparedMessage[] } {
    const deployed = this.deployments[side];
    return { messages: wanted.map((each) => messageOf(this.bench, deployed, this.name('b'), each)) };
  }

  /** @param tried ids that failed before: whoever replaces such a one begins anew, as one who debounces does */
  #admit(messages: PreparedMessage[], { ids, duplicates }: EnqueueAnswer, tried: Set<string>): void {
    for (const [place, message] of messages.entries()) {
      const id = ids[place] ?? '';
      const first = duplicates.get(place);
      const dedup = dedupOf(message);
      const callbacks = message.callbacks?.map(({ on, message: { delayMs } }) => ({ on, delayMs }));
      if (!first) {
        this.ids.push(id);
        this.ledger.admit(id, { json: message.json, delayMs: message.delayMs, dedup, callbacks });
        continue;
      }
      expect(first.id).toBe(this.ledger.dedups.get(dedup?.key ?? ''));
      expect(first.what).toBe(message.dedup?.mode === 'drop' ? 'duplicate' : 'replaced');
      if (first.what === 'duplicate') continue;
      const isWhole = tried.delete(first.id) || message.dedup?.mode === 'debounce';
      this.ledger.replaced(first.id, message.json, isWhole ? { callbacks: callbacks ?? [], dedup } : undefined);
    }
  }

  /** The last request comes again, from a deployment whose definitions may differ: it is known by its token alone. */
  async repeatEnqueue(side: Side): Promise<void> {
    if (!this.lastEnqueue) return;
    const { messages, request } = this.lastEnqueue;
    const { replayed } = await this.stores[side].enqueue({ ...request, ...this.#requestOf(side, messages) });
    expect(replayed).toBe(true);
  }

  /** @param isSecond the call was made before, as it is */
  async sync(side: Side, request: SyncRequest, isSecond = false): Promise<SyncAnswer> {
    const { now } = this.bench;
    const { awake: wasAwake } = (await this.bench.shard()).rest;
    const answer = await this.stores[side].sync(request);
    const { lease, settlements } = request;
    for (const [i, { entry, chained = [] }] of settlements.entries()) {
      const status = answer.statuses[i] ?? 'gone';
      this.ledger.settled(entry, lease, status, now);
      if (status !== 'acked') continue;
      for (const { id, json, delayMs } of chained) {
        this.ids.push(id);
        this.ledger.admit(id, { json, delayMs });
      }
    }
    if (!answer.lost) this.ledger.extended(lease, now + request.leaseMs);
    const shard = await this.observe();
    if (!isSecond) expectNothingReady(shard, request, answer, wasAwake);
    return answer;
  }

  async sweep(side: Side, cursor: string): Promise<{ fired: number }> {
    const { fired, schedules } = await this.stores[side].sweep('*', { cursor, limit: this.sizes.fires });
    await this.observe();
    await this.fire(schedules);
    return { fired };
  }

  /** Occurrences have come: what they make is there from now on. */
  async fire(schedules: StoredSchedule[] = []): Promise<void> {
    for (const message of await this.scheduler.fire(schedules)) this.ledger.admit(message.id, message);
  }
}

/** Whoever is told that there is no more goes to sleep, or ends: so there must be no more. */
function expectNothingReady(shard: Shard, request: SyncRequest, answer: SyncAnswer, wasAwake: unknown): void {
  const { want, pools, lease, drain } = request;
  if (answer.taken.length >= want || answer.lost || answer.unseen) return;
  const { lanes, ready, timers, config, rest } = shard;
  const isPaused = (lane: string) => config[lane.slice(2).split('/')[0] ?? '']?.startsWith('paused ');
  const indexed = pools.flatMap((pool) => Object.keys(ready[pool] ?? {}));
  const waiting = indexed.filter((lane) => lanes[lane] && !isPaused(lane));
  expect(waiting, 'ready, after an answer that says there is no more').toEqual([]);
  if (drain)
    expect(rest.awake, 'whether new work wakes a drain').toEqual(keepsAwake(drain, answer) ? wasAwake : undefined);
  const dues = Object.entries(timers).flatMap(([member, due]) => (member === `l ${lease}` ? [] : [due]));
  const [, sleeper = Number.POSITIVE_INFINITY] = (drain && /^(\d+) /.exec(rest.sleeper ?? '')) ?? [];
  const nextDue = answer.nextDue ?? Number(sleeper); // of drains one may look in the place of others
  expect(nextDue, 'when to look again').toBeLessThanOrEqual(Math.min(...dues));
}

/** Whether a drain that found less than it wanted looks again in a moment, or nobody counts on it. */
function keepsAwake({ ending, keeps = 0 }: NonNullable<SyncRequest['drain']>, { taken, left }: SyncAnswer): boolean {
  if (ending) return false;
  return keeps < 0 || (taken.length > 0 && taken.length <= keeps && left === undefined);
}

export type Step = fc.AsyncCommand<object, World>;

/** The next call comes later, if only by a part of a ms. */
const STEP_MS = 1 / 16;

function step(name: string, run: (world: World) => Promise<void>): Step {
  return {
    check: () => true,
    async run(_, world) {
      await run(world);
      expect(await world.faults()).toEqual([]);
      world.pass(STEP_MS);
    },
    toString: () => name,
  };
}

const pick = <T>(list: readonly T[], n: number): T | undefined => list[n % Math.max(1, list.length)];
const nat = fc.nat({ max: 1_000 });
const side = fc.constantFrom<Side>(0, 1);
const queue = fc.constantFrom(...QUEUES);
const outcome = fc.constantFrom<Outcome>('ack', 'ack', 'retry', 'dead', 'release');
const health = fc.constantFrom(undefined, 'good' as const, 'bad' as const, 'bad' as const);
const delay = fc.constantFrom(0, 0, 500, 3_000);

const enqueueStep = fc
  .tuple(side, fc.array(asked, { minLength: 1, maxLength: 5 }))
  .map(([by, wanted]) => step(`enqueue ${by} ${JSON.stringify(wanted)}`, (world) => world.enqueue(by, wanted)));

/** Of one push queue, by a caller that begins a drain with them. */
const handOffStep = fc
  .tuple(side, fc.constantFrom('mail', 'news'), fc.array(asked, { minLength: 1, maxLength: 6 }), fc.nat({ max: 1 }))
  .map(([by, name, list, n]) => {
    const wanted = list.map((each) => ({ ...each, queue: name, delayMs: 0 }));
    return step(`enqueue ${by} for consumer ${n} ${JSON.stringify(wanted)}`, (world) =>
      world.enqueue(by, wanted, world.consumers[n]),
    );
  });

/** Many alike: more than a chunk, a page or a bound of the small constants. */
const batchStep = fc
  .tuple(side, asked, fc.integer({ min: 6, max: 14 }))
  .map(([by, wanted, count]) =>
    step(`enqueue ${by} ${count} × ${JSON.stringify(wanted)}`, (world) =>
      world.enqueue(by, new Array(count).fill({ ...wanted, keyed: false })),
    ),
  );

const repeatStep = side.map((by) => step(`enqueue the last again ${by}`, (world) => world.repeatEnqueue(by)));

interface Drawn {
  by: Side;
  consumer: number;
  want: number;
  settle: [number, Outcome, number, Settlement['health']][];
  chained: string | undefined;
  /** Of a drain. */
  sleepMs: number;
  keeps: number;
  answer: 'comes' | 'is lost' | 'is lost, and asked for again by 0' | 'is lost, and asked for again by 1';
}

function requestOf(world: World, consumer: Consumer, { want, settle, chained, sleepMs, keeps }: Drawn): SyncRequest {
  const settlements = new Map(consumer.pending.map((settlement) => [settlement.entry, settlement]));
  for (const [n, what, delayMs, word] of settle) {
    const entry = pick(consumer.held, n);
    if (!entry || settlements.has(entry)) continue;
    const failure = { kind: 'failed' as const, text: 'x' };
    // Storage reads the envelope at an ack that gives a result, as callers do who cannot know that nothing follows.
    if (what === 'ack')
      settlements.set(entry, { entry, outcome: what, health: word, result: 'null', ...chain(world, chained) });
    else settlements.set(entry, { entry, outcome: what, delayMs, health: word, failure });
  }
  const held = consumer.held.filter((entry) => !settlements.has(entry)).length;
  const { lease, pool } = consumer;
  const drain = pool === '*' ? { drain: { ending: want === 0, sleepMs, keeps } } : {};
  return { lease, leaseMs: LEASE_MS, held, want, pools: [pool], settlements: [...settlements.values()], ...drain };
}

/** What a handler enqueued with its ack. */
function chain(world: World, group: string | undefined): Pick<Settlement, 'chained'> {
  if (group === undefined) return {};
  return { chained: [{ id: world.name('x'), ...world.bench.message('news', 'chained', { group }) }] };
}

const syncStep = fc
  .record<Drawn>({
    by: side,
    consumer: fc.nat({ max: 2 }),
    want: fc.integer({ min: 0, max: 8 }),
    settle: fc.array(fc.tuple(nat, outcome, delay, health), { maxLength: 5 }),
    chained: fc.constantFrom(undefined, undefined, undefined, 'g', 'h'),
    sleepMs: fc.constantFrom(0, 600, 15_000),
    keeps: fc.constantFrom(-1, 0, 1, 3),
    answer: fc.constantFrom(
      'comes',
      'comes',
      'comes',
      'comes',
      'is lost',
      'is lost, and asked for again by 0',
      'is lost, and asked for again by 1',
    ),
  })
  .map((drawn) =>
    step(`sync ${JSON.stringify(drawn)}`, async (world) => {
      const consumer = world.consumers[drawn.consumer] as Consumer;
      const request = requestOf(world, consumer, drawn);
      let answer = await world.sync(drawn.by, request);
      if (drawn.answer === 'is lost') {
        consumer.pending = request.settlements;
        return;
      }
      const again = /\d$/.exec(drawn.answer)?.[0];
      if (again !== undefined) answer = await world.sync(Number(again) as Side, request, true);
      accept(world, consumer, request, answer);
      await world.fire(answer.schedules);
    }),
  );

function accept(world: World, consumer: Consumer, { settlements }: SyncRequest, answer: SyncAnswer): void {
  const settled = new Set(settlements.map(({ entry }) => entry));
  consumer.held = consumer.held.filter((entry) => !settled.has(entry));
  consumer.pending = [];
  world.ledger.given(answer.taken, consumer.lease, world.bench.now);
  if (answer.lost) startAnew(world, consumer);
  const taken = answer.taken.map(({ entry }) => entry);
  consumer.held.unshift(...taken.toReversed());
  world.seen.push(...taken);
}

function startAnew(world: World, consumer: Consumer): void {
  Object.assign(consumer, { lease: world.name('c'), held: [], pending: [] });
}

const crashStep = fc.nat({ max: 2 }).map((n) =>
  step(`consumer ${n} crashes`, async (world) => {
    startAnew(world, world.consumers[n] as Consumer);
  }),
);

const lateStep = fc.record({ by: side, n: nat, outcome, delayMs: delay }).map((drawn) =>
  step(`settle late ${JSON.stringify(drawn)}`, async (world) => {
    const entry = pick(world.seen, drawn.n);
    if (!entry) return;
    const settlements = [{ entry, outcome: drawn.outcome, delayMs: drawn.delayMs }];
    await world.sync(drawn.by, { lease: 'late', leaseMs: LEASE_MS, held: 0, want: 0, pools: ['*'], settlements });
  }),
);

const passStep = fc
  .constantFrom(1, 499, 500, 1_000, 3_000, 9_999, 10_000, 60_000)
  .map((ms) => step(`${ms} ms pass`, async (world) => world.pass(ms)));

/** Most sweeps of a sync's time only fire timers; one that looks at keys, too, hides what events leave behind. */
const sweepStep = fc.tuple(side, fc.constantFrom('', '', '', '0')).map(([by, cursor]) =>
  step(`sweep ${by} '${cursor}'`, async (world) => {
    await world.sweep(by, cursor);
  }),
);

const cancelStep = nat.map((n) =>
  step(`cancel ${n}`, async (world) => {
    const id = pick(world.ids, n);
    if (!id) return;
    const was = await world.adminStore.cancel(id);
    if (was !== 'gone') world.ledger.end(id, 'cancelled');
    else expect(world.ledger.alive.has(id)).toBe(false);
  }),
);

const redriveStep = fc.tuple(queue, fc.array(nat, { minLength: 1, maxLength: 6 })).map(([of, ns]) =>
  step(`redrive ${of} ${ns}`, async (world) => {
    const { dead } = await world.bench.shard();
    const letters = Object.keys(dead[of] ?? {}).map((entry) => parseEntry(entry).id);
    const ids = [...new Set(ns.flatMap((n) => pick([...letters, ...world.ids], n) ?? []))];
    if (ids.length > 0) await redrive(world, of, ids, letters);
  }),
);

export async function redrive(world: World, of: string, ids: string[], letters: string[]): Promise<void> {
  const answers = await world.adminStore.redrive(of, ids);
  for (const [i, id] of ids.entries()) {
    expect([id, answers[i]]).toEqual([id, letters.includes(id) ? 'redriven' : 'gone']);
    if (answers[i] === 'redriven') world.ledger.redriven(id);
  }
  world.pass(1); // what follows on a death is named by its instant: one dies once in a millisecond
}

const pauseStep = fc.record({ queue, paused: fc.boolean() }).map((drawn) =>
  step(`${drawn.paused ? 'pause' : 'resume'} ${drawn.queue}`, async ({ adminStore }) => {
    const pool = POOLS[drawn.queue] ?? '';
    await (drawn.paused ? adminStore.pause(drawn.queue, pool) : adminStore.resume(drawn.queue, pool));
  }),
);

const limitStep = fc
  .record({
    queue,
    c: fc.constantFrom(undefined, '', ' c=1', ' c=3'),
    r: fc.constantFrom(undefined, '', ' r=2/3000'),
  })
  .map((drawn) =>
    step(`limit ${JSON.stringify(drawn)}`, async ({ adminStore }) => {
      await adminStore.limit(drawn.queue, POOLS[drawn.queue] ?? '', {
        ...(drawn.c === undefined ? {} : { concurrency: drawn.c }),
        ...(drawn.r === undefined ? {} : { rate: drawn.r }),
      });
    }),
  );

const states = fc.subarray(['ready' as const, 'delayed' as const, 'dead' as const], { minLength: 1 });

const purgeStep = fc
  .tuple(queue, states)
  .map(([of, from]) => step(`purge ${of} ${from}`, (world) => purge(world, of, from)));

export async function purge(world: World, of: string, from: Exclude<State, 'leased'>[]): Promise<void> {
  const before = await idsIn(world, of);
  let purged = 0;
  for (let cursor = '0', more = true; more; ) {
    const part = await world.adminStore.purge(of, from, cursor);
    purged += part.purged;
    ({ cursor, more } = part);
  }
  const asked = from.flatMap((state) => before[state]);
  const after = await idsIn(world, of);
  expect(from.flatMap((state) => after[state])).toEqual([]);
  expect(purged).toBe(asked.length);
  for (const id of asked) world.ledger.end(id, 'purged');
}

/** Pages of each state have all there is, once, whatever their size. */
const browseStep = fc.tuple(queue, fc.integer({ min: 1, max: 5 })).map(([of, limit]) =>
  step(`browse ${of} by ${limit}`, async (world) => {
    const there = await idsIn(world, of);
    for (const state of ['ready', 'delayed', 'leased', 'dead'] as const) {
      const listed: string[] = [];
      let cursor = '';
      do {
        const page = await world.adminStore.browse(of, state, limit, cursor);
        listed.push(...page.messages.map(({ entry }) => parseEntry(entry).id));
        cursor = page.cursor;
      } while (cursor !== '');
      expect([state, listed.toSorted()]).toEqual([state, there[state].toSorted()]);
    }
  }),
);

async function idsIn(world: World, of: string): Promise<Record<State, string[]>> {
  const { lanes, leases, timers, dead, envelopes }: Shard = await world.bench.shard();
  const isOf = (lane: string) => lane.slice(2).split('/')[0] === of;
  const idOf = (entry: string) => parseEntry(entry).id;
  return {
    ready: Object.entries(lanes).flatMap(([lane, entries]) => (isOf(lane) ? entries.map(idOf) : [])),
    delayed: Object.keys(timers).flatMap((member) => {
      const [, lane, entry] = /^[mh] \S+ (\S+) (\S+)$/.exec(member) ?? [];
      return lane && entry && isOf(lane) ? [idOf(entry)] : [];
    }),
    leased: Object.values(leases)
      .flat()
      .map(idOf)
      .filter((id) => isOf(envelopes[id]?.split(' ')[0] ?? '')),
    dead: Object.keys(dead[of] ?? {}).map(idOf),
  };
}

const windowStep = queue.map((of) =>
  step(`the window of the key of ${of} is over`, async ({ bench, ledger }) => {
    for (const key of ledger.dedups.keys()) {
      if (!key.startsWith(`${of}:`)) continue;
      await bench.redises.raw.del(`${bench.root}dedup:${key}`);
      ledger.dedups.delete(key);
    }
  }),
);

/** More at once than the small constants let an answer have. */
const scheduleStep = fc
  .tuple(fc.subarray(['s0', 's1', 's2', 's3', 's4']), fc.constantFrom(0, 500, 3_000))
  .map(([ids, delayMs]) => step(`schedule ${ids} in ${delayMs} ms`, ({ scheduler }) => scheduler.define(ids, delayMs)));

const deployStep = fc
  .tuple(side, deployment)
  .map(([at, deployed]) =>
    step(`deploy ${at} ${JSON.stringify(deployed)}`, async (world) => world.deploy(at, deployed)),
  );

const often = [enqueueStep, enqueueStep, handOffStep, batchStep, syncStep, syncStep, syncStep, syncStep, syncStep];
const seldom = [repeatStep, lateStep, crashStep, sweepStep, cancelStep, redriveStep, pauseStep, limitStep, deployStep];
const rare = [scheduleStep, purgeStep, browseStep, windowStep];

export const calls = [...often, ...often, passStep, passStep, passStep, ...often, ...seldom, ...seldom, ...rare];
