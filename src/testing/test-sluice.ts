/** A test's Sluice: the real engine and the real scripts, on a Redis of its own in this process, in a time of its own. */
import { findMakings } from '../engine/makings.ts';
import { openParts, type Parts } from '../engine/parts.ts';
import type { Tick } from '../engine/sweeps.ts';
import { Engine } from '../engine.ts';
import { type Duration, toMs } from '../formats/duration.ts';
import type { Caller } from '../runtime/caller.ts';
import { createSluice, type Sluice, type SluiceOptions } from '../sluice.ts';
import type { State } from '../store/admin-messages.ts';
import { openClock, type TestClock } from './clock.ts';
import {
  type EnqueuedMessage,
  readQueue,
  refuseMessage,
  requireMessage,
  type TestedQueue,
  type WantedMessage,
} from './enqueued.ts';
import { replaceEngine } from './replaced.ts';
import { MOST_IN_A_CALL, openServerClock } from './server-clock.ts';
import { openTestStorage } from './storage.ts';
import { type DrainSummary, openTimeline, type Timeline } from './timeline.ts';

export interface TestOptions<Given extends object = object> {
  /** Bindings of the deployment, such as secrets and settings, for handlers and for Sluice. */
  env?: Given;
  /** When the test begins: epoch ms, ISO 8601 or a Date. Default: now. */
  now?: number | string | Date;
}

export interface TestSluice<Env extends object = object, Given extends object = object> {
  /** What it was made of. As long as this one is open it works on the test's storage, whichever environment it is given. */
  sluice: Sluice<Env>;
  /** Its environment: `options.env`, and what makes it a deployment of its own. `SLUICE_TOKEN` may do everything. */
  env: Env & Given & Settings;
  /**
   * The messages of a queue, as their next deliveries would come.
   * @param state default: `ready`, `delayed` and `leased`, which are still to be delivered; `dead` are dead letters
   * @throws RangeError where there is no such queue
   */
  enqueued<Body>(queue: TestedQueue<Body>, state?: State): Promise<EnqueuedMessage<Body>[]>;
  /**
   * Handles what is ready now, and what that enqueues, until nothing is ready. The time stands still meanwhile.
   * @returns what became of it: `{ delivered, acked, retried, dead, failed: [{ queue, body, attempt, kind, text }] }`
   * @throws Error where a handler enqueues to itself again and again
   */
  drain(): Promise<DrainSummary>;
  /**
   * Lets so much time go by, and handles what becomes due at its very instant and in its order: delays, retries, schedules, leases.
   * What is ready now is handled first.
   * @returns what became of all of it, as of `drain`
   * @example await tested.advance('1d')
   */
  advance(duration: Duration): Promise<DrainSummary>;
  /** The time of the test, epoch ms. */
  now(): number;
  /**
   * @returns the first message of the queue that is as wanted
   * @throws AssertionError that shows what the queue holds
   * @example await tested.expectEnqueued(mail, { body: { to: 'ada@example.com' }, delay: '10m' })
   */
  expectEnqueued<Body>(queue: TestedQueue<Body>, wanted?: WantedMessage<Body>): Promise<EnqueuedMessage<Body>>;
  /** @throws AssertionError where the queue holds a message that is like this; without `wanted`, any */
  expectNotEnqueued<Body>(queue: TestedQueue<Body>, wanted?: WantedMessage<Body>): Promise<void>;
  /** Ends it: the Sluice that it was made of, and `Date`, are as before. Handlers that still run are aborted. */
  close(): void;
}

/** What makes an environment of a test a deployment. The storage is in this process: the address is nobody's. */
const SETTINGS = {
  UPSTASH_REDIS_REST_URL: 'http://storage.invalid',
  UPSTASH_REDIS_REST_TOKEN: 'none',
  SLUICE_TOKEN: 'the-token-of-a-test-may-do-everything',
  SLUICE_DESTINATION_LOCAL: 'true', // receivers may be in this process too
  SLUICE_CONCURRENCY: '1', // so that the order is that of the queues
  SLUICE_BATCH: String(MOST_IN_A_CALL),
  SLUICE_DRAIN_REQUESTS: '10000000',
  SLUICE_DRAIN_MESSAGES: '10000', // at one instant; more is a handler that has no end
  SLUICE_LEASE_MS: '43200000', // a drain cannot die here
};

type Settings = { [Name in keyof typeof SETTINGS]: string };

/** Nobody wakes a drain: a test says when messages are handled. And no tick waits: the time stands still. */
class TestEngine extends Engine {
  readonly #timeline: Timeline;

  constructor(parts: Parts, caller: Caller | undefined, timeline: Timeline) {
    super(parts, caller);
    this.#timeline = timeline;
  }

  override under({ context: _, ...caller }: Caller): Engine {
    return new TestEngine(this.parts, caller, this.#timeline);
  }

  override tick(): Promise<Tick> {
    return this.#timeline.tick();
  }
}

/**
 * Opens a test on queues: what is enqueued stays until the test drains, or puts the time forward. Until `close`, `Date` tells the
 * time of the test, which stands still. Several may be open at once.
 * @param of the Sluice that is tested, or what one is made of
 * @throws MissingPeer where the package js-redis-server is not installed; BadSettings
 * @example
 * const tested = await createTestSluice(sluice, { now: '2030-01-01T08:59:00Z' });
 * await sluice.producer(tested.env).enqueue(mail, { to: 'ada@example.com' });
 * await tested.expectEnqueued(mail, { body: { to: 'ada@example.com' } });
 * await tested.drain();
 * tested.close();
 */
export async function createTestSluice<Env extends object = object, Given extends object = object>(
  of: Sluice<Env> | SluiceOptions,
  { env: given, now }: TestOptions<Given> = {},
): Promise<TestSluice<Env, Given>> {
  const sluice = 'queues' in of ? createSluice<Env>(of) : of;
  const { queues, options, engines } = findMakings(sluice);
  const env = { ...SETTINGS, ...given } as TestSluice<Env, Given>['env'];
  const clock = openClock(now === undefined ? undefined : readInstant(now));
  try {
    const send = await openTestStorage(clock);
    const server = openServerClock(clock);
    const parts = openParts(env, queues, { ...options, connect: () => send, clock: server.now });
    const timeline = openTimeline(new Engine(parts, undefined), clock, server);
    const engine = new TestEngine(parts, undefined, timeline);
    await clock.run(timeline.begin);
    const putBack = replaceEngine(engines, { env, engine });
    const close = () => {
      timeline.end();
      putBack();
      clock.close();
    };
    return { sluice, env, close, ...openMoves(engine, timeline, clock) };
  } catch (error) {
    clock.close();
    throw error;
  }
}

/** What a test does with it, each under the test's own clock. */
function openMoves(engine: Engine, timeline: Timeline, clock: TestClock): Omit<TestSluice, 'sluice' | 'env' | 'close'> {
  return {
    now: clock.now,
    enqueued: (queue, state) => clock.run(() => readQueue(engine, queue, state)),
    drain: () => clock.run(timeline.drain),
    advance: (duration) => clock.run(async () => timeline.advance(toMs(duration, 'the duration'))),
    expectEnqueued: (queue, wanted = {}) => clock.run(() => requireMessage(engine, clock.now(), queue, wanted)),
    expectNotEnqueued: (queue, wanted = {}) => clock.run(() => refuseMessage(engine, clock.now(), queue, wanted)),
  };
}

/** @throws RangeError where it is no instant */
function readInstant(now: NonNullable<TestOptions['now']>): number {
  const at = new Date(now).getTime();
  if (Number.isNaN(at)) throw new RangeError(`now must be epoch ms, ISO 8601 or a Date; got ${JSON.stringify(now)}`);
  return at;
}
