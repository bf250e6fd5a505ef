/**
 * Consuming: receives, hands messages to a handler side by side, settles what ended together with receiving more.
 *
 * One sync is in flight at a time, and handlers run meanwhile. A sync that fails is made again until it is answered:
 * the lease keeps what it settles. Waiting ends early when a handler ends or the signal is aborted.
 */
import { type Duration, parseDuration } from '../formats/duration.ts';
import { type ConsumeHandler, deliver } from './delivery.ts';
import { isTemporary } from './error.ts';
import { type Lease, receive } from './lease.ts';
import { nameOf, type QueueRef } from './queue-ref.ts';
import { newKey, type Transport, waitMs } from './transport.ts';
import type { ReceivedMessage, Settlement } from './wire.ts';

export type { ConsumeHandler } from './delivery.ts';

export interface ConsumeOptions {
  /** Aborted, the consumer ends gracefully. */
  signal: AbortSignal;
  /** Handlers at once. With 1, messages of a lane are handled in their order. Default 10. */
  concurrency?: number;
  /** The most messages held, those that wait for a handler included. Default: twice the concurrency. */
  max?: number;
  /** How soon others get the messages of a consumer that died. Handlers may take longer: the lease is extended. Default "30s". */
  visibility?: Duration;
  /** How often to look into empty queues: the wait doubles from the least to the most, and ends early for a timer. */
  idleMs?: { least: number; most: number };
  /** How long handlers may go on after the abort, before their own signals are aborted. Default 10 s. */
  graceMs?: number;
  /** Told what a handler threw, with its message, and of syncs that failed. */
  onError?: (error: unknown, message?: ReceivedMessage) => void;
}

/** Outcomes wait so long for company where a handler is idle, and where work is at hand. */
const LINGER_MS = { starved: 25, busy: 500 };
/** For handlers to end after their signal was aborted. */
const CUT_OFF_MS = 100;
/** For the last syncs, after the handlers. */
const LAST_MS = 5_000;
/** The most messages one request may ask for. */
const MAX_WANT = 100;
/** Timers take no longer ones. */
const LONGEST_WAIT_MS = 60_000;
const OUTAGE = { baseMs: 100, maxMs: 10_000 };

/** @throws SluiceError where the server refuses for good, or what `onError` throws */
export function consume<Body>(
  transport: Transport,
  queues: readonly QueueRef[],
  handler: ConsumeHandler<Body>,
  options: ConsumeOptions,
): Promise<void> {
  return new Consumption(transport, queues, handler, options).run();
}

interface Running<Body> {
  message: ReceivedMessage<Body>;
  controller: AbortController;
}

class Consumption<Body> {
  readonly #transport: Transport;
  readonly #queues: readonly QueueRef[];
  readonly #handler: ConsumeHandler<Body>;
  readonly #options: Required<Omit<ConsumeOptions, 'onError'>> & Pick<ConsumeOptions, 'onError'>;
  readonly #visibilityMs: number;
  readonly #places: Map<string, number>;

  #lease: Lease<Body> | undefined;
  /** Names the lease that is to begin: the same for as long as no answer came. */
  #key = newKey();
  #waiting: ReceivedMessage<Body>[] = [];
  readonly #running = new Set<Running<Body>>();
  #outcomes: Settlement[] = [];
  #firstOutcomeAt = 0;
  #heartbeatAt = 0;
  /** Until then, by the local clock, what is held is surely held. */
  #leasedUntil = 0;
  /** When to ask a queue again that had less than wanted. */
  #askAgainAt = 0;
  #idleMs: number;
  /** So many messages the lease may hold that never arrived, because an answer was lost. */
  #inTransit = 0;
  #failures = 0;
  #repeatAt = 0;
  /** What ends it: the server's refusal, or what onError threw; and that it refused again when told the last outcomes. */
  #refusal: unknown;
  #isAbandoned = false;
  #wake = () => {};

  constructor(
    transport: Transport,
    queues: readonly QueueRef[],
    handler: ConsumeHandler<Body>,
    { signal, concurrency = 10, max = concurrency * 2, ...options }: ConsumeOptions,
  ) {
    this.#transport = transport;
    this.#queues = queues;
    this.#handler = handler;
    const defaults = { visibility: '30s', idleMs: { least: 1_000, most: 30_000 }, graceMs: 10_000 };
    this.#options = { ...defaults, ...options, signal, concurrency, max: Math.max(concurrency, max) };
    this.#visibilityMs = parseDuration(this.#options.visibility) ?? 0; // the server is the judge of its form
    this.#places = new Map(queues.map((queue, place) => [nameOf(queue), place]));
    this.#idleMs = this.#options.idleMs.least;
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    const wake = () => this.#wake();
    signal.addEventListener('abort', wake);
    try {
      while (!this.#isStopping()) {
        this.#start();
        if (this.#isDue()) await this.#sync();
        else await this.#wait(this.#alarmAt());
      }
      await this.#stop();
    } finally {
      signal.removeEventListener('abort', wake);
    }
    if (this.#refusal) throw this.#refusal;
  }

  #isStopping(): boolean {
    return this.#options.signal.aborted || this.#refusal !== undefined;
  }

  /** Not what another may hold by now. */
  #start(): void {
    while (this.#waiting.length > 0 && this.#running.size < this.#options.concurrency) {
      if (this.#isStopping() || Date.now() >= this.#leasedUntil) return;
      this.#begin(this.#waiting.shift() as ReceivedMessage<Body>);
    }
  }

  #begin(message: ReceivedMessage<Body>): void {
    const running = { message, controller: new AbortController() };
    this.#running.add(running);
    deliver(message, this.#handler, running.controller.signal)
      .then(({ settlement, error }) => {
        if (!this.#running.has(running)) return; // its message is another's, or was settled without it
        const isCutOff = running.controller.signal.aborted && settlement.outcome === 'retry';
        this.#finish(running, isCutOff ? cutOff(message) : settlement);
        if (error !== undefined) this.#options.onError?.(error, message);
      })
      .catch((error: unknown) => {
        this.#refusal ??= error; // onError threw: nobody else would hear of it
        this.#wake();
      });
  }

  #finish(running: Running<Body>, settlement: Settlement): void {
    this.#running.delete(running);
    this.#settle(settlement);
    this.#start();
    if (this.#isDue() || this.#outcomes.length === 1 || this.#running.size === 0) this.#wake();
  }

  #settle(settlement: Settlement): void {
    if (this.#outcomes.push(settlement) === 1) this.#firstOutcomeAt = Date.now();
  }

  #want(): number {
    if (this.#isStopping()) return this.#inTransit; // to give them back
    const held = this.#running.size + this.#waiting.length;
    return Math.max(0, Math.min(MAX_WANT, this.#options.max - held));
  }

  #isDue(): boolean {
    const now = Date.now();
    if (this.#failures === 0 && this.#outcomes.length > 0) {
      const isIdle = this.#running.size + this.#waiting.length === 0;
      if (isIdle || this.#outcomes.length >= this.#options.max / 2) return true;
    }
    return now >= this.#alarmAt();
  }

  /** When something is to be done that nobody announces. */
  #alarmAt(): number {
    if (this.#failures > 0) return this.#repeatAt;
    const isStarved = this.#waiting.length === 0 && this.#running.size < this.#options.concurrency;
    const hasRoom = isStarved && this.#outcomes.length === 0 && this.#want() > 0;
    const lingersUntil = this.#firstOutcomeAt + (isStarved ? LINGER_MS.starved : LINGER_MS.busy);
    const isHolding = this.#running.size + this.#waiting.length + this.#outcomes.length > 0;
    return Math.min(
      this.#outcomes.length > 0 ? lingersUntil : Number.POSITIVE_INFINITY,
      hasRoom ? this.#askAgainAt : Number.POSITIVE_INFINITY,
      isHolding ? this.#heartbeatAt : Number.POSITIVE_INFINITY,
    );
  }

  async #sync(): Promise<void> {
    const want = this.#want();
    const sentAt = Date.now();
    let messages: ReceivedMessage<Body>[];
    try {
      messages = await this.#ask(want);
    } catch (error) {
      return this.#survive(error, want);
    }
    this.#failures = 0;
    if (this.#lease?.isLost) return this.#forgetLease();
    const isDoubtful = Date.now() >= this.#leasedUntil && !this.#isStopping();
    this.#heartbeatAt = isDoubtful ? 0 : sentAt + this.#visibilityMs / 3;
    this.#waiting.push(...messages);
    const placeOf = ({ queue }: ReceivedMessage) => this.#places.get(queue) ?? 0;
    this.#waiting.sort((a, b) => placeOf(a) - placeOf(b) || a.priority - b.priority); // stable: else as they came
    if (want > 0) this.#pace(messages.length, want);
  }

  /** One sync of the lease, or the beginning of one. */
  async #ask(want: number): Promise<ReceivedMessage<Body>[]> {
    const { visibility } = this.#options;
    const until = Date.now() + this.#visibilityMs;
    if (!this.#lease) {
      this.#lease = await receive<Body>(this.#transport, this.#queues, { max: want, visibility }, this.#key);
      this.#leasedUntil = until;
      return this.#lease.messages;
    }
    const outcomes = this.#outcomes.splice(0);
    try {
      return await this.#syncLease(this.#lease, outcomes, want, until);
    } catch (error) {
      if (!isTemporary(error)) this.#outcomes.unshift(...outcomes); // the lease has taken them out again
      throw error;
    }
  }

  async #syncLease(
    lease: Lease<Body>,
    outcomes: Settlement[],
    want: number,
    until: number,
  ): Promise<ReceivedMessage<Body>[]> {
    const { visibility } = this.#options;
    // Only a sync that takes says whether the lease was lost. Where it may have been, it takes at least one.
    const isDoubtful = this.#isHolding() && Date.now() >= this.#leasedUntil;
    if (want > 0 || (isDoubtful && !this.#isStopping())) {
      const messages = await lease.settleAndReceive(outcomes, { max: Math.max(1, want), visibility });
      this.#leasedUntil = until;
      this.#abortCancelled(lease);
      return messages;
    }
    await lease.settle(outcomes, this.#isHolding() ? { extend: visibility } : {});
    this.#abortCancelled(lease);
    if (Date.now() < this.#leasedUntil) this.#leasedUntil = until; // else the extension may have come too late
    return [];
  }

  #isHolding(): boolean {
    return this.#running.size + this.#waiting.length > 0;
  }

  /** When to ask again. An answer that brought less than wanted means that nothing is left, unless it says that there is more. */
  #pace(got: number, want: number): void {
    const { hasMore = false, nextInMs = Number.POSITIVE_INFINITY } = this.#lease ?? {};
    this.#inTransit = hasMore ? Math.max(0, this.#inTransit - got) : 0;
    const { least, most } = this.#options.idleMs;
    if (got > 0) this.#idleMs = least;
    const isDry = got < want && !hasMore;
    this.#askAgainAt = isDry ? Date.now() + Math.max(least, Math.min(this.#idleMs, nextInMs)) : 0;
    if (got === 0) this.#idleMs = Math.min(most, this.#idleMs * 2);
  }

  #survive(error: unknown, want: number): void {
    this.#options.onError?.(error);
    if (!isTemporary(error)) {
      this.#isAbandoned = this.#refusal !== undefined;
      this.#refusal ??= error;
      this.#inTransit = 0; // a refused request takes nothing
      this.#failures = this.#lease ? 1 : 0; // what it was to settle is told once more, without receiving
      this.#repeatAt = 0;
      return;
    }
    this.#inTransit = Math.max(this.#inTransit, want);
    this.#failures += 1;
    this.#repeatAt = Date.now() + waitMs(this.#failures, error, OUTAGE);
  }

  /** Their handlers are told; what they still answer finds the message gone. */
  #abortCancelled({ cancelled }: Lease<Body>): void {
    for (const { message, controller } of this.#running) {
      if (cancelled.has(message.id)) controller.abort(new DOMException('the message was cancelled', 'AbortError'));
    }
  }

  /** Its messages are another's now. */
  #forgetLease(): void {
    abortAll(this.#running, 'the lease of this message was lost');
    this.#waiting = [];
    this.#outcomes = [];
    this.#lease = undefined;
    this.#key = newKey();
    this.#inTransit = 0;
    this.#askAgainAt = 0;
  }

  /** Gives back what was not started, waits for handlers, and tells the server what became of them. */
  async #stop(): Promise<void> {
    const graceEndsAt = Date.now() + this.#options.graceMs;
    this.#giveBack();
    while (this.#running.size > 0 && Date.now() < graceEndsAt && !this.#isAbandoned) {
      if (this.#isDue()) await this.#sync();
      else await this.#wait(Math.min(this.#alarmAt(), graceEndsAt));
      this.#giveBack();
    }
    await this.#cutOff();
    const giveUpAt = Date.now() + LAST_MS;
    while (this.#hasToTell() && Date.now() < giveUpAt && !this.#isAbandoned) {
      if (this.#failures > 0) await this.#wait(Math.min(this.#repeatAt, giveUpAt));
      await this.#sync();
      this.#giveBack();
    }
  }

  /** What comes now was in transit. */
  #giveBack(): void {
    for (const { id, attempt } of this.#waiting.splice(0)) this.#settle({ id, attempt, outcome: 'release' });
  }

  #hasToTell(): boolean {
    return this.#outcomes.length > 0 || this.#inTransit > 0 || this.#failures > 0;
  }

  async #cutOff(): Promise<void> {
    for (const { controller } of this.#running) controller.abort(new DOMException(STOPPED, 'AbortError'));
    const until = Date.now() + CUT_OFF_MS;
    while (this.#running.size > 0 && Date.now() < until) await this.#wait(until);
    for (const { message } of this.#running) this.#settle(cutOff(message));
    this.#running.clear();
  }

  /** Until then, or until something happened. */
  async #wait(until: number): Promise<void> {
    const ms = Math.max(1, Math.min(LONGEST_WAIT_MS, until - Date.now()));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
  }
}

const STOPPED = 'the consumer had to stop before it was done';

/** Begun and not ended: it counts as an attempt, because the handler may have done all but return. */
function cutOff({ id, attempt }: ReceivedMessage): Settlement {
  return { id, attempt, outcome: 'retry', delay: 0, error: STOPPED };
}

function abortAll(running: Set<Running<never>> | Set<Running<unknown>>, why: string): void {
  for (const { controller } of running) controller.abort(new DOMException(why, 'AbortError'));
  running.clear();
}
