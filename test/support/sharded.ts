// A deployment on several shards of one Redis: each is a prefix. What goes to which shard is seen, and can be made to fail.
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { chooseTags } from '../../src/config/tags.ts';
import type { EngineOptions } from '../../src/engine/parts.ts';
import { type Engine, openEngine } from '../../src/engine.ts';
import { StorageError } from '../../src/errors.ts';
import type { AnyQueue } from '../../src/index.ts';
import { openEnvelope } from '../../src/message/envelope.ts';
import { connect as connectByFetch } from '../../src/redis/fetch.ts';
import type { Connect } from '../../src/redis/send.ts';
import type { Shard } from '../../src/redis/shard.ts';
import { homeIn, type ShardMap, writeMap } from '../../src/shards/map.ts';
import { PARCEL_QUEUE } from '../../src/shards/parcel.ts';
import type { Place } from '../../src/shards/placement.ts';
import { putMap } from '../../src/store/map.ts';
import { type Redises, startEmbedded } from './bench.ts';
import { readShard } from './shard.ts';

/** What becomes of a request to a shard: its answer is lost, or it never arrives. Behind `unheard` and `down`, which are the same, none is sent again. */
export type Mishap = 'lost' | 'away' | 'unheard' | 'down' | undefined;

/** Of all queues. */
export const TOKEN = 'a token for these tests, which is long enough'.replaceAll(' ', '-');

export interface SeenCall {
  /** The name of the shard. */
  shard: string;
  command: string[];
}

/** What a shard has of one message. */
export interface Found {
  shard: string;
  id: string;
  queue: string;
  body: unknown;
  dead: boolean;
}

let made = 0;

export class Sharded {
  readonly redises: Redises;
  readonly prefix = `s${process.pid}-${made++}`;
  readonly names: string[];
  /** What the keys of each begin with. */
  readonly tags: string[];
  readonly calls: SeenCall[] = [];
  /** Asked for each request before it is sent. */
  mishap: (call: SeenCall) => Mishap = () => undefined;
  /** By how much the clock of storage is ahead, ms. */
  aheadMs = 0;

  constructor(redises: Redises, count: number) {
    this.redises = redises;
    this.names = Array.from({ length: count }, (_, i) => `t${i}`);
    this.tags = chooseTags(this.prefix, count);
  }

  /** @param tags fewer than all: a version of the deployment that has not heard of the others */
  engine(
    queues: readonly AnyQueue[],
    options: EngineOptions = {},
    { tags = this.names.length, settings = {} }: { tags?: number; settings?: Record<string, number> } = {},
  ): Engine {
    const { url, token } = this.redises.emulator;
    const env = {
      SLUICE_SHARDS: JSON.stringify({ url, secret: 'DATABASE', tags }),
      DATABASE: token,
      SLUICE_PREFIX: this.prefix,
      SLUICE_TOKEN: TOKEN,
      SLUICE_REDIS_TIMEOUT_MS: 10_000, // the machine may stand still for seconds: who is away is said by a mishap
      ...settings,
    };
    const known = new Map(queues.map((queue) => [queue.name, queue]));
    return openEngine(env, known, { connect: this.#connect, clock: () => Date.now() + this.aheadMs, ...options });
  }

  readonly #connect: Connect = (connection) => {
    const send = connectByFetch(connection);
    return async (command) => {
      const text = command.join(' ');
      const shard = this.names.find((_, i) => text.includes(`{${this.tags[i]}}:`)) ?? '';
      const call = { shard, command };
      this.calls.push(call);
      const mishap = this.mishap(call);
      const afterMs = mishap === 'unheard' || mishap === 'down' ? 3_000 : 0;
      if (mishap === 'away' || mishap === 'down') throw new StorageError('unreachable', 'made so by a test', afterMs);
      const answer = await send(command);
      if (mishap) throw new StorageError('unreachable', 'its answer was lost by a test', afterMs);
      return answer;
    };
  };

  /** Another map from now on, on all shards. */
  async change(engine: Engine, change: (map: ShardMap) => Partial<ShardMap>): Promise<ShardMap> {
    const { fleet } = engine;
    await fleet.ready();
    const { map } = fleet.topology;
    const { epoch: _, ...before } = map;
    const next = { ...map, epoch: map.epoch + 1, changedAt: Date.now(), before, ...change(map) };
    for (const shard of fleet.all) await putMap(shard, writeMap(next), next.epoch);
    return next;
  }

  /** All messages but parcels, of all shards or this one. */
  async messages(name?: string): Promise<Found[]> {
    return (await this.#all(name)).filter(({ queue }) => queue !== PARCEL_QUEUE);
  }

  async parcels(name?: string): Promise<Found[]> {
    return (await this.#all(name)).filter(({ queue }) => queue === PARCEL_QUEUE);
  }

  async #all(name?: string): Promise<Found[]> {
    const found = this.names.map(async (shard, i) => {
      if (name !== undefined && shard !== name) return [];
      const { envelopes, dead } = await readShard(this.redises.raw, `{${this.tags[i]}}:`);
      const letters = new Set(Object.values(dead).flatMap((entries) => Object.keys(entries)));
      return Object.entries(envelopes).map(([id, envelope]) => {
        const { message } = openEnvelope(`1.${id}`, envelope);
        const isDead = [...letters].some((letter) => letter.endsWith(`.${id}`));
        return { shard, id, queue: message.queue, body: message.body, dead: isDead };
      });
    });
    return (await Promise.all(found)).flat();
  }
}

/** A name with this beginning whose home is this shard. */
export function nameAt(map: ShardMap, shard: string, start = 'queue', kind: 'q' | 's' | 't' | 'r' = 'q'): string {
  for (let i = 0; ; i++) if (homeIn(map, `${kind}:${start}${i}` as Place) === shard) return `${start}${i}`;
}

export const named = (engine: Engine, name: string): Shard => engine.fleet.named(name);

/** @returns a deployment on so many shards, a new one for each test */
export function onShards(count: number): () => Sharded {
  let redises: Redises;
  let sharded: Sharded;
  beforeAll(async () => {
    redises = await startEmbedded();
  });
  beforeEach(() => {
    sharded = new Sharded(redises, count);
  });
  afterAll(() => redises.stop());
  return () => sharded;
}
