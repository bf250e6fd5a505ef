/**
 * Consuming: receives, hands messages to a handler side by side, settles what ended together with receiving more.
 *
 * One sync is in flight at a time, and handlers run meanwhile. A sync that fails is made again until it is answered:
 * the lease keeps what it settles. Waiting ends early when a handler ends or the signal is aborted.
 */
import { type Duration, parseDuration } from '../formats/duration.ts';
import { type ConsumeHandler, deliver } from './delivery.ts';
import { isTemporary } from './error.ts';
import { Holdings, type Running } from './holdings.ts';
import { type Lease, receive } from './lease.ts';
import { type IdleWait, Pace } from './pace.ts';
import type { QueueRef } from './queue-ref.ts';
import { createKey, type Transport } from './transport.ts';
import type { ReceivedMessage, Settlement } from './wire-types.ts';

export type { ConsumeHandler } from './delivery.ts';

export interface ConsumeOptions {
  /** The consumer ends gracefully when it is aborted. */
  signal: AbortSignal;
  /** Handlers at once. With 1, messages of a lane are handled in their order. Default 10. */
  concurrency?: number;
  /** The most messages held, those that wait for a handler included. Default: twice the concurrency. */
  max?: number;
  /** How soon others get the messages of a consumer that died. Handlers may take longer: the lease is extended. Default "30s". */
  visibility?: Duration;
  /** How often to look into empty queues: the wait doubles from the least to the most, and ends early for a timer. */
  idleMs?: IdleWait;
  /** How long handlers may go on after the abort, before their own signals are aborted. Default 10 s. */
  graceMs?: number;
  /** Called with what a handler threw and its message, and with the errors of syncs. */
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

/** @throws SluiceError where the server refuses for good, or what `onError` throws */
export function consume<Body>(
  send: Transport,
  queues: readonly QueueRef[],
  handler: ConsumeHandler<Body>,
  options: ConsumeOptions,
): Promise<void> {
  return new Consumption(send, queues, handler, options).run();
}

class Consumption<Body> {
  readonly #send: Transport;
  readonly #queues: readonly QueueRef[];
  readonly #handler: ConsumeHandler<Body>;
  readonly #options: Required<Omit<ConsumeOptions, 'onError'>> & Pick<ConsumeOptions, 'onError'>;
  readonly #visibilityMs: number;
  readonly #held: Holdings<Body>;
  readonly #pace: Pace;

  #lease: Lease<Body> | undefined;
  /** Names the lease that is to begin: the same for as long as no answer came. */
  #key = createKey();
  #heartbeatAt = 0;
  /** Until then, by the local clock, what is held is surely held. */
  #leasedUntil = 0;
  /** So many messages the lease may hold that never arrived, because an answer was lost. */
  #inTransit = 0;
  /** What ends it: the server's refusal, or what onError threw; and that it refused again when told the last outcomes. */
  #refusal: unknown;
  #isAbandoned = false;
  #wake = () => {};

  constructor(
    send: Transport,
    queues: readonly QueueRef[],
    handler: ConsumeHandler<Body>,
    { signal, concurrency = 10, max = concurrency * 2, ...options }: ConsumeOptions,
  ) {
    this.#send = send;
    this.#queues = queues;
    this.#handler = handler;
    const defaults = { visibility: '30s', idleMs: { least: 1_000, most: 30_000 }, graceMs: 10_000 };
    this.#options = { ...defaults, ...options, signal, concurrency, max: Math.max(concurrency, max) };
    this.#visibilityMs = parseDuration(this.#options.visibility) ?? 0; // the server is the judge of its form
    this.#held = new Holdings(queues);
    this.#pace = new Pace(this.#options.idleMs);
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
    while (this.#held.running.size < this.#options.concurrency) {
      if (this.#isStopping() || Date.now() >= this.#leasedUntil) return;
      const running = this.#held.begin();
      if (!running) return;
      this.#handle(running);
    }
  }

  #handle(running: Running<Body>): void {
    const { message, controller } = running;
    deliver(message, this.#handler, controller.signal)
      .then(({ settlement, error }) => {
        if (!this.#held.running.delete(running)) return; // its message is another's, or was settled without it
        const isCutOff = controller.signal.aborted && settlement.outcome === 'retry';
        this.#finish(isCutOff ? cutOff(message) : settlement);
        if (error !== undefined) this.#options.onError?.(error, message);
      })
      .catch((error: unknown) => {
        this.#refusal ??= error; // onError threw: nobody else would hear of it
        this.#wake();
      });
  }

  #finish(settlement: Settlement): void {
    this.#held.settle(settlement);
    this.#start();
    if (this.#isDue() || this.#held.outcomes.length === 1 || this.#held.running.size === 0) this.#wake();
  }

  #want(): number {
    if (this.#isStopping()) return this.#inTransit; // to give them back
    return Math.max(0, Math.min(MAX_WANT, this.#options.max - this.#held.size));
  }

  #isDue(): boolean {
    const { outcomes, size } = this.#held;
    const isIdleOrFull = size === 0 || outcomes.length >= this.#options.max / 2;
    if (this.#pace.failures === 0 && outcomes.length > 0 && isIdleOrFull) return true;
    return Date.now() >= this.#alarmAt();
  }

  /** When something is to be done that nobody announces. */
  #alarmAt(): number {
    const { failures, repeatAt, askAgainAt } = this.#pace;
    if (failures > 0) return repeatAt;
    const { outcomes, firstOutcomeAt, running, hasWaiting, size } = this.#held;
    const isStarved = !hasWaiting && running.size < this.#options.concurrency;
    const hasRoom = isStarved && outcomes.length === 0 && this.#want() > 0;
    const lingersUntil = firstOutcomeAt + (isStarved ? LINGER_MS.starved : LINGER_MS.busy);
    return Math.min(
      outcomes.length > 0 ? lingersUntil : Number.POSITIVE_INFINITY,
      hasRoom ? askAgainAt : Number.POSITIVE_INFINITY,
      size + outcomes.length > 0 ? this.#heartbeatAt : Number.POSITIVE_INFINITY,
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
    this.#pace.failures = 0;
    if (this.#lease?.isLost) return this.#forgetLease();
    const isDoubtful = Date.now() >= this.#leasedUntil && !this.#isStopping();
    this.#heartbeatAt = isDoubtful ? 0 : sentAt + this.#visibilityMs / 3;
    this.#held.add(messages);
    if (want > 0) this.#noteTaken(messages.length, want);
  }

  /** One sync of the lease, or the beginning of one. */
  async #ask(want: number): Promise<ReceivedMessage<Body>[]> {
    const { visibility } = this.#options;
    const until = Date.now() + this.#visibilityMs;
    if (!this.#lease) {
      this.#lease = await receive<Body>(this.#send, this.#queues, { max: want, visibility }, this.#key);
      this.#leasedUntil = until;
      return this.#lease.messages;
    }
    const outcomes = this.#held.outcomes.splice(0);
    try {
      return await this.#syncLease(this.#lease, outcomes, want, until);
    } catch (error) {
      if (!isTemporary(error)) this.#held.outcomes.unshift(...outcomes); // the lease has taken them out again
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
    const isDoubtful = this.#held.size > 0 && Date.now() >= this.#leasedUntil;
    if (want > 0 || (isDoubtful && !this.#isStopping())) {
      const messages = await lease.settleAndReceive(outcomes, { max: Math.max(1, want), visibility });
      this.#leasedUntil = until;
      this.#abortCancelled(lease);
      return messages;
    }
    await lease.settle(outcomes, this.#held.size > 0 ? { extend: visibility } : {});
    this.#abortCancelled(lease);
    if (Date.now() < this.#leasedUntil) this.#leasedUntil = until; // else the extension may have come too late
    return [];
  }

  #noteTaken(got: number, want: number): void {
    const { hasMore = false, nextInMs } = this.#lease ?? {};
    this.#inTransit = hasMore ? Math.max(0, this.#inTransit - got) : 0;
    this.#pace.noteAnswer(got, want, hasMore, nextInMs);
  }

  #survive(error: unknown, want: number): void {
    this.#options.onError?.(error);
    if (!isTemporary(error)) {
      this.#isAbandoned = this.#refusal !== undefined;
      this.#refusal ??= error;
      this.#inTransit = 0; // a refused request takes nothing
      this.#pace.failures = this.#lease ? 1 : 0; // what it was to settle is told once more, without receiving
      this.#pace.repeatAt = 0;
      return;
    }
    this.#inTransit = Math.max(this.#inTransit, want);
    this.#pace.noteFailure(error);
  }

  /** Their handlers are told; what they still answer finds the message gone. */
  #abortCancelled({ cancelled }: Lease<Body>): void {
    this.#held.abort('the message was cancelled', ({ id }) => cancelled.has(id));
  }

  /** Its messages are another's now. */
  #forgetLease(): void {
    this.#held.abort('the lease of this message was lost');
    this.#held.forget();
    this.#lease = undefined;
    this.#key = createKey();
    this.#inTransit = 0;
    this.#pace.askAgainAt = 0;
  }

  /** Gives back what was not started, waits for handlers, and tells the server what became of them. */
  async #stop(): Promise<void> {
    const graceEndsAt = Date.now() + this.#options.graceMs;
    this.#held.giveBack();
    while (this.#held.running.size > 0 && Date.now() < graceEndsAt && !this.#isAbandoned) {
      if (this.#isDue()) await this.#sync();
      else await this.#wait(Math.min(this.#alarmAt(), graceEndsAt));
      this.#held.giveBack();
    }
    await this.#cutOff();
    const giveUpAt = Date.now() + LAST_MS;
    while (this.#hasToTell() && Date.now() < giveUpAt && !this.#isAbandoned) {
      if (this.#pace.failures > 0) await this.#wait(Math.min(this.#pace.repeatAt, giveUpAt));
      await this.#sync();
      this.#held.giveBack();
    }
  }

  #hasToTell(): boolean {
    return this.#held.outcomes.length > 0 || this.#inTransit > 0 || this.#pace.failures > 0;
  }

  async #cutOff(): Promise<void> {
    const { running } = this.#held;
    this.#held.abort(STOPPED);
    const until = Date.now() + CUT_OFF_MS;
    while (running.size > 0 && Date.now() < until) await this.#wait(until);
    for (const { message } of running) this.#held.settle(cutOff(message));
    running.clear();
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
