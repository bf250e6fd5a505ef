// Requests, callbacks and chained messages over two shards: whoever dies, between any two calls to storage, nothing is lost, half or doubled.
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { whatHappened } from '../../scripts/lua/observe.ts';
import { chooseTags } from '../../src/config/tags.ts';
import type { Observation } from '../../src/dev/emulator/backend.ts';
import { type Emulator, startEmulator } from '../../src/dev/emulator/server.ts';
import { type LocalRedis, startRedis } from '../../src/dev/redis.ts';
import { type Engine, openEngine } from '../../src/engine.ts';
import { shortDigest } from '../../src/formats/digest.ts';
import { type AnyQueue, defineQueue, type HandlerContext, type Message } from '../../src/index.ts';
import type { Connect } from '../../src/redis/send.ts';
import { connect as connectByHttp } from '../../src/redis/undici.ts';
import { placeName } from '../../src/shards/placement.ts';

/** One call of a life is its last: it does not run, or it runs and nobody hears of it. */
interface Death {
  at: number;
  how: 'before' | 'after';
}

interface Life {
  engine: Engine;
  /** Resolves when it has died. */
  died: Promise<'died'>;
}

interface Delivery {
  key: string;
  entry: string;
}

interface Story {
  prefix: string;
  /** Epoch ms, for storage: leases lapse and parcels are due without a wait. */
  now: number;
  delivered: Delivery[];
}

const SHARDS = [
  { name: 't0', weight: 1 },
  { name: 't1', weight: 1 },
];
/** More than a lease, a retry or the delay of a parcel. */
const STEP_MS = 61_000;
const ROUNDS = 12;
/** What a caller does behind its answer is done by then. */
const BEHIND_MS = 10;

let redis: LocalRedis;
let raw: Redis;
let emulator: Emulator;
let stories = 0;
/** What was taken on another shard than its queue's. */
const strays: string[] = [];

beforeAll(async () => {
  redis = await startRedis('auto');
  raw = new Redis(redis.url);
  const { url, commandsProcessed } = redis;
  emulator = await startEmulator({ url, token: 'local', commandsProcessed, observe: noteStrays });
  const story = openStory(); // scripts are loaded now: from here on the same calls come in each life
  await live(story, undefined, (engine) => enqueue(engine, REQUEST));
  await settleAll(story);
});
afterEach(() => expect(strays).toEqual([]));
afterAll(async () => {
  raw.disconnect();
  await emulator.close();
  await redis.close();
});

const never = () => new Promise<never>(() => {});

/** A queue with its home on this shard. */
function queueOn(shard: string): string {
  for (let n = 0; ; n++) if (placeName(`q:work${n}`, SHARDS) === shard) return `work${n}`;
}
const HERE = queueOn('t0');
const THERE = queueOn('t1');

function noteStrays(observation: Observation): void {
  const happened = whatHappened(observation);
  if (happened?.what !== 'synced') return;
  const tag = /^\{(.+)\}/.exec(observation.command[3] ?? '')?.[1] ?? '';
  const prefix = tag.split('.', 1)[0] as string;
  const elsewhere = chooseTags(prefix, SHARDS.length)[0] === tag ? THERE : HERE;
  strays.push(...happened.envelopes.filter((envelope) => envelope.slice(2).startsWith(`${elsewhere} `)));
}

function openStory(): Story {
  stories += 1;
  return { prefix: `story${stories}`, now: Date.now(), delivered: [] };
}

/** An isolate: from its death on nothing that it began goes on. */
function begin(story: Story, death?: Death): Life {
  let calls = 0;
  let isDead = false;
  let die = () => {};
  const died = new Promise<'died'>((resolve) => {
    die = () => {
      isDead = true;
      resolve('died');
    };
  });
  const connect: Connect = (connection) => {
    const send = connectByHttp(connection);
    return async (command) => {
      if (isDead) return never();
      calls += 1;
      const isLast = calls === death?.at;
      if (isLast && death?.how === 'before') die();
      if (isDead) return never();
      const reply = send(command);
      await reply.catch(() => {}); // such as a script that storage does not know yet
      if (isLast) die();
      return isDead ? never() : reply;
    };
  };
  const handler = async (message: Message, { enqueue }: HandlerContext) => {
    if (isDead) return never();
    const { key, chain } = message.body as { key: string; chain?: string };
    story.delivered.push({ key, entry: `${message.attempt}.${message.id}` });
    if (chain !== undefined) await enqueue(there, { key: chain });
  };
  const [here, there] = [HERE, THERE].map((name) => defineQueue(name, { handler })) as [AnyQueue, AnyQueue];
  const queues = new Map([here, there].map((queue): [string, AnyQueue] => [queue.name, queue]));
  const env = {
    SLUICE_SHARDS: JSON.stringify({ url: emulator.url, secret: 'LOCAL', tags: 2 }),
    LOCAL: 'local',
    SLUICE_PREFIX: story.prefix,
    SLUICE_DRAIN_MS: '1000',
    SLUICE_LEASE_MS: '10000',
  };
  return { engine: openEngine(env, queues, { connect, clock: () => story.now }), died };
}

interface Lived {
  /** What it did, where it lived for so long. */
  value?: unknown;
  hasDied: boolean;
}

async function live(story: Story, death: Death | undefined, act: (engine: Engine) => Promise<unknown>): Promise<Lived> {
  const life = begin(story, death);
  const ended = await Promise.race([act(life.engine).then((value) => ({ value })), life.died]);
  if (ended === 'died') return { hasDied: true };
  const behind = new Promise<'lives'>((resolve) => setTimeout(resolve, BEHIND_MS, 'lives'));
  return { ...ended, hasDied: (await Promise.race([life.died, behind])) === 'died' };
}

type Input = Record<string, unknown> & { queue: string; key: string };

/** Of these, under one token. @returns the ids */
async function enqueue(engine: Engine, inputs: Input[], token?: string): Promise<string[]> {
  const prepared = inputs.map(({ queue, key, chain, ...options }, i) => ({
    ...{ queue: engine.queues.get(queue), body: { key, chain }, options, path: `messages[${i}].` },
  }));
  const name =
    token === undefined
      ? undefined
      : { token: await shortDigest(token), fingerprint: 'same', recognisedMs: 86_400_000 };
  const { receipts } = await engine.enqueue(prepared, name);
  return receipts.map(({ id }) => id);
}

/** Ticks of isolates that live, until nothing is left but what is remembered. */
async function settleAll(story: Story): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    story.now += STEP_MS;
    await begin(story).engine.tick(true);
    if ((await envelopes(story)).length === 0) return;
  }
  throw new Error(`left over: ${await envelopes(story)}`);
}

const envelopes = async ({ prefix }: Story) => (await raw.keys(`{${prefix}.*}:m:*`)).toSorted();

/** Each of these was delivered under one id, and no delivery of it came twice. */
function expectOnce({ delivered }: Story, keys: string[], told: string): void {
  const ids = new Map(keys.map((key) => [key, new Set<string>()]));
  for (const { key, entry } of delivered) ids.get(key)?.add(entry.slice(entry.indexOf('.') + 1));
  expect(
    delivered.map(({ key }) => key).filter((key) => !keys.includes(key)),
    told,
  ).toEqual([]);
  expect(
    [...ids].map(([key, { size }]) => [key, size]),
    told,
  ).toEqual(keys.map((key) => [key, 1]));
  const entries = delivered.map(({ entry }) => entry);
  expect(
    entries.filter((entry, i) => entries.indexOf(entry) < i),
    told,
  ).toEqual([]);
}

/** Plays a story with a death at each call, before it and behind it, until one is long enough to live. @returns how many deaths there were */
async function enumerate(play: (death: Death, told: string) => Promise<boolean>): Promise<number> {
  for (let at = 1; ; at++) {
    for (const how of ['before', 'after'] as const) {
      if (await play({ at, how }, `death at call ${at}, ${how}`)) return at - 1;
    }
  }
}

const REQUEST: Input[] = [
  { queue: HERE, key: 'a' },
  { queue: THERE, key: 'b' },
  { queue: THERE, key: 'c' },
];
const KEYS = REQUEST.map(({ key }) => key);

test('a request whose caller dies is there whole or not at all', async () => {
  let without = 0;
  const deaths = await enumerate(async (death, told) => {
    const story = openStory();
    const ended = await live(story, death, (engine) => enqueue(engine, REQUEST));
    await settleAll(story);
    if (story.delivered.length === 0 && ended.value === undefined) without += 1;
    else expectOnce(story, KEYS, told);
    return !ended.hasDied;
  });
  expect(deaths).toBeGreaterThan(2); // the map, the request, its parcel
  expect(without).toBeLessThan(2 * deaths - 1); // some died behind its acceptance
}, 60_000);

test('a request that is repeated under its key by another isolate is answered the ids under which it is there', async () => {
  await enumerate(async (death, told) => {
    const story = openStory();
    const ended = await live(story, death, (engine) => enqueue(engine, REQUEST, 'key'));
    const repeated = await live(story, undefined, (engine) => enqueue(engine, REQUEST, 'key'));
    await settleAll(story);
    expectOnce(story, KEYS, told);
    const ids = KEYS.map((key) =>
      story.delivered.find((delivery) => delivery.key === key)?.entry.replace(/^\d+\./, ''),
    );
    expect(repeated.value, told).toEqual(ids);
    if (ended.value !== undefined) expect(ended.value, told).toEqual(ids);
    return !ended.hasDied;
  });
}, 60_000);

test('a drain that dies while it forwards leaves what another brings', async () => {
  const deaths = await enumerate(async (death, told) => {
    const story = openStory();
    await leaveParcel(story);
    story.now += STEP_MS;
    const ended = await live(story, death, (engine) => engine.tick(true));
    await settleAll(story);
    expectOnce(story, KEYS, told);
    return !ended.hasDied;
  });
  expect(deaths).toBeGreaterThan(4); // the map, sweeps, syncs of both shards, the parcel
}, 60_000);

test('what is chained to an ack, and what follows on a message, comes once to its shard whenever the drain dies', async () => {
  const keys = ['a', 'chained', 'done'];
  await enumerate(async (death, told) => {
    const story = openStory();
    const onSuccess = { queue: THERE, body: { key: 'done' } };
    await live(story, undefined, (engine) => enqueue(engine, [{ queue: HERE, key: 'a', chain: 'chained', onSuccess }]));
    const ended = await live(story, death, (engine) => engine.tick(true));
    await settleAll(story);
    expectOnce(story, keys, told);
    return !ended.hasDied;
  });
}, 60_000);

/** A request that is accepted, and whose caller dies before it forwards anything. */
async function leaveParcel(story: Story): Promise<void> {
  await live(story, undefined, (engine) => engine.fleet.ready()); // the map is there: the same calls in each life
  for (let at = 1; (await envelopes(story)).length === 0; at++) {
    const ended = await live(story, { at, how: 'after' }, (engine) => enqueue(engine, REQUEST));
    if (!ended.hasDied) throw new Error('it was not killed');
  }
}
