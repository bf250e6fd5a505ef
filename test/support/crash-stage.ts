/**
 * A stage for Workers that die: one Redis and one emulator for a whole file, and as many Workers as wanted, each on a
 * prefix of its own, so that many stories run side by side without meeting.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Bundle } from '../../src/dev/bundle.ts';
import { startEmbeddedRedis } from '../../src/dev/emulator/embedded.ts';
import type { Fault } from '../../src/dev/emulator/faults.ts';
import { type Emulator, startEmulator } from '../../src/dev/emulator/server.ts';
import { tokensSetting } from '../../src/dev/stack.ts';
import { type LocalWorker, startWorker } from '../../src/dev/worker.ts';
import { formatLane } from '../../src/message/lane.ts';
import type { Priority } from '../../src/message/message.ts';
import { openShard } from '../../src/redis/shard.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { builtOnce } from './built-once.ts';
import { redisServerPresent, startRedisServer } from './redis-server.ts';
import { readShard, type Shard, violations } from './shard.ts';
import { eventually } from './worker.ts';

/** One delivery that reached the outside world. */
export interface Arrival {
  id: string;
  attempt: number;
  /** Whether the world took it; otherwise it asked to come again in a second. */
  taken: boolean;
}

export interface Stage {
  emulator: Emulator;
  story(name: string, env?: Record<string, string>): Story;
  close(): Promise<void>;
}

/** A shard, its Workers, and what came out of them. */
export interface Story {
  store: Store;
  arrivals: Arrival[];
  logs: string[];
  /** Commands that Redis has executed for it. */
  executed: number;
  /** The first delivery of these is not taken. */
  failing: Set<string>;
  /** How long the world takes to answer, ms. */
  answerMs: number;
  /** Asked for each storage request of this shard, the test's own included: set it when those are done. */
  onRequest: ((command: string[]) => Fault | undefined) | undefined;
  enqueue(count: number, queue?: string, priority?: Priority): Promise<string[]>;
  startWorker(): Promise<LocalWorker>;
  /** POST with a token of every scope. */
  post(worker: LocalWorker, path: string, body: unknown, init?: RequestInit): Promise<Response>;
  shard(): Promise<Shard>;
  /** What storage refused to move, and so was put off for a minute, is due now. */
  bringForward(): Promise<void>;
  /** As when their time has passed: no Worker is alive that would extend them. */
  lapseLeases(): Promise<void>;
  /** Ticks until nothing is left but what is remembered for a while. */
  drainWith(worker: LocalWorker, ids: Iterable<string>): Promise<void>;
  /** What does not hold, where every id was delivered and acked. */
  violations(): Promise<string[]>;
}

/** So many stories at once: they wait a good part of their time. */
const ABREAST = 5;

/**
 * Runs `point` undisturbed, and then for each storage call that it made.
 * @param point given which of its storage calls is disturbed, from 1; Infinity: none. It answers how many it made
 * @returns how many there are
 */
export async function atEachCall(point: (n: number) => Promise<number>): Promise<number> {
  const calls = await point(Number.POSITIVE_INFINITY);
  let next = 1;
  const goOn = async () => {
    while (next <= calls) await point(next++);
  };
  await Promise.all(Array.from({ length: ABREAST }, goOn));
  return calls;
}

const TOKEN = 'stage';
/** Longer than a lease or a retry of any story. */
const LONGEST_WAIT_MS = 20_000;
/** Cron waits for a minute. One that finds a lease of a dead Worker ends at once: those of all stories would keep a machine busy. */
const BETWEEN_TICKS_MS = 100;

export async function openStage(): Promise<Stage> {
  const real = redisServerPresent();
  if (!real) console.warn('no redis-server on the PATH: the embedded Redis stands in');
  const embedded = real ? undefined : await startEmbeddedRedis();
  const server = real ? await startRedisServer() : undefined;
  const url = server?.url ?? embedded?.url ?? '';
  const raw = new Redis(url);
  const stories = new Map<string, Story>();
  /** Scripts name their first key fourth. */
  const storyOf = ([, , , key = '']: string[]) => stories.get(/^\{([^}]+)\}/.exec(key)?.[1] ?? '');
  const emulator = await startEmulator({
    url,
    token: 'local',
    commandsProcessed: embedded?.commandsProcessed,
    faults: ({ commands: [command = []] }) => {
      return storyOf(command)?.onRequest?.(command);
    },
    observe: ({ command }) => {
      const story = storyOf(command);
      if (story) story.executed += 1;
    },
  });
  const bundle = await builtOnce();
  const world = await startWorld((prefix) => stories.get(prefix));
  const workers: LocalWorker[] = [];
  return {
    emulator,
    story(name, env = {}) {
      const story = openStory({ name, env, emulator, raw, bundle, worldUrl: world.url, workers });
      stories.set(name, story);
      return story;
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.kill()));
      await emulator.close();
      await world.close();
      raw.disconnect();
      await server?.stop();
      await embedded?.close();
    },
  };
}

interface Means {
  name: string;
  env: Record<string, string>;
  emulator: Emulator;
  raw: Redis;
  bundle: Bundle;
  worldUrl: string;
  workers: LocalWorker[];
}

function openStory({ name, env, emulator, raw, bundle, worldUrl, workers }: Means): Story {
  const connection = { url: emulator.url, token: 'local', timeoutMs: 10_000 };
  const store = openStore(openShard({ connection, prefix: name }));
  const bindings = {
    UPSTASH_REDIS_REST_URL: emulator.url,
    UPSTASH_REDIS_REST_TOKEN: 'local',
    SLUICE_TOKENS: tokensSetting(TOKEN),
    SLUICE_PREFIX: name,
    SLUICE_LEASE_MS: '1000',
    SLUICE_DRAIN_MS: '4000',
    SLUICE_DRAIN_REQUESTS: '9000',
    OUTBOX_URL: `${worldUrl}/${name}`,
    ...env,
  };
  const shard = () => readShard(raw, `{${name}}:`);
  const story: Story = {
    store,
    arrivals: [],
    logs: [],
    executed: 0,
    failing: new Set(),
    answerMs: 2,
    onRequest: undefined,
    async enqueue(count, queue = 'github.activity', priority = 7) {
      const messages = Array.from({ length: count }, (_, i) => ({
        lane: formatLane(priority, queue),
        pool: '*',
        maxAttempts: 8,
        delayMs: 0,
        ttlMs: 0,
        json: JSON.stringify({ body: { i } }),
      }));
      return (await store.enqueue({ messages })).ids;
    },
    async startWorker() {
      const worker = await startWorker({ bundle, env: bindings, log: (line) => story.logs.push(line) });
      workers.push(worker);
      return worker;
    },
    post: (worker, path, body, init = {}) =>
      fetch(worker.url + path, {
        method: 'POST',
        body: JSON.stringify(body),
        ...init,
        headers: { authorization: `Bearer ${TOKEN}`, ...(init.headers as Record<string, string>) },
      }),
    shard,
    async bringForward() {
      const late = Date.now() + LONGEST_WAIT_MS;
      for (const [member, at] of Object.entries((await shard()).timers)) {
        if (at > late && !member.startsWith('s ')) await raw.zadd(`{${name}}:timers`, 'XX', Date.now(), member);
      }
    },
    async lapseLeases() {
      const leases = Object.keys((await shard()).timers).filter((member) => member.startsWith('l '));
      for (const lease of leases) await raw.zadd(`{${name}}:timers`, 'XX', Date.now(), lease);
    },
    async drainWith(worker, ids) {
      const wanted = [...ids];
      await eventually(`${name}: everything is delivered and settled`, async () => {
        await worker.tick();
        const delivered = new Set(story.arrivals.filter(({ taken }) => taken).map(({ id }) => id));
        if (wanted.every((id) => delivered.has(id)) && Object.keys((await shard()).envelopes).length === 0) return true;
        await pause(BETWEEN_TICKS_MS);
        return false;
      });
    },
    async violations() {
      return violations(await shard(), { alive: new Set(), unordered: new Set() });
    },
  };
  return story;
}

/** The world outside: it takes deliveries at /<story>, and says 429 to the first of those that are to fail. */
async function startWorld(storyOf: (name: string) => Story | undefined) {
  const server = createServer(async (request, response) => {
    const sent = await text(request).catch(() => undefined); // the Worker was killed while it sent
    if (sent === undefined) return;
    const { id, attempt } = JSON.parse(sent) as Arrival;
    const story = storyOf(request.url?.slice(1) ?? '');
    const taken = !(attempt === 1 && story?.failing.has(id));
    story?.arrivals.push({ id, attempt, taken });
    setTimeout(() => response.writeHead(taken ? 202 : 429).end(), story?.answerMs ?? 0);
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
