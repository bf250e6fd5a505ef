// One suite on every Redis that is present: the embedded one, a real server, and a cluster, each behind the emulator.
import { Cluster, Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from 'vitest';
import { startEmbeddedRedis } from '../../src/dev/emulator/embedded.ts';
import type { Refuse } from '../../src/dev/emulator/refusals.ts';
import { type Emulator, type EmulatorOptions, startEmulator } from '../../src/dev/emulator/server.ts';
import type { PreparedMessage } from '../../src/message/envelope.ts';
import { formatLane } from '../../src/message/lane.ts';
import type { Priority } from '../../src/message/message.ts';
import { encodeLimitedQueues } from '../../src/queue/limits.ts';
import { connectBy } from '../../src/redis/protocol.ts';
import type { Runner } from '../../src/redis/runner.ts';
import type { Connect } from '../../src/redis/send.ts';
import { type Shard as OpenShard, openShard } from '../../src/redis/shard.ts';
import { connect as connectByHttp } from '../../src/redis/undici.ts';
import { type AdminStore, openAdminStore } from '../../src/store/admin.ts';
import type { Finding } from '../../src/store/audit.ts';
import { audit } from '../../src/store/audit.ts';
import type { Settlement } from '../../src/store/encode-settlements.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import type { SyncAnswer, SyncRequest } from '../../src/store/sync.ts';
import {
  FRONT,
  type RedisCluster,
  redisServerPresent,
  startFrontedServer,
  startRedisCluster,
  startRedisServer,
} from './redis-server.ts';
import { readShard, type Shard, violations } from './shard.ts';
import { checkingRunner } from './touched.ts';

export interface Redises {
  emulator: Emulator;
  /** Straight to Redis, past the emulator. */
  raw: Redis | Cluster;
  /** What storage refuses inside scripts, now. */
  refuse?: Refuse;
  /** How the emulator was started: another before the same Redis counts for itself. */
  options: EmulatorOptions;
  stop(): Promise<void>;
}

type Start = (options?: Partial<EmulatorOptions>) => Promise<Redises>;

export const startEmbedded: Start = async (options) => {
  const embedded = await startEmbeddedRedis();
  return start(embedded, new Redis(embedded.url), { ...options, commandsProcessed: embedded.commandsProcessed });
};

export const startServer: Start = async (options) => {
  const server = FRONT === undefined ? await startRedisServer() : await startFrontedServer(FRONT);
  return start({ url: server.url, close: server.stop }, new Redis(server.url), options);
};

/** One for all files of a worker of Vitest: it takes seconds to start. */
let cluster: Promise<RedisCluster> | undefined;

const startCluster: Start = async (options) => {
  cluster ??= startRedisCluster().then(endWithWorker);
  const { url } = await cluster;
  const nodes = url.replace('redis+cluster://', '').split(',');
  const raw = new Cluster(nodes.map((node) => ({ host: node.split(':')[0] ?? '', port: Number(node.split(':')[1]) })));
  await raw.ping(); // from then on it knows its nodes
  // As when it had just started, whatever the file before has left.
  for (const node of raw.nodes('master')) await node.multi().flushall().script('FLUSH').exec();
  return start({ url, close: async () => {} }, raw, options);
};

/** Vitest ends its workers by this signal. */
function endWithWorker(started: RedisCluster): RedisCluster {
  process.once('SIGTERM', () => {
    for (const node of started.nodes) node.endNow();
    process.kill(process.pid, 'SIGTERM'); // nobody listens for it any more
  });
  return started;
}

async function start(
  redis: { url: string; close(): Promise<void> },
  raw: Redis | Cluster,
  given?: Partial<EmulatorOptions>,
): Promise<Redises> {
  const refuse: Refuse = (call) => redises.refuse?.(call);
  const options = { url: redis.url, token: 'local', refuse, ...given };
  const emulator = await startEmulator(options);
  const redises: Redises = {
    emulator,
    raw,
    options,
    stop: async () => {
      await emulator.close();
      raw.disconnect();
      await redis.close();
    },
  };
  return redises;
}

/** Which kinds of Redis there are here. What is missing is printed once, by whoever runs the suite. */
const KINDS: { name: string; start: Start; present: boolean }[] = [
  { name: 'the embedded Redis', start: startEmbedded, present: true },
  { name: 'redis-server', start: startServer, present: redisServerPresent() },
  { name: 'a Redis Cluster of three masters', start: startCluster, present: redisServerPresent() },
];
/** With something in front of the server that is what is tried, and nothing else. */
const kinds = FRONT === undefined ? KINDS : KINDS.filter(({ name }) => name === 'redis-server');

/** Of each kind a file has one, and each test a shard of its own. */
const running = new Map<string, Promise<Redises>>();

async function shared({ name, start }: (typeof kinds)[0]): Promise<Redises> {
  const started = running.get(name) ?? start();
  running.set(name, started);
  return started;
}

async function stopAll(): Promise<void> {
  const started = [...running.values()];
  running.clear();
  for (const redises of started) await (await redises).stop();
}

export function onEachRedis(
  title: string,
  suite: (bench: () => Bench) => void,
  names = kinds.map(({ name }) => name),
  atOnce = false,
): void {
  afterAll(stopAll);
  for (const kind of kinds.filter(({ name }) => names.includes(name))) {
    const { name, present } = kind;
    if (!present) console.warn(`skipped: ${title} on ${name}: no redis-server on the PATH`);
    const describeKind = present ? describe : describe.skip;
    describeKind(`${title}, on ${name}`, { concurrent: atOnce }, () => {
      let redises: Redises;
      let bench: Bench;
      beforeAll(async () => {
        redises = await shared(kind);
      }, 60_000);
      beforeEach(() => {
        bench = new Bench(redises);
      });
      afterEach(async () => {
        expect(await bench.violations()).toEqual([]);
      });
      suite(() => bench);
    });
  }
}

type OwnShard = (run: (bench: Bench) => Promise<void>) => Promise<void>;

/** For tests that mostly wait: all of them, on all kinds, run at once, each on a shard and behind an emulator of its own. */
export function onEachRedisAtOnce(title: string, suite: (own: OwnShard) => void): void {
  const names = kinds.map(({ name }) => name);
  onEachRedis(title, (bench) => suite((run) => onItsOwn(bench().redises, run)), names, true);
}

async function onItsOwn(shared: Redises, run: (bench: Bench) => Promise<void>): Promise<void> {
  const emulator = await startEmulator(shared.options);
  try {
    const own = new Bench({ ...shared, emulator });
    await run(own);
    expect(await own.violations()).toEqual([]);
  } finally {
    await emulator.close();
  }
}

/**
 * To the emulator without HTTP: what it does and answers is the same. For suites of many thousand calls, to which HTTP adds nothing
 * but time.
 */
export const straightTo =
  (emulator: Emulator): Connect =>
  (connection) =>
    connectBy(async (_, { body }) => ({ ...(await emulator.answer(body)), header: () => undefined }), connection);

let benches = 0;

/** A fresh shard with its own clock, which knows what was enqueued and what was acked, so that nothing can go unseen. */
export class Bench {
  readonly prefix = `t${process.pid}-${benches++}`;
  readonly root = `{${this.prefix}}:`;
  /** The clock of the scripts, epoch ms. */
  now = 1_800_000_000_000;
  readonly alive = new Set<string>();
  readonly unordered = new Set<string>();
  /** Keys that scripts touched though neither their callers declared them nor their cards. */
  readonly undeclared = new Set<string>();
  readonly redises: Redises;
  readonly #connect: Connect;
  store: Store;

  constructor(redises: Redises, connect: Connect = connectByHttp) {
    this.redises = redises;
    this.#connect = connect;
    this.store = this.openStore(() => this.now);
  }

  openStore(clock?: () => number, prefix = this.prefix, drained: string[] = [], policies = ''): Store {
    const queues = drained.map((name) => ({ name, pool: '*' }));
    return openStore(this.opened(this.runner(), clock, prefix), { queues, policies });
  }

  /** From now on the deployment has these policies. */
  deploy(...queues: { name: string; pool: string; policy: string }[]): void {
    this.store = this.openStore(() => this.now, this.prefix, [], encodeLimitedQueues(queues));
  }

  adminStore(runner = this.runner()): AdminStore {
    return openAdminStore(this.opened(runner, () => this.now));
  }

  /** For whatever is opened on a shard. @param clock left out: the server's */
  opened(runner = this.runner(), clock?: () => number, prefix = this.prefix): OpenShard {
    return { ...this.#plain(prefix, clock), run: runner.run };
  }

  /** Checks what the cards of the scripts say of their keys. */
  runner(): Runner {
    return checkingRunner(this.plainRunner(), (undeclared) => this.undeclared.add(undeclared));
  }

  plainRunner(): Runner {
    return this.#plain(this.prefix);
  }

  #plain(prefix: string, clock?: () => number): OpenShard {
    return openShard({
      connection: { url: this.redises.emulator.url, token: 'local', timeoutMs: 5_000 },
      connect: this.#connect,
      prefix,
      clock,
    });
  }

  message(
    queue: string,
    body: unknown,
    options: Partial<PreparedMessage> & { priority?: Priority; group?: string } = {},
  ): PreparedMessage {
    const { priority = 5, group, ...rest } = options;
    const lane = formatLane(priority, queue, group);
    return { lane, pool: '*', maxAttempts: 5, delayMs: 0, ttlMs: 0, json: JSON.stringify({ body }), ...rest };
  }

  async enqueue(...messages: PreparedMessage[]): Promise<string[]> {
    const { ids } = await this.store.enqueue({ messages });
    this.expectAlive(ids, messages);
    return ids;
  }

  expectAlive(ids: string[], messages: PreparedMessage[]): void {
    ids.forEach((id, i) => {
      this.alive.add(id);
      if (messages[i]?.delayMs || messages[i]?.notBefore) this.unordered.add(id);
    });
  }

  /** A sync, with whatever it acks taken off the books. */
  async sync(request: Partial<SyncRequest>): Promise<SyncAnswer> {
    const defaults = { lease: 'a', leaseMs: 30_000, held: 0, want: 0, pools: ['*'], settlements: [] as Settlement[] };
    const full = { ...defaults, ...request };
    const answer = await this.store.sync(full);
    full.settlements.forEach(({ entry, outcome }, i) => {
      if (answer.statuses[i] === 'acked') this.alive.delete(entry.slice(entry.indexOf('.') + 1));
      if (outcome === 'release') this.unordered.add(entry.slice(entry.indexOf('.') + 1));
    });
    return answer;
  }

  async take(want: number, lease = 'a', request: Partial<SyncRequest> = {}): Promise<string[]> {
    return (await this.sync({ lease, want, ...request })).taken.map(({ entry }) => entry);
  }

  shard(): Promise<Shard> {
    return readShard(this.redises.raw, this.root);
  }

  async violations(): Promise<string[]> {
    return [...this.undeclared, ...violations(await this.shard(), this)];
  }

  /** What `work` costs: billed commands and HTTP requests. */
  async cost(work: () => Promise<unknown>): Promise<{ commands: number; requests: number }> {
    const { emulator } = this.redises;
    const before = { commands: await emulator.billed(), requests: emulator.requests() };
    await work();
    return { commands: (await emulator.billed()) - before.commands, requests: emulator.requests() - before.requests };
  }
}

/** All pages of an audit that mends: other files may have left keys in the Redis that this one shares with them. */
export async function auditWhole(store: Store, isDeep = false): Promise<Finding[]> {
  const findings: Finding[] = [];
  let cursor = '0';
  do {
    const page = await audit(store, cursor, true, isDeep);
    findings.push(...page.findings);
    cursor = page.cursor;
  } while (cursor !== '0');
  return findings;
}
