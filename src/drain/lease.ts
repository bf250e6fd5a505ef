/**
 * Lease: one of those that a drain holds: how many of its messages wait or run, how others ended, and how storage stands to it.
 *
 * There is never more than one sync of it in flight, because its count of entries must be unambiguous: what it holds above what
 * the drain says it holds was lost in transit. Of each other lease storage counts apart, so as many syncs may be in flight.
 */
import { newToken } from '../message/ids.ts';
import type { Settlement } from '../store/encode-settlements.ts';
import type { DrainShard } from './report.ts';

/** How long an outcome may wait for company while other handlers run. */
export const LINGER_MS = 25;
/** The wait between syncs while storage is away grows by so much after each. */
const STORAGE_WAIT_MS = 1_000;
const LEAST_STORAGE_WAIT_MS = 50;

export class Lease {
  /** On which it is. */
  readonly shard: DrainShard;
  name: string;
  /** Until this instant, by the local clock, it surely lasts. */
  leasedUntil = 0;
  lastSyncAt = 0;
  /** Of its messages, those that wait for a handler or have one. */
  held = 0;
  outcomes: Settlement[] = [];
  firstOutcomeAt = 0;
  /** The last sync failed, or its answer was full: it may hold what this drain has not seen. */
  inTransit = false;
  /** The sync that is under way, with the wait behind it where it fails. */
  underWay: Promise<void> | undefined;
  #storageFailures = 0;

  constructor(shard: DrainShard, name = newToken()) {
    this.shard = shard;
    this.name = name;
  }

  /** Nothing is known to be in it: it can be let go of. */
  get isEmpty(): boolean {
    return this.held === 0 && this.outcomes.length === 0 && !this.inTransit;
  }

  /** One of its messages has come to an end. @returns whether it is the first since the last sync */
  settle(outcome: Settlement): boolean {
    this.held -= 1;
    return this.outcomes.push(outcome) === 1;
  }

  /** Ends what a sync has settled. Storage still holds what it refused, so that is settled again. */
  dropSettled(settlements: readonly Settlement[], statuses: readonly string[], now: number): void {
    const refused = settlements.filter((_, index) => statuses[index] === 'refused');
    this.outcomes.splice(0, settlements.length, ...refused);
    this.firstOutcomeAt = now;
  }

  /** It was swept: what it held is another's now, and it goes on under another name. */
  renew(): void {
    this.name = newToken();
    this.held = 0;
    this.outcomes = [];
    this.inTransit = false;
  }

  /** When it wants to be extended. */
  heartbeatAt(leaseMs: number): number {
    return this.lastSyncAt + leaseMs / 3;
  }

  /** When its outcomes have lingered long enough, or it wants to be extended. */
  syncAt(leaseMs: number): number {
    const at = this.heartbeatAt(leaseMs);
    return this.outcomes.length === 0 ? at : Math.min(at, this.firstOutcomeAt + LINGER_MS);
  }

  /** Storage took all of a sync. */
  noteStored(): void {
    this.#storageFailures = 0;
  }

  /** Storage is away, or takes nothing. @returns how long to wait for it, ms: a second more each time, and `mostMs` at most */
  noteStorageFailure(mostMs: number): number {
    this.#storageFailures += 1;
    return Math.max(LEAST_STORAGE_WAIT_MS, Math.min(this.#storageFailures * STORAGE_WAIT_MS, mostMs));
  }
}
