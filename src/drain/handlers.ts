/** Handlers: starts what waits, the most urgent first, and makes outcomes of how handlers end. It knows no storage. */

import { prepare } from '../broker/producer.ts';
import type { MessageInput } from '../broker/validate.ts';
import { LazyController } from '../delivery/context.ts';
import { cutOff, deliver, timedOut } from '../delivery/deliver.ts';
import { passedOn } from '../message/trace-context.ts';
import { refuseRing } from '../queue/ring.ts';
import type { Settlement } from '../store/encode-settlements.ts';
import type { Measurement } from '../store/measured.ts';
import type { Connections } from './connections.ts';
import type { Doubt, Held, Holdings, Running } from './holdings.ts';
import type { Pace } from './pace.ts';
import type { DrainOptions } from './report.ts';

export interface HandlersOptions {
  drain: DrainOptions;
  clock: () => number;
  connections: Connections;
  holdings: Holdings;
  pace: Pace;
  report: { delivered: number };
  /** Called for each handler that takes its time. */
  onStarted: (deadline: number) => void;
  /** Called when such a handler has ended. */
  onEnded: () => void;
}

export class Handlers {
  readonly #options: HandlersOptions;
  readonly #random: () => number;

  constructor(options: HandlersOptions) {
    this.#options = options;
    this.#random = options.drain.random ?? Math.random;
  }

  /** Starts waiting messages, the most urgent first, while there is room and their lease surely lasts. */
  start(): void {
    const { holdings, clock } = this.#options;
    const { budget, concurrency } = this.#options.drain;
    while (holdings.running.length < concurrency && holdings.doubtful.length === 0) {
      const now = clock();
      const place = this.#next(now);
      const next = holdings.waiting[place];
      if (!next) return;
      const isLate = next.queue.timeoutMs > budget.msForHandler(now);
      if (budget.isClosing(now) || !(isLate || budget.admit(next.queue.subrequests))) return;
      holdings.waiting.splice(place, 1);
      if (isLate) holdings.settle(next.lease, { entry: next.entry, outcome: 'release' });
      else this.#begin(next, now);
    }
  }

  /** The place of the next that may start; where a lease is not sure any more, its messages wait and those of others go on. */
  #next(now: number): number {
    const { connections, holdings } = this.#options;
    const place = connections.next(holdings.waiting);
    const next = holdings.waiting[place];
    if (!next || now < next.lease.leasedUntil) return place;
    return connections.next(holdings.waiting, ({ lease }) => now >= lease.leasedUntil);
  }

  #begin(delivery: Held, startedAt: number): void {
    const { connections, holdings, report, onStarted } = this.#options;
    const { env, ring = refuseRing, queues, trace, budget, leaseMs } = this.#options.drain;
    const controller = new LazyController();
    const deadline = startedAt + delivery.queue.timeoutMs;
    const span = trace?.(delivery.message);
    const isFirst = budget.invocation.deliveries === 1;
    const running: Running = { delivery, controller, startedAt, deadline, span, isFirst, settled: false };
    report.delivered += 1;
    holdings.running.push(running);
    connections.start(delivery);
    const traceparent = span?.traceparent ?? passedOn(delivery.message.headers.traceparent);
    const given = { env, ring, traceparent, controller };
    const { shard } = delivery.lease;
    const prepared = (input: MessageInput) =>
      shard.prepare ? shard.prepare(input, traceparent) : prepare(queues, input, traceparent);
    const outcome = deliver(delivery, given, prepared, this.#random);
    // What ends at once is settled at once, until its lease's sync is due: it has to get between handlers that take their time.
    if (outcome instanceof Promise || startedAt >= delivery.lease.syncAt(leaseMs)) {
      onStarted(deadline);
      Promise.resolve(outcome).then((settlement) => this.#finish(running, settlement));
    } else this.#end(running, outcome);
  }

  #finish(running: Running, outcome: Settlement): void {
    if (running.settled) return;
    this.#end(running, outcome);
    this.start();
    this.#options.onEnded();
  }

  /** The first outcome of a delivery counts; a handler that ends after its time is not heard any more. */
  #end(running: Running, outcome: Settlement): void {
    const { connections, holdings, pace } = this.#options;
    running.settled = true;
    holdings.running.splice(holdings.running.indexOf(running), 1); // mostly the first, or alone
    connections.end(running.delivery);
    const aborted = running.controller.aborted && outcome.outcome !== 'ack';
    const settlement = aborted ? this.#cutOff(running) : outcome;
    settlement.measured = this.#measure(running);
    running.span?.end(settlement.failure?.kind);
    if (settlement.outOfSubrequests) holdings.doubtful.push({ running, settlement });
    else this.#tellFailure(running, settlement);
    if (settlement.failure && this.#options.drain.keepsStacks === false) settlement.failure.stack = undefined;
    holdings.settle(running.delivery.lease, settlement);
    pace.noteFinished(settlement.measured.runMs);
  }

  #cutOff({ delivery }: Running): Settlement {
    const { budget } = this.#options.drain;
    if (!budget.isStopped) return cutOff(delivery);
    budget.onCutOff?.();
    return { entry: delivery.entry, outcome: 'release' };
  }

  #tellFailure({ delivery }: Running, settlement: Settlement): void {
    if (settlement.failure) this.#options.drain.onFailure?.(delivery.message, settlement);
  }

  #measure({ delivery: { queue, dueAt }, startedAt }: Running): Measurement {
    const waitMs = dueAt === undefined ? undefined : startedAt - dueAt;
    return { queue: queue.name, runMs: this.#options.clock() - startedAt, waitMs };
  }

  /** Ends those whose time is over. */
  expire(): void {
    const now = this.#options.clock();
    for (const running of [...this.#options.holdings.running]) {
      if (running.deadline > now) continue;
      this.#finish(running, timedOut(running.delivery, this.#random));
      running.controller.abort(new DOMException('the time for this message is over', 'TimeoutError'));
    }
  }

  /** The drain has to end: tells those that run, and what they have not ended when `grace` is over is cut off. */
  async abortAll(grace: () => Promise<void>): Promise<void> {
    const stillRunning = [...this.#options.holdings.running];
    for (const { controller } of stillRunning) controller.abort(new DOMException('the drain has to end', 'AbortError'));
    if (stillRunning.length > 0) await grace();
    for (const running of stillRunning) this.#finish(running, cutOff(running.delivery));
  }

  /** Storage was asked since, so the platform does not refuse: the errors were perhaps those of another Worker, and are failures. */
  endDoubts(doubts: readonly Doubt[]): void {
    if (doubts.length === 0) return;
    const { holdings } = this.#options;
    const ended = holdings.doubtful.filter((doubt) => doubts.includes(doubt)); // of another lease's sync they may have ended already
    holdings.doubtful = holdings.doubtful.filter((doubt) => !doubts.includes(doubt));
    for (const { running, settlement } of ended) this.#tellFailure(running, settlement);
  }

  /** The platform refuses: no message is started and storage is not asked any more. */
  stopSpending(): void {
    const { holdings } = this.#options;
    const { budget, onSpent } = this.#options.drain;
    for (const { running, settlement } of holdings.confirmDoubts()) this.#tellFailure(running, settlement);
    if (budget.invocation.isSpent) return;
    budget.invocation.isSpent = true;
    const running = holdings.running.map(({ delivery }) => delivery.queue.name);
    const handled = holdings.leases.flatMap(({ outcomes }) => outcomes.map(({ measured }) => measured?.queue));
    onSpent?.([...new Set([...running, ...handled])].filter((name) => name !== undefined));
  }
}
