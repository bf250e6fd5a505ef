/**
 * Budget: what one drain may use. The platform ends an invocation that uses more, and nothing local enforces it, so the
 * drain counts for itself, together with what else happens under its invocation.
 *
 * Pure but for the clock it is given.
 */
import { Invocation } from '../runtime/invocation.ts';
import { AWAKENING_MS, type Life, RESERVED_MS } from './life.ts';

export interface Limits extends Life {
  /** Subrequests of the invocation, those of handlers included. */
  requests: number;
  /** How many shards its drain serves: each has a lease at least. Left out: one. */
  shards?: number;
  /** The fewest subrequests that a queue here gives a delivery: no more messages are taken than could fit by it. */
  requestsPerDelivery: number;
  /** Messages started under the invocation. */
  messages: number;
}

export interface Budget {
  readonly invocation: Invocation;
  /** Counts one request to storage. */
  onRequest(): void;
  /**
   * Counts a delivery and the subrequests its handler may make. False where they do not fit: nothing is counted, and the
   * budget is closed, because what is less urgent and smaller must not go before it.
   */
  admit(requests: number): boolean;
  /** Closes the budget: no message is taken or started from now on. */
  close(): void;
  /** Keeps back what as many leases need at its end. It begins with one for each shard. */
  holdLeases(count: number): void;
  /** Whether what one lease more keeps back is little of what there is. */
  affordsLease(): boolean;
  /** Whether looks at shards that may have nothing are little of what there is. */
  affordsLooks(): boolean;
  /** Counts requests that are for no delivery, and that can be left undone. False where they do not fit. */
  afford(requests: number): boolean;
  /**
   * How many deliveries may still fit, with enough left to settle what is held.
   * @param atHand the subrequests that each message may make that was taken and waits
   */
  deliveriesLeft(atHand?: readonly number[]): number;
  /** No message is taken or started any more. @param now where the caller has looked at the clock already */
  isClosing(now?: number): boolean;
  msLeft(): number;
  msToClosing(): number;
  /** How long the drain may sleep and still take a message then, ms. */
  msToSleep(): number;
  /** How long a handler may run that starts now. @param now where the caller has looked at the clock already */
  msForHandler(now?: number): number;
  /** Its process is told to end: what is held is settled at once, and a delivery that is cut off is no attempt of its message. */
  readonly isStopped?: boolean;
  /** Called then for each of those. */
  onCutOff?(): void;
  /** No handler runs any more: what settles their outcomes has as long as a drain that ran none. */
  finish(): void;
  /** What this drain has used. */
  used(): { requests: number; messages: number; ms: number };
}

/** Of each lease: one sync to settle, one to release, and one repetition of each. */
const RESERVED_REQUESTS = 4;
/** With fewer than so many left a drain begins no further lease: they end before the round trips that it saves count. */
const LEASE_REQUESTS = 100;
/** With fewer than so many left it looks seldom: twenty looks a second would be all of them. */
const LOOK_REQUESTS = 300;

/** @param start when its time began */
export function openBudget(
  limits: Limits,
  clock: () => number,
  invocation: Invocation = new Invocation(),
  start: number = clock(),
): Budget {
  const { sleepsMs = Number.POSITIVE_INFINITY, shards = 1 } = limits;
  const closingAt = start + limits.takesMs;
  let endAt = start + limits.livesMs;
  let requests = 0;
  let messages = 0;
  let closed = false;
  let reserved = shards * RESERVED_REQUESTS;
  const requestsLeft = () =>
    limits.requests - invocation.requests - invocation.leftToCaller(limits.requests, clock) - reserved;
  const count = (more: number) => {
    requests += more;
    invocation.requests += more;
  };
  const budget: Budget = {
    invocation,
    onRequest: () => count(1),
    admit: (promised) => {
      closed ||= invocation.isSpent || promised > requestsLeft() || invocation.deliveries >= limits.messages;
      if (closed) return false;
      messages += 1;
      invocation.deliveries += 1;
      count(promised);
      return true;
    },
    close: () => {
      closed = true;
    },
    holdLeases: (count) => {
      reserved = Math.max(shards, count) * RESERVED_REQUESTS;
    },
    affordsLease: () => requestsLeft() >= LEASE_REQUESTS,
    affordsLooks: () => requestsLeft() >= LOOK_REQUESTS,
    afford: (wanted) => {
      const fits = wanted <= requestsLeft();
      if (fits) count(wanted);
      return fits;
    },
    deliveriesLeft: (atHand = []) => {
      const left = requestsLeft() - atHand.reduce((sum, promised) => sum + promised, 0);
      if (left <= 0) return 0;
      const fit = Math.floor(left / limits.requestsPerDelivery); // Infinity where handlers make none
      return Math.max(0, Math.min(fit, limits.messages - invocation.deliveries - atHand.length));
    },
    isClosing: (now = clock()) => closed || invocation.isSpent || now >= closingAt || budget.deliveriesLeft() === 0,
    msLeft: () => endAt - clock(),
    msToClosing: () => closingAt - clock(),
    msToSleep: () => Math.max(0, Math.min(sleepsMs, invocation.sleepsMs, closingAt - clock() - AWAKENING_MS)),
    msForHandler: (now = clock()) => start + limits.livesMs - RESERVED_MS - now,
    finish: () => {
      endAt = Math.min(endAt, clock() + limits.settlesMs);
    },
    used: () => ({ requests, messages, ms: clock() - start }),
  };
  return budget;
}
