/**
 * The loop: one drain, from its first sync to its last.
 *
 * Handlers run side by side while syncs are in flight; what ends meanwhile goes with the next one of its lease (group commit). The
 * loop decides nothing about Redis, handlers or syncs: it has each of them act when something has happened. Of several shards each has a
 * track, with leases and syncs of its own; handlers, connections and the budget are for all of them.
 */

import { newToken } from '../message/ids.ts';
import type { HandOff } from '../store/enqueue.ts';
import { closeDrain } from './closing.ts';
import { type Connections, openConnections } from './connections.ts';
import { Handlers } from './handlers.ts';
import { Handover } from './handover.ts';
import { Holdings } from './holdings.ts';
import { Horizons } from './horizons.ts';
import { Lease } from './lease.ts';
import { NextSync } from './next-sync.ts';
import { Pace } from './pace.ts';
import type { Attention, DrainEnd, DrainOptions, DrainReport } from './report.ts';
import { Syncs } from './syncs.ts';
import { Track } from './track.ts';

/**
 * Takes and handles messages until nothing is ready, or the budget is used up.
 * @throws StorageError where storage gives no answer and nothing is held
 */
export function drain(options: DrainOptions): Promise<DrainReport> {
  return new DrainLoop(options).run();
}

/** One of the shards that it serves. */
interface Served {
  track: Track;
  syncs: Syncs;
  next: NextSync;
}

class DrainLoop {
  readonly #options: DrainOptions;
  readonly #clock: () => number;
  readonly #mostLeases: number;
  readonly #attention: Attention;
  readonly #connections: Connections;
  readonly #holdings: Holdings;
  readonly #handlers: Handlers;
  readonly #pace: Pace;
  readonly #served: readonly Served[];
  /** The one that is asked first for its next sync: of equals each in its turn. */
  #turn = 0;
  readonly #report: Omit<DrainReport, 'requests' | 'ms' | 'ended'>;

  #hasEnded = false;
  /** Ends the wait of `run`, where it waits. */
  #notify: (() => void) | undefined;
  #armedFor = 0;

  constructor(options: DrainOptions) {
    const { leases = 1, concurrency, clock = Date.now, budget, attention = { asked: false }, mostSyncs } = options;
    this.#options = options;
    this.#clock = clock;
    this.#mostLeases = concurrency === 1 ? 1 : leases; // one handler sees each lane in its order, however answers come
    this.#attention = attention;
    attention.look = (names) => this.#look(names);
    attention.end = () => this.#notify?.();
    attention.isFree = () => !this.#hasEnded && this.#isFree && !this.#options.budget.isClosing();
    attention.adopt = (handOff) => this.#adopt(handOff);
    const isMany = options.shards.length > 1;
    const connections = openConnections(options.connections, isMany ? mostSyncs : undefined);
    const holdings = new Holdings({ budget, connections, clock, onOutcome: () => this.#notify?.() });
    const pace = new Pace(options);
    const report = { delivered: 0, acked: 0, retried: 0, dead: 0, released: 0, stale: 0, gone: 0, leasesLost: 0 };
    const shared = { drain: options, clock, connections, holdings, pace, report };
    const handlers = new Handlers({
      ...shared,
      onStarted: (deadline) => {
        if (deadline < this.#armedFor) this.#notify?.();
      },
      onEnded: () => this.#noteEnded(),
    });
    const tracks = options.shards.map((shard) => {
      const isWoken = options.woken?.includes(shard.name) ?? true;
      return new Track(shard, options, new Handover(options), isWoken);
    });
    const inFlight = { count: 0, wanted: 0, asking: 0 };
    const horizons = new Horizons(tracks, budget);
    const name = newToken();
    this.#served = tracks.map((track) => {
      track.isAsked = attention.asked;
      const own = { ...shared, track, tracks, inFlight };
      const syncs = new Syncs({ ...own, name, attention, handlers, onOver: () => this.#notify?.() });
      return { track, syncs, next: new NextSync({ ...own, horizons, mostLeases: this.#mostLeases }) };
    });
    [this.#connections, this.#holdings, this.#handlers] = [connections, holdings, handlers];
    [this.#pace, this.#report] = [pace, report];
  }

  async run(): Promise<DrainReport> {
    const { budget, onDue, handOff } = this.#options;
    const handed = handOff && this.#findServed(handOff.shard);
    if (handed) this.#hold(handed, handOff);
    for (const served of this.#served) this.#open(served);
    const ended = await this.#loop();
    for (const { syncs, track } of this.#served) {
      const { outlook, failure } = track;
      syncs.tellLeft();
      if (outlook.nextDueAt !== undefined) onDue?.(outlook.nextDueAt - this.#clock());
      if (failure && this.#served.length > 1) this.#options.onAway?.(failure);
    }
    const { requests, ms } = budget.used();
    return { ...this.#report, requests, ms, ended };
  }

  /** Each has a lease. Where there may be work that this drain has not in hand it looks at once. */
  #open({ track, syncs, next }: Served): void {
    const { handOff, lease, leaseMs } = this.#options;
    const isHanded = this.#holdings.leasesOn(track.shard).length > 0;
    if (!isHanded) this.#holdings.add(new Lease(track.shard, lease));
    if (isHanded && handOff?.taken) {
      const takenAt = handOff.leasedUntil - leaseMs;
      this.#pace.begin(takenAt);
      track.supply.lastSyncAt = takenAt;
    } else if (track.isServed && this.#connections.hasRoom()) syncs.begin(next.first());
  }

  async #loop(): Promise<DrainEnd> {
    const { budget } = this.#options;
    try {
      for (;;) {
        this.#handlers.start();
        const now = this.#clock();
        if (this.#lateAt(now) <= now) this.#holdings.giveBackLate(budget.msForHandler());
        if (budget.isClosing()) return await this.#close();
        const hasBegun = this.#beginNext(now);
        if (!hasBegun && this.#isOver()) return this.#hasLeft() ? 'budget' : 'idle'; // its time did not cover that
        if (!hasBegun) await this.#wait(budget.msToClosing());
        for (const { syncs } of this.#served) syncs.check();
        this.#handlers.expire();
      }
    } finally {
      this.#hasEnded = true; // at once, and also where it has failed: from here on nobody looks at what it would take
    }
  }

  #close(): Promise<DrainEnd> {
    const [drain, clock, connections, holdings] = [this.#options, this.#clock, this.#connections, this.#holdings];
    const [handlers, served] = [this.#handlers, this.#served];
    return closeDrain({ drain, clock, connections, holdings, handlers, served, wait: (mostMs) => this.#wait(mostMs) });
  }

  #hasLeft(): boolean {
    return this.#served.some(({ track }) => track.handover.left !== undefined);
  }

  /** Nothing is held, no sync is under way, and nothing is due for which it can sleep. */
  #isOver(): boolean {
    return this.#holdings.isEmpty && !this.#isUnderWay() && !this.#served.some(({ next }) => next.canSleep());
  }

  /** Something is under way that may bring messages: where one of several shards is away nobody waits for its next try. */
  #isUnderWay(): boolean {
    const isMany = this.#served.length > 1;
    return this.#served.some(({ track }) =>
      isMany && track.isAway
        ? track.inFlight > 0
        : this.#holdings.leasesOn(track.shard).some(({ underWay }) => underWay !== undefined),
    );
  }

  /** Begins the sync that is due next. @returns false where none is */
  #beginNext(now: number): boolean {
    const count = this.#served.length;
    for (let i = 0; i < count; i++) {
      const place = (this.#turn + i) % count;
      const { next, syncs } = this.#served[place] as Served;
      const plan = next.find(now);
      if (!plan) continue;
      this.#turn = (place + 1) % count;
      syncs.begin(plan);
      return true;
    }
    return false;
  }

  get #isFree(): boolean {
    return this.#served[0]?.next.isFree === true;
  }

  /** The shard of this name, or the first where none is given; undefined where this drain does not serve it. */
  #findServed(name: string | undefined): Served | undefined {
    return name === undefined ? this.#served[0] : this.#served.find(({ track }) => track.shard.name === name);
  }

  /** Takes a lease that an enqueue has filled. What is not known of it its first sync says; whatever came since then it finds a little later. */
  #hold({ track, syncs }: Served, { lease: name, leasedUntil, takenAt, taken, clockAheadMs }: HandOff): void {
    const lease = new Lease(track.shard, name);
    lease.leasedUntil = leasedUntil;
    lease.inTransit = taken === undefined;
    this.#holdings.add(lease);
    if (!taken) return;
    lease.lastSyncAt = leasedUntil - this.#options.leaseMs;
    track.outlook.noteHandOff(this.#clock());
    syncs.hold(lease, taken, takenAt, clockAheadMs);
  }

  /** One more lease that an enqueue has filled. @returns false where this drain takes nothing more */
  #adopt(handOff: HandOff): boolean {
    const served = this.#findServed(handOff.shard);
    if (!served) return false;
    const isFull = this.#holdings.leasesOn(served.track.shard).length > this.#mostLeases;
    if (isFull || this.#hasEnded || this.#options.budget.isClosing()) return false;
    served.track.ask(); // whoever enqueued has set `awake`, and counts on a drain that looks
    this.#hold(served, handOff);
    this.#notify?.();
    return true;
  }

  /**
   * There is something new, and nobody else was woken for it: it looks, or says once more that it is busy.
   * @param names of the shards where it is; left out, it may be anywhere
   * @returns whether it looks now; where all its handlers are busy it looks when one is free
   */
  #look(names?: readonly string[]): boolean {
    const tracks = this.#served.map(({ track }) => track);
    const asked = tracks.filter(({ shard }) => names?.includes(shard.name) ?? true);
    if (names && asked.length < names.length) this.#options.onLeft?.(0, 0); // of others this drain knows nothing
    this.#attention.asked = true;
    for (const track of asked) track.isAsked = true;
    if (this.#hasEnded) return false;
    for (const track of asked) track.ask();
    if (this.#options.onBusy && (this.#options.budget.isClosing() || !this.#isFree)) return false; // whoever asked asks another
    for (const { handover } of asked) handover.gaveWay = false;
    this.#notify?.();
    return true;
  }

  /** A handler has ended that took its time. */
  #noteEnded(): void {
    if (!this.#notify) return;
    const { running, waiting } = this.#holdings;
    const closes = waiting.length > 0 && this.#options.budget.isClosing(); // it goes back to where others find it
    if (running.length === 0 || closes || this.#served.some(({ next }) => next.find(this.#clock()))) this.#notify();
  }

  /** When the first of the waiting messages can not be ended in time any more. */
  #lateAt(now: number): number {
    const lastStartAt = now + this.#options.budget.msForHandler(now);
    return lastStartAt - this.#holdings.longestTimeoutMs;
  }

  /** Until something happened: an outcome, an answer, a handler's deadline, a heartbeat, a due timer, the closing of the budget. */
  async #wait(mostMs: number): Promise<void> {
    const { running, waiting } = this.#holdings;
    const now = this.#clock();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#notify = resolve;
    // Where only answers can come nothing else has to end the wait.
    const isTimed = running.length > 0 || waiting.length > 0 || !this.#isUnderWay() || this.#served.length > 1;
    let timer: ReturnType<typeof setTimeout> | undefined;
    if (isTimed) {
      this.#armedFor = Math.min(now + mostMs, this.#alarmAt(now));
      timer = setTimeout(resolve, Math.max(1, this.#armedFor - now));
    }
    await promise;
    if (timer !== undefined) clearTimeout(timer);
    this.#notify = undefined;
    this.#armedFor = 0;
  }

  #alarmAt(now: number): number {
    let at = Number.POSITIVE_INFINITY;
    for (const { deadline } of this.#holdings.running) at = Math.min(at, deadline);
    if (this.#options.budget.isClosing()) return at;
    for (const { next } of this.#served) at = Math.min(at, next.nextAt());
    return Math.min(at, this.#lateAt(now));
  }
}
