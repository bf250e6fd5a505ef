/** Does Sluice get slower as there is more of something? Drains and single enqueues at each size; the slope is the result. */
import { openEngine } from '../../src/engine.ts';
import { type AnyQueue, defineQueue } from '../../src/index.ts';
import type { PreparedMessage } from '../../src/message/envelope.ts';
import { formatLane, PUSH_POOL } from '../../src/message/lane.ts';
import { openShard as openStorage } from '../../src/redis/shard.ts';
import { connect } from '../../src/redis/undici.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { drainFor } from '../regressions/engines.ts';
import type { Place } from './contender.ts';
import { jsonOf, SETTINGS } from './contenders/sluice-settings.ts';
import { type GrowthLine, quantile, spreadOf } from './figures.ts';

/** What one drain takes where there is as much: as many at each size, put back after it. Fewer are over too soon to be measured. */
const DRAIN_AT_ONCE = 5_000;
const BATCH = 1_000;
const DAY_MS = 86_400_000;
const HELD_BY_EACH = 500;
const SINGLES = 10;

/** How the ready messages of a shard are spread, and what else is in it. */
interface Shape {
  ready: number;
  drained?: number;
  queues?: number;
  groups?: number;
  leased?: number;
  delayed?: number;
}

interface Dimension {
  name: string;
  sizes: number[];
  shape(size: number): Shape;
}

const upTo = (most: number, from: number) => {
  const sizes = [];
  for (let size = from; size <= most; size *= 10) sizes.push(size);
  return sizes;
};

/** @param scale 1, or less for a quick look: the largest sizes become that much smaller */
function dimensionsOf(scale: number): Dimension[] {
  return [
    { name: 'backlog', sizes: upTo(1_000_000 * scale, 1_000), shape: (ready) => ({ ready, drained: 1_000 }) },
    { name: 'queues', sizes: upTo(10_000 * scale, 1), shape: (queues) => ({ ready: 100_000 * scale, queues }) },
    { name: 'groups', sizes: upTo(100_000 * scale, 1), shape: (groups) => ({ ready: 100_000 * scale, groups }) },
    { name: 'in flight', sizes: [1, ...upTo(100_000 * scale, 1_000)], shape: (leased) => ({ ready: 10_000, leased }) },
    {
      name: 'delayed',
      sizes: [1, ...upTo(1_000_000 * scale, 1_000)],
      shape: (delayed) => ({ ready: 10_000, delayed }),
    },
  ];
}

interface Shard {
  size: number;
  /** Messages of one drain. */
  drained: number;
  /** Redis' own time for each message of a drain, µs: what the machine does elsewhere is hardly in it. */
  server: number[];
  /** @returns how long a drain took, ms */
  drain(): Promise<number>;
  /** @returns how long each of some single enqueues took, ms */
  enqueueSome(): Promise<number[]>;
  refill(): Promise<void>;
  rates: number[];
  times: number[];
}

export async function measureGrowth(
  place: Place,
  { rounds, scale }: { rounds: number; scale: number },
  say: (step: string) => void,
): Promise<GrowthLine[]> {
  const lines: GrowthLine[] = [];
  for (const { name, sizes, shape } of dimensionsOf(scale)) {
    await place.raw.flushall();
    const shards: Shard[] = [];
    for (const size of sizes) {
      say(`growth, ${name}: filling ${size.toLocaleString('en-US')}`);
      shards.push(await openShard(place, `${name.replace(' ', '-')}.${size}`, size, shape(size)));
    }
    for (let round = -1; round < rounds; round++) {
      // one to warm up
      say(`growth, ${name}: round ${round + 1} of ${rounds}`);
      for (let turn = 0; turn < shards.length; turn++) {
        await measureShard(place, shards[(turn + round + 1) % shards.length] as Shard, round >= 0);
      }
    }
    lines.push({ dimension: name, points: shards.map(pointOf) });
  }
  return lines;
}

async function measureShard({ raw }: Place, shard: Shard, counts: boolean): Promise<void> {
  const times = await shard.enqueueSome();
  const before = await scriptMicros(raw);
  const ms = await shard.drain();
  const micros = (await scriptMicros(raw)) - before;
  await shard.refill();
  if (!counts) return;
  shard.times.push(...times);
  shard.server.push(micros / shard.drained);
  shard.rates.push((shard.drained / ms) * 1_000);
}

async function scriptMicros(raw: Place['raw']): Promise<number> {
  return Number(/cmdstat_evalsha:calls=\d+,usec=(\d+)/.exec(await raw.info('commandstats'))?.[1] ?? 0);
}

function pointOf({ size, rates, times, server }: Shard) {
  const sorted = times.toSorted((a, b) => a - b);
  return {
    size,
    rate: spreadOf(rates),
    serverMicros: spreadOf(server).median,
    p50: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
  };
}

async function openShard({ emulator }: Place, prefix: string, size: number, shape: Shape): Promise<Shard> {
  const { ready, drained = Math.min(ready, DRAIN_AT_ONCE), queues = 1, groups = 1, leased = 0, delayed = 0 } = shape;
  const names = Array.from({ length: queues }, (_, i) => `q${i}`);
  const env = {
    ...SETTINGS,
    SLUICE_BATCH: '100',
    SLUICE_PREFIX: prefix,
    SLUICE_DRAIN_MESSAGES: String(drained),
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
  const put = async (count: number, delayMs = 0) => {
    for (let left = count; left > 0; left -= BATCH) {
      await store.enqueue({ messages: Array.from({ length: Math.min(BATCH, left) }, () => message(delayMs)) });
    }
  };
  await put(delayed, DAY_MS);
  await lease(store, leased, put);
  await put(ready);
  return {
    size,
    drained,
    rates: [],
    server: [],
    times: [],
    refill: () => put(drained - SINGLES),
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
