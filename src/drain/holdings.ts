/** Holdings: what a drain has in hand: messages that wait for a handler, those that have one, and outcomes that are not settled yet. */
import type { LazyController } from '../delivery/context.ts';
import type { Delivery } from '../delivery/deliver.ts';
import type { OpenSpan } from '../delivery/span.ts';
import type { Settlement } from '../store/encode-settlements.ts';
import type { Connections } from './connections.ts';

/** A delivery whose handler was called and has not answered. */
export interface Running {
  delivery: Delivery;
  controller: LazyController;
  startedAt: number;
  deadline: number;
  span: OpenSpan | undefined;
  /** No other message was handled before it under its invocation. */
  isFirst: boolean;
  settled: boolean;
}

export interface HoldingsOptions {
  connections: Connections;
  clock: () => number;
  /** Called for the first outcome since the last sync: the loop may have to wake for it. */
  onOutcome: () => void;
}

export class Holdings {
  waiting: Delivery[] = [];
  /**
   * An array and no Map: V8 makes a Map that shrinks with each batch anew, each of these refers to the next, and one that got old
   * keeps all later ones, with their messages, from the quick part of garbage collection. That costs 1 to 2 µs a message.
   */
  running: Running[] = [];
  outcomes: Settlement[] = [];
  /**
   * Outcomes of handlers which say that the platform refuses subrequests. No message is started until storage has been asked, and
   * so has shown whether that is true.
   */
  doubtful: { running: Running; settlement: Settlement }[] = [];
  firstOutcomeAt = 0;
  /** Whether a message has to wait, and comes again. */
  hasPutOff = false;
  readonly #options: HoldingsOptions;

  constructor(options: HoldingsOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.running.length === 0 && this.waiting.length === 0 && this.outcomes.length === 0;
  }

  settle(outcome: Settlement): void {
    if (outcome.outcome === 'retry' || outcome.chained) this.hasPutOff = true;
    if (this.outcomes.push(outcome) > 1) return;
    this.firstOutcomeAt = this.#options.clock();
    this.#options.onOutcome();
  }

  /** Ends what a sync has settled. Storage still holds what it refused, so that is settled again. */
  dropSettled(settlements: readonly Settlement[], statuses: readonly string[]): void {
    const refused = settlements.filter((_, index) => statuses[index] === 'refused');
    this.outcomes.splice(0, settlements.length, ...refused);
    this.firstOutcomeAt = this.#options.clock();
  }

  /** A message that was not begun goes back uncounted. */
  giveBack(): void {
    for (const { entry } of this.waiting.splice(0)) this.settle({ entry, outcome: 'release' });
  }

  /** A message whose timeout is longer than a handler may run now goes back uncounted, for a drain that lives longer. */
  giveBackLate(lifeMs: number): void {
    const isLate = ({ queue }: Delivery) => queue.timeoutMs > lifeMs;
    for (const { entry } of this.waiting.filter(isLate)) this.settle({ entry, outcome: 'release' });
    this.waiting = this.waiting.filter((delivery) => !isLate(delivery));
  }

  /** The longest timeout of the messages that wait; -Infinity where none does. */
  get longestTimeoutMs(): number {
    return Math.max(...this.waiting.map(({ queue }) => queue.timeoutMs));
  }

  /** Handlers of cancelled messages are told by their signals; what they still answer finds the message gone. */
  abortCancelled(entries: string[]): void {
    if (entries.length === 0) return;
    const isCancelled = ({ entry }: Delivery) => entries.includes(entry);
    for (const { delivery, controller } of this.running) {
      if (isCancelled(delivery)) controller.abort(new DOMException('the message was cancelled', 'AbortError'));
    }
    for (const { entry } of this.waiting.filter(isCancelled)) this.settle({ entry, outcome: 'ack' });
    this.waiting = this.waiting.filter((delivery) => !isCancelled(delivery));
  }

  /**
   * The platform refuses subrequests. A message whose handler met that goes back uncounted, because other deliveries may have used
   * them up; but not one that had all of them to itself at its start and sent some: it would come again for ever.
   * @returns the outcomes that stand as failures
   */
  confirmDoubts(): { running: Running; settlement: Settlement }[] {
    return this.doubtful.splice(0).filter(({ running, settlement }) => {
      if (running.isFirst && !running.delivery.queue.destination) return true;
      const { entry, measured } = settlement;
      this.outcomes[this.outcomes.indexOf(settlement)] = { entry, outcome: 'release', ...(measured && { measured }) };
      return false;
    });
  }

  /** The lease was swept: all of these messages are another's now. */
  forget(): void {
    for (const running of this.running) {
      running.settled = true;
      this.#options.connections.end(running.delivery);
      running.span?.end('lease_expired');
      running.controller.abort(new DOMException('the lease of this message was lost', 'AbortError'));
    }
    this.running = [];
    this.waiting = [];
    this.outcomes = [];
    this.doubtful = [];
  }
}
