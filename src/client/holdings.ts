/** Holdings: what a consumer has in hand: messages without a handler yet, those with one, and outcomes that are still to be told. */
import { type QueueRef, queueName } from './queue-ref.ts';
import type { ReceivedMessage, Settlement } from './wire-types.ts';

export interface Running<Body> {
  message: ReceivedMessage<Body>;
  controller: AbortController;
}

export class Holdings<Body> {
  readonly running = new Set<Running<Body>>();
  outcomes: Settlement[] = [];
  /** By the local clock. */
  firstOutcomeAt = 0;
  #waiting: ReceivedMessage<Body>[] = [];
  readonly #places: Map<string, number>;

  /** @param queues in the order in which they are served */
  constructor(queues: readonly QueueRef[]) {
    this.#places = new Map(queues.map((queue, place) => [queueName(queue), place]));
  }

  /** Messages that are the consumer's, with and without a handler. */
  get size(): number {
    return this.running.size + this.#waiting.length;
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Has messages wait: by the order of their queues, then the urgent ones first, then as they came. */
  add(messages: ReceivedMessage<Body>[]): void {
    this.#waiting.push(...messages);
    const placeOf = ({ queue }: ReceivedMessage) => this.#places.get(queue) ?? 0;
    this.#waiting.sort((a, b) => placeOf(a) - placeOf(b) || a.priority - b.priority); // stable
  }

  /** The first that waits begins to run. */
  begin(): Running<Body> | undefined {
    const message = this.#waiting.shift();
    if (!message) return undefined;
    const running = { message, controller: new AbortController() };
    this.running.add(running);
    return running;
  }

  settle(settlement: Settlement): void {
    if (this.outcomes.push(settlement) === 1) this.firstOutcomeAt = Date.now();
  }

  /** Messages that were not begun go back as if never taken. */
  giveBack(): void {
    for (const { id, attempt } of this.#waiting.splice(0)) this.settle({ id, attempt, outcome: 'release' });
  }

  /** Tells handlers to end. @param why as the reason of their signals */
  abort(why: string, isMeant: (message: ReceivedMessage<Body>) => boolean = () => true): void {
    for (const { message, controller } of this.running) {
      if (isMeant(message)) controller.abort(new DOMException(why, 'AbortError'));
    }
  }

  /** Forgets all messages: the lease was lost, and they are another consumer's now. */
  forget(): void {
    this.running.clear();
    this.#waiting = [];
    this.outcomes = [];
  }
}
