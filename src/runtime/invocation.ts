/**
 * Invocation: what the platform counts together, all that happens under one ExecutionContext: the requests of enqueues and
 * operators, drains, their handlers.
 */
import type { FetchContext } from './wait-until.ts';

/** Code of the Worker that enqueues may go on with that: so many requests are left to it, or two thirds of a small budget. */
const LEFT_TO_CALLER = 30;
/** Until it has enqueued nothing for so long. */
const CALLER_ENDS_MS = 1_000;

export class Invocation {
  /** Subrequests: those that were made, and those that handlers may make. */
  requests = 0;
  /** Messages whose handlers were started. */
  deliveries = 0;
  /** The platform has refused a subrequest. */
  isSpent = false;
  /** The longest that its drains wait for what is due later, ms. */
  sleepsMs = Number.POSITIVE_INFINITY;
  #enqueued = 0;
  #enqueuedAt = Number.NEGATIVE_INFINITY;

  /** Code of the Worker begins to enqueue, in so many requests, or has done so: 0. */
  noteCaller(requests: number, now: number): void {
    this.#enqueued += requests;
    this.#enqueuedAt = now;
  }

  /** What no drain may use now. @param most the subrequests of the invocation */
  leftToCaller(most: number, clock: () => number): number {
    if (this.#enqueued === 0 || this.callerEndsIn(clock()) === 0) return 0;
    return Math.max(0, Math.min(LEFT_TO_CALLER, Math.floor((most * 2) / 3)) - this.#enqueued);
  }

  /** ms; 0 where there is none, or it seems to have ended. */
  callerEndsIn(now: number): number {
    return Math.max(0, this.#enqueuedAt + CALLER_ENDS_MS - now);
  }
}

const invocations = new WeakMap<FetchContext, Invocation>();

/**
 * The same for the same ExecutionContext of Workers: the platform makes one for each invocation. Another context may live as long as
 * its process, or its Durable Object: what is done there has an invocation of its own each time.
 */
export function findInvocation(context?: FetchContext): Invocation {
  const known = context && invocations.get(context);
  if (known) return known;
  const invocation = new Invocation();
  if (context?.sleepsMs !== undefined) invocation.sleepsMs = context.sleepsMs;
  if (context?.constructor?.name === 'ExecutionContext') invocations.set(context, invocation);
  return invocation;
}
