/** The engine: the queues of a deployment on its Redis, for one caller, which is a request, a tick, or code of the Worker. */
import {
  type ReceiveAnswer,
  type ReceiveRequest,
  receive,
  type SettleAnswer,
  type SettleRequest,
  settle,
} from './broker/consumer.ts';
import { receiveFromFleet } from './broker/fleet/receive.ts';
import { settleInFleet } from './broker/fleet/settle.ts';
import type { EnqueueResult, IdempotencyKey } from './broker/producer.ts';
import type { SweepReport } from './broker/sweeper.ts';
import type { MessageInput } from './broker/validate.ts';
import type { Config } from './config/config.ts';
import type { DrainReport } from './drain/report.ts';
import { consumeFor, enqueueFor } from './engine/calls.ts';
import { type EngineOptions, openParts, type Parts } from './engine/parts.ts';
import type { Tick } from './engine/sweeps.ts';
import type { AnyQueue } from './queue/queue.ts';
import type { Shard } from './redis/shard.ts';
import type { Caller } from './runtime/caller.ts';
import { Invocation } from './runtime/invocation.ts';
import { FLOATING } from './runtime/wait-until.ts';
import type { Fleet } from './shards/fleet.ts';
import { openSpread, type Spread } from './shards/spread.ts';
import type { HandOff } from './store/enqueue.ts';
import type { Store } from './store/store.ts';
import { type Origin, tracedEnqueue } from './telemetry/traced.ts';

/** Opens the engine without a caller; `under` gives it one. @throws BadSettings */
export function openEngine(env: object, queues: ReadonlyMap<string, AnyQueue>, options: EngineOptions = {}): Engine {
  return new Engine(openParts(env, queues, options), undefined);
}

export class Engine {
  /** The parts that all callers share. */
  readonly parts: Parts;
  /** Without a caller no drain is woken behind an answer, and each drain has an invocation of its own: tests and tools drain themselves. */
  readonly caller: Caller | undefined;
  #fleet: Fleet | undefined;
  #store: Store | undefined;
  #spread: Spread | undefined;

  constructor(parts: Parts, caller: Caller | undefined) {
    this.parts = parts;
    this.caller = caller;
  }

  /** The same engine for this caller: the messages that it makes ready wake a drain behind its answer. */
  under(caller: Caller): Engine {
    return new Engine(this.parts, caller);
  }

  get config(): Config {
    return this.parts.config;
  }

  get queues(): ReadonlyMap<string, AnyQueue> {
    return this.parts.queues;
  }

  /** The shards for this caller's own requests to storage, which count for its invocation. */
  get fleet(): Fleet {
    const { shards } = this.parts;
    this.#fleet ??= this.caller ? shards.ofInvocation(this.caller.invocation) : shards.plain;
    return this.#fleet;
  }

  /** The names of those that have not answered this caller, so that what it was told is without theirs. */
  get away(): readonly string[] {
    return this.#fleet ? [...this.#fleet.away] : [];
  }

  /** The first of them: for what has no other place. */
  get shard(): Shard {
    return this.fleet.all[0];
  }

  get store(): Store {
    this.#store ??= this.parts.openStore(this.shard);
    return this.#store;
  }

  /** Where requests are stored: on the shards where their messages belong. */
  get spread(): Spread {
    const { fleet, queues, keepAlive } = this;
    this.#spread ??= fleet.topology.isMany ? openSpread({ fleet, queues, keepAlive }) : this.store;
    return this.#spread;
  }

  /**
   * Has the platform keep this work alive when the answer is sent, or the caller hangs up: otherwise it cancels the work then. Where
   * no platform does that, the work just goes on.
   */
  readonly keepAlive = (work: Promise<unknown>): void => {
    (this.caller?.context ?? FLOATING).waitUntil(work);
  };

  /**
   * Starts a drain behind the answer, where one is wanted, or where work was left for which no drain was woken.
   * @param handOff what it begins with
   * @param woken the shards where there is work, where that is known
   */
  readonly attend = (isWanted: boolean, handOff?: HandOff, woken?: readonly string[]): void => {
    if (this.caller) this.parts.waking.attend(this.caller, isWanted, { handOff, woken });
  };

  /** Stores messages under a span, all or none, and wakes a drain for them. @throws InvalidMessage, StorageError, RequestMismatch */
  enqueue(inputs: MessageInput[], name?: IdempotencyKey, origin: Origin = {}): Promise<EnqueueResult> {
    const spans = this.parts.openSpans?.();
    if (spans && this.caller) this.caller.invocation.requests += 1; // the export of its span
    const accept = (traceparent?: string) => enqueueFor(this, inputs, name, traceparent);
    return tracedEnqueue(spans, inputs, { ...origin, waitUntil: this.keepAlive }, accept);
  }

  /** Stores messages as `enqueue` does, without a span of its own. */
  accept(inputs: MessageInput[], name?: IdempotencyKey): Promise<EnqueueResult> {
    return enqueueFor(this, inputs, name);
  }

  /** Takes messages of pull queues for a consumer. @throws StorageError, RequestMismatch */
  receive(request: ReceiveRequest): Promise<ReceiveAnswer> {
    return consumeFor(this, (on) =>
      this.fleet.topology.isMany
        ? receiveFromFleet({ fleet: this.fleet, queues: this.queues, on }, request)
        : receive(on(this.shard), request),
    );
  }

  /** Settles messages for a consumer, and takes more where it asks for them. @throws StorageError */
  settle(request: SettleRequest): Promise<SettleAnswer> {
    return consumeFor(this, (on) =>
      this.fleet.topology.isMany
        ? settleInFleet({ fleet: this.fleet, queues: this.queues, on }, request)
        : settle(on(this.shard), request),
    );
  }

  /**
   * Drains behind an answer.
   * @returns undefined where a drain is at work under this invocation already: that one looks again
   * @throws StorageError
   */
  drainWoken(): Promise<DrainReport | undefined> {
    return this.parts.waking.drain(this.#invocation);
  }

  /** Begins the drain behind the answer that another one of this deployment has started, at its place. */
  beginDrain(place: number): void {
    if (this.caller) this.parts.waking.begin(this.caller, place);
  }

  /** Fires all timers that are due. @throws StorageError */
  sweep(): Promise<SweepReport> {
    return this.parts.sweeps.sweep(this.#invocation);
  }

  /** Does what cron does: a sweep, then a drain where there is work. @param isAsked whether a request waits for it @throws StorageError */
  tick(isAsked = false): Promise<Tick> {
    return this.parts.sweeps.tick(this.#invocation, isAsked);
  }

  get #invocation(): Invocation {
    return this.caller?.invocation ?? new Invocation();
  }
}
