// A cluster behind `sluice redis-http`: shards of Sluice by their hash tags, a master that fails, and slots that move.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Command, Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chooseTags } from '../src/config/tags.ts';
import { type Engine, openEngine } from '../src/engine.ts';
import { StorageError } from '../src/errors.ts';
import { defineQueue } from '../src/queue/queue.ts';
import { readAddress } from '../src/redis-http/address.ts';
import { BackendDown } from '../src/redis-http/connection.ts';
import { type Front, startFront } from '../src/redis-http/front.ts';
import { openConnection } from '../src/redis-http/open.ts';
import { readTokens } from '../src/redis-http/tokens.ts';
import { type RedisCluster, redisServerPresent, startRedisCluster } from './support/redis-server.ts';
import { AT_MOST } from './support/shell.ts';
import { eventually } from './support/worker.ts';

const TOKEN = 'a-token-that-nobody-guesses-0123456789';
/** Of the user that the front is given. */
const [, RULES = ''] = /^ACL SETUSER front (on .*)$/m.exec(readFileSync('docs/redis-http.md', 'utf8')) ?? [];
const TAGS = chooseTags('sluice', 12);

const present = redisServerPresent();
if (!present) console.log('skipped: redis-http on a real cluster, there is no redis-server on the PATH');

/** Moves a slot with all its keys at once, while it is used: where a server can, who is told so, and in which words. */
interface Mover {
  program: string;
  move(slot: string, source: Redis, target: Redis): Promise<unknown>;
}

const MOVERS: [least: number, mover: Mover][] = [
  [
    8.4,
    { program: 'redis-server', move: (slot, _, target) => target.cluster('MIGRATION' as never, 'IMPORT', slot, slot) },
  ],
  [
    9,
    {
      program: 'valkey-server',
      move: async (slot, source, target) =>
        source.cluster('MIGRATESLOTS' as never, 'SLOTSRANGE', slot, slot, 'NODE', await idOf(target)),
    },
  ],
];

function findMover(): Mover | undefined {
  const found = MOVERS.find(([least, { program }]) => {
    try {
      const [, version] =
        /v=(\d+\.\d+)/.exec(execFileSync(program, ['--version'], { ...AT_MOST, encoding: 'utf8' })) ?? [];
      return Number(version) >= least;
    } catch {
      return false;
    }
  });
  return found?.[1];
}

const mover = present ? findMover() : undefined;
if (!mover) console.log('skipped: slots that move atomically, there is no Redis 8.4 and no Valkey 9 on the PATH');

const slotOf = (tag: string) => new Command('GET', [`{${tag}}:timers`]).getSlot() as number;
const idOf = async (node: Redis) => String(await node.cluster('MYID'));

/** A cluster with its front, and an engine for each tag in this process, all on one URL. */
async function open(replicas: number, program?: string) {
  const cluster = await startRedisCluster(3, replicas, program);
  const nodes = cluster.nodes.map(({ url }) => new Redis(url));
  for (const node of nodes) {
    node.on('error', () => {}); // some are killed
    await node.config('SET', 'cluster-require-full-coverage', 'no');
    await node.config('SET', 'cluster-replica-no-failover', 'yes'); // but when it is told to
    await node.call('ACL', 'SETUSER', 'front', ...RULES.replace('PASSWORD', 'secret').split(' '));
  }
  const front = await startFront({
    address: readAddress(cluster.url.replace('//', '//front:secret@')),
    knows: readTokens(TOKEN),
    port: 0,
    host: '127.0.0.1',
    maxBytes: 10_485_760,
    maxCommands: 1_000,
    concurrency: 500,
    timeoutMs: 10_000, // the machine may stand still for seconds, as below
    allow: [],
    onError: (error) => errors.push(error),
  });
  const errors: unknown[] = [];
  const seen: string[] = [];
  const queue = defineQueue('jobs', { handler: async (message) => void seen.push(message.body as string) });
  const engines = TAGS.map((tag) =>
    openEngine(
      {
        UPSTASH_REDIS_REST_URL: front.url,
        UPSTASH_REDIS_REST_TOKEN: TOKEN,
        SLUICE_PREFIX: tag,
        SLUICE_REDIS_TIMEOUT_MS: '15000',
      },
      new Map([['jobs', queue]]),
    ),
  );
  /** @returns what was accepted */
  const enqueue = async (engine: Engine, bodies: string[]): Promise<string[]> => {
    await engine.enqueue(bodies.map((body) => ({ queue, body, options: {}, path: '' })));
    return bodies;
  };
  const command = async (...words: string[]) => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const answer = await fetch(front.url, { method: 'POST', headers, body: JSON.stringify(words) });
    return (await answer.json()) as { result?: unknown; error?: string };
  };
  const stop = async () => {
    await front.close(0);
    for (const node of nodes) node.disconnect();
    await cluster.stop();
    expect(errors).toEqual([]);
  };
  return { cluster, nodes, front, engines, seen, enqueue, command, stop };
}

const bodiesOf = (what: string, tag: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${what} ${tag} ${i}`);

/** The slots of a node, by itself. */
async function slotsOf(node: Redis): Promise<(slot: number) => boolean> {
  const id = await idOf(node);
  const line =
    String(await node.cluster('NODES'))
      .split('\n')
      .find((text) => text.startsWith(id)) ?? '';
  const ranges = line
    .split(' ')
    .slice(8)
    .map((range) => range.split('-').map(Number));
  return (slot) => ranges.some(([first = 0, last = first]) => first <= slot && slot <= last);
}

/** Whether the one replica of a master has all that the master wrote. */
async function isInStep(master: Redis): Promise<boolean> {
  const info = await master.info('replication');
  const [, has] = /^slave0:.*state=online,offset=(\d+)/m.exec(info) ?? [];
  return has !== undefined && info.includes(`master_repl_offset:${has}\r`);
}

/** Two that are found once each are two. */
const expectEach = (seen: string[], accepted: string[]) => expect(seen.toSorted()).toEqual(accepted.toSorted());

describe.skipIf(!present)('a cluster of three masters with replicas', () => {
  let opened: Awaited<ReturnType<typeof open>>;
  let cluster: RedisCluster;
  let nodes: Redis[];
  let front: Front;
  beforeAll(async () => {
    opened = await open(1);
    ({ cluster, nodes, front } = opened);
  }, 90_000);
  afterAll(() => opened.stop());

  test('each master has four of twelve tags, and what is enqueued to all is delivered once each', async () => {
    const { engines, enqueue, seen } = opened;
    const masters = await Promise.all(nodes.slice(0, 3).map(slotsOf));
    expect(masters.map((has) => TAGS.filter((tag) => has(slotOf(tag))).length)).toEqual([4, 4, 4]);
    expect(await Promise.all(TAGS.map((tag) => nodes[0]?.cluster('KEYSLOT', `{${tag}}:x`)))).toEqual(TAGS.map(slotOf));
    const accepted = await Promise.all(
      engines.map((engine, i) => enqueue(engine, bodiesOf('first', TAGS[i] ?? '', 50))),
    );
    await Promise.all(engines.map((engine) => engine.tick()));
    expectEach(seen.splice(0), accepted.flat());
  });

  test('its INFO is that of the master that is worst off, and no cursor is given out', async () => {
    const { command } = opened;
    const policy = async () => /^maxmemory_policy:(\S+)/m.exec(String((await command('INFO')).result))?.[1];
    expect(await policy()).toBe('noeviction');
    await nodes[1]?.config('SET', 'maxmemory-policy', 'allkeys-lru');
    expect(await policy()).toBe('allkeys-lru');
    await nodes[1]?.config('SET', 'maxmemory-policy', 'noeviction');
    expect((await command('SCAN', '0')).error).toMatch(/SCAN is not available on a cluster/);
  });

  test('a slot that moved while its tag rested leads to all that it held', async () => {
    const { engines, enqueue, seen } = opened;
    const [tag = ''] = TAGS;
    const [engine] = engines as [Engine];
    const slot = slotOf(tag);
    const owners = await Promise.all(nodes.slice(0, 3).map(slotsOf));
    const from = owners.findIndex((has) => has(slot));
    const [source, target] = [nodes[from], nodes[(from + 1) % 3]] as [Redis, Redis];
    const accepted = await enqueue(engine, bodiesOf('moved', tag, 30));
    await target.cluster('SETSLOT', slot, 'IMPORTING', await idOf(source));
    await source.cluster('SETSLOT', slot, 'MIGRATING', await idOf(target));
    const keys = (await source.cluster('GETKEYSINSLOT', slot, 1_000)) as string[];
    expect(keys.length).toBeGreaterThan(30);
    const { port = 0 } = target.options;
    await source.migrate('127.0.0.1', port, '', 0, 5_000, 'KEYS', ...keys);
    for (const node of [target, source]) await node.cluster('SETSLOT', slot, 'NODE', await idOf(target));
    accepted.push(...(await enqueue(engine, bodiesOf('after', tag, 5))));
    await engine.tick();
    expectEach(seen.splice(0), accepted);
  });

  test('while a master is away its tags fail and the others go on; its replica has all that was accepted', async () => {
    const { engines, enqueue, seen } = opened;
    const accepted = (
      await Promise.all(engines.map((engine, i) => enqueue(engine, bodiesOf('kept', TAGS[i] ?? '', 20))))
    ).flat();
    const [lost] = nodes as [Redis];
    await eventually('the replicas are in step', async () =>
      (await Promise.all(nodes.slice(0, 3).map(isInStep))).every(Boolean),
    );
    const has = await slotsOf(lost);
    const [, port] = /^slave0:.*port=(\d+)/m.exec(await lost.info('replication')) ?? [];
    const replica = nodes.find(({ options }) => options.port === Number(port)) as Redis;
    await cluster.nodes[0]?.stop();

    const health = async () => (await fetch(`${front.url}/health`)).text();
    await eventually('health has seen it', async () => (await health()) === '{"status":"degraded"}');
    const ends = await Promise.allSettled(engines.map((engine) => engine.tick()));
    const failed = ends.map(
      (end) => end.status === 'rejected' && end.reason instanceof StorageError && end.reason.code,
    );
    expect(failed).toEqual(TAGS.map((tag) => (has(slotOf(tag)) ? 'unreachable' : false)));
    expect(seen.length).toBe(TAGS.filter((tag) => !has(slotOf(tag))).length * 20);

    await replica.cluster('FAILOVER', 'TAKEOVER');
    await eventually('all is well', async () => (await health()) === '{"status":"ok"}');
    accepted.push(...(await enqueue(engines[TAGS.findIndex((tag) => has(slotOf(tag)))] as Engine, ['after it'])));
    await Promise.all(engines.map((engine) => engine.tick()));
    expectEach(seen.splice(0), accepted);
  });
});

test.skipIf(!mover)(
  'slots that move atomically while their tags are used lose nothing and double nothing',
  async () => {
    const { program, move } = mover as Mover;
    const { nodes, engines, enqueue, seen, stop } = await open(0, program);
    const accepted: string[] = [];
    let isMoving = true;
    const use = async (engine: Engine, tag: string) => {
      for (let round = 0; isMoving || round < 2; round++) {
        accepted.push(...(await enqueue(engine, bodiesOf(`round ${round}`, tag, 20))));
        await engine.tick();
      }
    };
    const uses = Promise.all(engines.map((engine, i) => use(engine, TAGS[i] ?? '')));
    for (const tag of TAGS) {
      const slot = slotOf(tag);
      const owners = await Promise.all(nodes.map(slotsOf));
      const from = owners.findIndex((has) => has(slot));
      const [source, target] = [nodes[from], nodes[(from + 1) % 3]] as [Redis, Redis];
      await move(String(slot), source, target);
      await eventually(`slot ${slot} is there`, async () => (await slotsOf(target))(slot));
    }
    isMoving = false;
    await uses;
    await Promise.all(engines.map((engine) => engine.tick()));
    expectEach(seen, accepted);
    await stop();
  },
  60_000,
);

describe('while a cluster starts', () => {
  const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
  const HALVES = [':0\r\n:8191\r\n', ':8192\r\n:16383\r\n'];

  /** What answers each command like a Redis. */
  async function listen(answer: (command: string) => Promise<string>) {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => {}));
      let answered = Promise.resolve();
      socket.on('data', (chunk) => {
        for (const request of String(chunk)
          .split(/\*\d+\r\n/)
          .slice(1)) {
          const words = request.split('\r\n').filter((_, i) => i % 2 === 1); // before each stands its length
          answered = answered.then(async () => void socket.write(await answer(words.join(' ').toLowerCase())));
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const stop = () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    };
    return { port: (server.address() as AddressInfo).port, stop };
  }

  /** Two masters, of which the address names one. @param say what each says of itself */
  async function start(say: { 'cluster info'(): string; info(): Promise<string> }) {
    const answer = async (command: string): Promise<string> => {
      if (command === 'cluster info') return bulk(say[command]());
      if (command === 'info') return bulk(await say[command]());
      if (command !== 'cluster slots') return '+OK\r\n';
      const slots = nodes.map(({ port }, i) => `*3\r\n${HALVES[i]}*2\r\n${bulk('127.0.0.1')}:${port}\r\n`);
      return `*2\r\n${slots.join('')}`;
    };
    const nodes = [await listen(answer), await listen(answer)];
    const { connection, connected } = openConnection(readAddress(`redis+cluster://127.0.0.1:${nodes[0]?.port}`));
    const isReady = () => connection.masters().filter(({ status }) => status === 'ready').length === 2;
    const stop = () => {
      connection.close();
      for (const node of nodes) node.stop();
    };
    return { connected, isReady, stop };
  }

  test('nodes that take their time to be ready are waited for', async () => {
    const info = () => pause(200, 'loading:0');
    const { connected, isReady, stop } = await start({ 'cluster info': () => 'cluster_state:ok', info });
    await connected;
    expect(isReady()).toBe(true);
    stop();
  });

  test('one that says that the cluster is not ready is told as away, and all are used as soon as it is', async () => {
    let state = 'fail';
    const info = async () => 'loading:0';
    const { connected, isReady, stop } = await start({ 'cluster info': () => `cluster_state:${state}`, info });
    await expect(connected).rejects.toThrow(BackendDown);
    state = 'ok';
    await eventually('all are connected', async () => isReady());
    stop();
  });
});
