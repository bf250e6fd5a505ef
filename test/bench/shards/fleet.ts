/** A fleet of databases for the benchmarks: a redis-server each, the emulator and the proxy that delays in front of it. */
import { openEngine } from '../../../src/engine.ts';
import { type AnyQueue, defineQueue, type Message } from '../../../src/index.ts';
import type { PreparedMessage } from '../../../src/message/envelope.ts';
import { formatLane, PUSH_POOL } from '../../../src/message/lane.ts';
import type { Priority } from '../../../src/message/message.ts';
import { openShard } from '../../../src/redis/shard.ts';
import { connect } from '../../../src/redis/undici.ts';
import { placeName } from '../../../src/shards/placement.ts';
import { openStore } from '../../../src/store/store.ts';
import { jsonOf, PREFIX, SETTINGS, type Settings } from '../contenders/sluice-settings.ts';
import { type FarPlace, openFarPlace } from '../delay/place.ts';
import { type OpenPlace, openPlace } from '../place.ts';

export interface Database {
  name: string;
  near: OpenPlace;
  far: FarPlace;
}

export interface Fleet {
  databases: Database[];
  setRoundTrip(ms: number): Promise<void>;
  clear(): Promise<void>;
  /** This one is gone from its port, for good. */
  end(database: Database): Promise<void>;
  close(): Promise<void>;
}

export async function openFleet(count: number): Promise<Fleet> {
  const databases: Database[] = [];
  const end = async (database: Database) => {
    databases.splice(databases.indexOf(database), 1);
    database.far.close();
    await database.near.close();
  };
  const close = async () => {
    for (const database of [...databases]) await end(database);
  };
  try {
    while (databases.length < count) {
      const near = await openPlace();
      databases.push({ name: `shard-${databases.length + 1}`, near, far: await openFarPlace(near) });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    databases,
    setRoundTrip: async (ms) => void (await Promise.all(databases.map(({ far }) => far.setRoundTrip(ms)))),
    clear: async () => void (await Promise.all(databases.map(({ near }) => near.raw.flushall()))),
    end,
    close,
  };
}

/** The name of a queue that has its home on this one of so many databases. */
export function queueAt(databases: readonly Database[], { name }: Database, prefix: string): string {
  const shards = databases.map((database) => ({ name: database.name, weight: 1 }));
  for (let n = 0; ; n++) {
    if (placeName(`q:${prefix}${n}`, shards) === name) return `${prefix}${n}`;
  }
}

export type Handle = (message: Message) => unknown;

/** One database alone has no list: nothing of several shards is in the way. */
export function settingsOn(databases: readonly Database[], settings: Settings = {}): Record<string, string> {
  const [only] = databases;
  const common = { ...SETTINGS, SLUICE_CONNECTIONS: '40', ...settings };
  if (databases.length === 1 && only) {
    const { url, token } = only.far.emulator;
    return { ...common, UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token };
  }
  const list = databases.map(({ name, far }) => ({ name, url: far.emulator.url, secret: 'BENCH_TOKEN' }));
  return { ...common, SLUICE_SHARDS: JSON.stringify(list), BENCH_TOKEN: 'bench' };
}

/** A drain's engine over these. */
export function engineOn(
  databases: readonly Database[],
  queues: readonly string[],
  settings: Settings = {},
  handler: Handle = () => {},
) {
  const defined = queues.map((name): [string, AnyQueue] => [name, defineQueue(name, { subrequests: 0, handler })]);
  return openEngine(settingsOn(databases, settings), new Map(defined), { connect });
}

const BATCH = 1_000;

/** Puts a backlog where the queue lives, from near. */
export async function fill({ near }: Database, queue: string, count: number, priority: Priority = 5): Promise<void> {
  const { url, token } = near.emulator;
  const shard = openShard({ connection: { url, token, timeoutMs: 60_000 }, connect, prefix: PREFIX });
  const store = openStore(shard);
  for (let from = 0; from < count; from += BATCH) {
    const message = (n: number): PreparedMessage => {
      const lane = formatLane(priority, queue);
      return { lane, pool: PUSH_POOL, maxAttempts: 5, delayMs: 0, ttlMs: 0, json: jsonOf(n) };
    };
    await store.enqueue({
      messages: Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => message(from + i)),
    });
  }
}
