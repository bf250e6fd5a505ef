/** Holdings: what a drain has in hand: its leases, and of all of them the messages that wait for a handler and those that have one. */
import type { LazyController } from '../delivery/context.ts';
import type { Delivery } from '../delivery/deliver.ts';
import type { OpenSpan } from '../delivery/span.ts';
import type { Settlement } from '../store/encode-settlements.ts';
import type { Budget } from './budget.ts';
import type { Connections } from './connections.ts';
import type { Lease } from './lease.ts';
import type { DrainShard } from './report.ts';

/** A message out of one of the leases. */
export interface Held extends Delivery {
  lease: Lease;
  /** When storage gave it out, by its clock: answers may come in another order. */
  takenAt: number;
}

/** A delivery whose handler was called and has not answered. */
export interface Running {
  delivery: Held;
  controller: LazyController;
  startedAt: number;
  deadline: number;
  span: OpenSpan | undefined;
  /** No other message was handled before it under its invocation. */
  isFirst: boolean;
  settled: boolean;
}

/** The outcome of a handler which says that the platform refuses subrequests. */
export interface Doubt {
  running: Running;
  settlement: Settlement;
}

export interface HoldingsOptions {
  budget: Pick<Budget, 'holdLeases'>;
  connections: Connections;
  clock: () => number;
  /** Called for the first outcome of a lease since its last sync: the loop may have to wake for it. */
  onOutcome: () => void;
}

export class Holdings {
  readonly leases: Lease[] = [];
  readonly #byShard = new Map<DrainShard, Lease[]>();
  waiting: Held[] = [];
  /**
   * An array and no Map: V8 makes a Map that shrinks with each batch anew, each of these refers to the next, and one that got old
   * keeps all later ones, with their messages, from the quick part of garbage collection. That costs 1 to 2 µs a message.
   */
  running: Running[] = [];
  /** No message is started until storage has been asked, and so has shown whether the platform refuses. */
  doubtful: Doubt[] = [];
  /** Whether a message has to wait, and comes again. */
  hasPutOff = false;
  readonly #options: HoldingsOptions;

  constructor(options: HoldingsOptions) {
    this.#options = options;
  }

  /** Those that it has on a shard. */
  leasesOn(shard: DrainShard): Lease[] {
    const known = this.#byShard.get(shard);
    if (known) return known;
    const leases: Lease[] = [];
    this.#byShard.set(shard, leases);
    return leases;
  }

  add(lease: Lease): void {
    if (this.leases.includes(lease)) return;
    this.leases.push(lease);
    this.leasesOn(lease.shard).push(lease);
    this.#options.budget.holdLeases(this.leases.length);
  }

  remove(lease: Lease): void {
    for (const leases of [this.leases, this.leasesOn(lease.shard)]) leases.splice(leases.indexOf(lease), 1);
    this.#options.budget.holdLeases(this.leases.length);
  }

  get isEmpty(): boolean {
    return this.running.length === 0 && this.waiting.length === 0 && !this.hasOutcomes;
  }

  get hasOutcomes(): boolean {
    for (const { outcomes } of this.leases) if (outcomes.length > 0) return true;
    return false;
  }

  /** Whether another lease than this has something. */
  holdsBeside(lease: Lease): boolean {
    return this.leases.some((other) => other !== lease && !other.isEmpty);
  }

  settle(lease: Lease, outcome: Settlement): void {
    if (outcome.outcome === 'retry' || outcome.chained) this.hasPutOff = true;
    if (!lease.settle(outcome)) return;
    lease.firstOutcomeAt = this.#options.clock();
    this.#options.onOutcome();
  }

  /** The most urgent first, and of one priority in the order in which storage gave them out. */
  sort(): void {
    this.waiting.sort((a, b) => a.message.priority - b.message.priority || a.takenAt - b.takenAt);
  }

  /** A message that was not begun goes back uncounted. */
  giveBack(which: (held: Held) => boolean = () => true): void {
    for (const held of this.waiting.filter(which)) this.settle(held.lease, { entry: held.entry, outcome: 'release' });
    this.waiting = this.waiting.filter((held) => !which(held));
  }

  /** One whose timeout is longer than a handler may run now, for a drain that lives longer. */
  giveBackLate(lifeMs: number): void {
    this.giveBack(({ queue }) => queue.timeoutMs > lifeMs);
  }

  /** Those of a lease of which none has ended since its last sync: handlers take long, and others may have some that are free. */
  giveBackStuck(lease: Lease): void {
    if (lease.outcomes.length === 0) this.giveBack((held) => held.lease === lease);
  }

  /** The longest timeout of the messages that wait; -Infinity where none does. */
  get longestTimeoutMs(): number {
    let longest = Number.NEGATIVE_INFINITY;
    for (const { queue } of this.waiting) longest = Math.max(longest, queue.timeoutMs);
    return longest;
  }

  /** Handlers of cancelled messages are told by their signals; what they still answer finds the message gone. */
  abortCancelled(lease: Lease, entries: string[]): void {
    if (entries.length === 0) return;
    const isCancelled = (held: Held) => held.lease === lease && entries.includes(held.entry);
    for (const { delivery, controller } of this.running) {
      if (isCancelled(delivery)) controller.abort(new DOMException('the message was cancelled', 'AbortError'));
    }
    for (const { entry } of this.waiting.filter(isCancelled)) this.settle(lease, { entry, outcome: 'ack' });
    this.waiting = this.waiting.filter((held) => !isCancelled(held));
  }

  /**
   * The platform refuses subrequests. A message whose handler met that goes back uncounted, because other deliveries may have used
   * them up; but not one that had all of them to itself at its start and sent some: it would come again for ever.
   * @returns the outcomes that stand as failures
   */
  confirmDoubts(): Doubt[] {
    return this.doubtful.splice(0).filter(({ running, settlement }) => {
      if (running.isFirst && !running.delivery.queue.destination) return true;
      const { entry, measured } = settlement;
      const { outcomes } = running.delivery.lease;
      outcomes[outcomes.indexOf(settlement)] = { entry, outcome: 'release', ...(measured && { measured }) };
      return false;
    });
  }

  /** The lease was swept: all of its messages are another's now. Those of other leases stay. */
  forget(lease: Lease): void {
    const isOwn = ({ delivery }: Running) => delivery.lease === lease;
    for (const running of this.running.filter(isOwn)) {
      running.settled = true;
      this.#options.connections.end(running.delivery);
      running.span?.end('lease_expired');
      running.controller.abort(new DOMException('the lease of this message was lost', 'AbortError'));
    }
    this.running = this.running.filter((running) => !isOwn(running));
    this.waiting = this.waiting.filter((held) => held.lease !== lease);
    this.doubtful = this.doubtful.filter(({ running }) => !isOwn(running));
    lease.renew();
  }
}
