/** The engine: one deployment's queues on its Redis, as one caller has it: a request, a tick, or code of the Worker. */
import {
  type ReceiveAnswer,
  type ReceiveRequest,
  receive,
  type SettleAnswer,
  type SettleRequest,
  settle,
} from './broker/consumer.ts';
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
import type { Store } from './store/store.ts';
import { type Origin, tracedEnqueue } from './telemetry/traced.ts';

/** @throws BadSettings */
export function openEngine(env: object, queues: ReadonlyMap<string, AnyQueue>, options: EngineOptions = {}): Engine {
  return new Engine(openParts(env, queues, options), undefined);
}

export class Engine {
  /** What all callers share. */
  readonly parts: Parts;
  /** Without one nothing wakes by itself, and each drain has an invocation of its own: whoever asks drains. */
  readonly caller: Caller | undefined;
  #shard: Shard | undefined;
  #store: Store | undefined;

  constructor(parts: Parts, caller: Caller | undefined) {
    this.parts = parts;
    this.caller = caller;
  }

  /** The same as this caller has it: what it makes ready wakes a drain behind its answer. */
  under(caller: Caller): Engine {
    return new Engine(this.parts, caller);
  }

  get config(): Config {
    return this.parts.config;
  }

  get queues(): ReadonlyMap<string, AnyQueue> {
    return this.parts.queues;
  }

  /** For whatever this caller opens: what is asked on it is counted. */
  get shard(): Shard {
    const { shards } = this.parts;
    this.#shard ??= this.caller ? shards.ofInvocation(this.caller.invocation) : shards.all[0];
    return this.#shard;
  }

  get store(): Store {
    this.#store ??= this.parts.openStore(this.shard);
    return this.#store;
  }

  /**
   * Sees to it that this ends though the answer is sent, or the caller hangs up: the platform cancels all else then. Where no platform
   * keeps anything alive it just goes on.
   */
  readonly keepAlive = (work: Promise<unknown>): void => {
    (this.caller?.context ?? FLOATING).waitUntil(work);
  };

  /** Starts a drain behind the answer, where one is wanted or work was left that nobody was woken for. */
  readonly attend = (isWanted: boolean): void => {
    if (this.caller) this.parts.waking.attend(this.caller, isWanted);
  };

  /** @throws InvalidMessage, StorageError, RequestMismatch */
  enqueue(inputs: MessageInput[], name?: IdempotencyKey, origin: Origin = {}): Promise<EnqueueResult> {
    const spans = this.parts.openSpans?.();
    if (spans && this.caller) this.caller.invocation.requests += 1; // the export of its span
    const accept = (traceparent?: string) => enqueueFor(this, inputs, name, traceparent);
    return tracedEnqueue(spans, inputs, { ...origin, waitUntil: this.keepAlive }, accept);
  }

  /** The same without a span. */
  accept(inputs: MessageInput[], name?: IdempotencyKey): Promise<EnqueueResult> {
    return enqueueFor(this, inputs, name);
  }

  /** @throws StorageError, RequestMismatch */
  receive(request: ReceiveRequest): Promise<ReceiveAnswer> {
    return consumeFor(this, (consuming) => receive(consuming, request));
  }

  /** @throws StorageError */
  settle(request: SettleRequest): Promise<SettleAnswer> {
    return consumeFor(this, (consuming) => settle(consuming, request));
  }

  /** Behind an answer. @returns undefined where one is at work under this invocation, which looks again. @throws StorageError */
  drainWoken(): Promise<DrainReport | undefined> {
    return this.parts.waking.drain(this.#invocation);
  }

  /** @throws StorageError */
  sweep(): Promise<SweepReport> {
    return this.parts.sweeps.sweep(this.#invocation);
  }

  /** What cron does. @param isAsked by a request, which waits for it. @throws StorageError */
  tick(isAsked = false): Promise<Tick> {
    return this.parts.sweeps.tick(this.#invocation, isAsked);
  }

  get #invocation(): Invocation {
    return this.caller?.invocation ?? new Invocation();
  }
}
