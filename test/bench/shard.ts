/** A shard of a certain size, for the growth: what stands in it, and what is measured of it, again and again. */
import { openEngine } from '../../src/engine.ts';
import { type AnyQueue, defineQueue } from '../../src/index.ts';
import type { PreparedMessage } from '../../src/message/envelope.ts';
import { formatLane, PUSH_POOL } from '../../src/message/lane.ts';
import { openShard as openStorage } from '../../src/redis/shard.ts';
import { connect } from '../../src/redis/undici.ts';
import type { Settlement } from '../../src/store/encode-settlements.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { drainFor } from '../regressions/engines.ts';
import type { Place } from './contender.ts';
import { jsonOf, SETTINGS } from './contenders/sluice-settings.ts';

/** What one drain takes where there is as much: as many at each size, put back after it. Fewer are over too soon to be measured. */
const DRAIN_AT_ONCE = 5_000;
const BATCH = 1_000;
const PARALLEL = 4;
const DAY_MS = 86_400_000;
const HELD_BY_EACH = 500;
const SINGLES = 10;

/** How the ready messages of a shard are spread, and what else is in it. */
export interface Shape {
  ready: number;
  drained?: number;
  queues?: number;
  groups?: number;
  leased?: number;
  delayed?: number;
  dead?: number;
}

export interface Shard {
  prefix: string;
  size: number;
  /** Messages of one drain. */
  drained: number;
  /** Redis' own time for each message of a drain, µs: what the machine does elsewhere is hardly in it. */
  server: number[];
  /** @returns how long a drain took, ms */
  drain(): Promise<number>;
  /** @returns how long each of some single enqueues took, ms */
  enqueueSome(): Promise<number[]>;
  /** @returns how long that took, ms */
  refill(): Promise<number>;
  /** More of the same, ready. */
  put(count: number): Promise<void>;
  /** Of the newest message of each batch that came in, in their order. */
  ids: string[];
  rates: number[];
  refills: number[];
  times: number[];
}

/** Fills it. */
export async function openShard({ emulator }: Place, prefix: string, size: number, shape: Shape): Promise<Shard> {
  const {
    ready,
    drained = Math.min(ready, DRAIN_AT_ONCE),
    queues = 1,
    groups = 1,
    leased = 0,
    delayed = 0,
    dead = 0,
  } = shape;
  const names = Array.from({ length: queues }, (_, i) => `q${i}`);
  const env = {
    ...SETTINGS,
    SLUICE_BATCH: '100',
    SLUICE_PREFIX: prefix,
    SLUICE_DRAIN_MESSAGES: String(drained),
    SLUICE_DEAD_LETTERS: '10000000',
    UPSTASH_REDIS_REST_URL: emulator.url,
    UPSTASH_REDIS_REST_TOKEN: emulator.token,
  };
  const defined = names.map((name): [string, AnyQueue] => [
    name,
    defineQueue(name, { subrequests: 0, handler: () => {} }),
  ]);
  const engine = openEngine(env, new Map(defined), { connect });
  const connection = { url: emulator.url, token: emulator.token, timeoutMs: 60_000 };
  const store = openStore(openStorage({ connection, connect, prefix }), { queues: engine.queues.values() });
  let next = 0;
  const message = (delayMs: number): PreparedMessage => {
    const n = next++;
    const lane = formatLane(5, `q${n % queues}`, groups > 1 ? `g${n % groups}` : undefined);
    return { lane, pool: PUSH_POOL, maxAttempts: 5, delayMs, ttlMs: 0, json: jsonOf(n) };
  };
  const ids: string[] = [];
  const put = async (count: number, delayMs = 0) => {
    let left = count;
    const some = async () => {
      while (left > 0) {
        const length = Math.min(BATCH, left);
        left -= length;
        const answer = await store.enqueue({ messages: Array.from({ length }, () => message(delayMs)) });
        ids.push(answer.ids.at(-1) ?? '');
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, some));
  };
  await bury(store, dead, put);
  await put(delayed, DAY_MS);
  await lease(store, leased, put);
  await put(ready);
  return {
    prefix,
    size,
    drained,
    ids,
    put,
    rates: [],
    refills: [],
    server: [],
    times: [],
    async refill() {
      const start = performance.now();
      await put(drained - SINGLES);
      return performance.now() - start;
    },
    async enqueueSome() {
      const times: number[] = [];
      for (let i = 0; i < SINGLES; i++) {
        const start = performance.now();
        await store.enqueue({ messages: [message(0)] });
        times.push(performance.now() - start);
      }
      return times;
    },
    async drain() {
      const start = performance.now();
      const { acked } = await drainFor(engine, 20_000);
      const ms = performance.now() - start;
      if (acked !== drained) throw new Error(`a drain of ${prefix} acknowledged ${acked} of ${drained}`);
      return ms;
    },
  };
}

/** Consumers elsewhere that hold so many for a day. */
async function lease(store: Store, count: number, put: (count: number) => Promise<void>): Promise<void> {
  for (let left = count; left > 0; left -= HELD_BY_EACH) {
    const want = Math.min(HELD_BY_EACH, left);
    await put(want);
    await store.sync({
      lease: `held${left}`,
      leaseMs: DAY_MS,
      held: 0,
      want,
      pools: [PUSH_POOL],
      settlements: [],
    });
  }
}

/** As many dead letters, each with its failure. */
async function bury(store: Store, count: number, put: (count: number) => Promise<void>): Promise<void> {
  const failure = {
    kind: 'failed',
    text: 'Error: the receiver answered 500 and said that something is wrong',
  } as const;
  for (let left = count; left > 0; left -= BATCH) {
    await put(Math.min(BATCH, left));
    for (let settlements: Settlement[] | undefined; settlements?.length !== 0; ) {
      const request = { lease: 'dying', leaseMs: DAY_MS, held: 0, want: HELD_BY_EACH, pools: [PUSH_POOL] };
      const { taken } = await store.sync({ ...request, settlements: settlements ?? [] });
      settlements = taken.map(({ entry }) => ({ entry, outcome: 'dead', failure }));
    }
  }
}
