/** The drains that a backlog has: how much is ready for further ones, and the places that they take. */
import * as scripts from '../redis/lua/generated.ts';
import { digits } from '../redis/lua/script.ts';
import { list, strings } from '../redis/reply.ts';
import { makeReplyRunner } from '../redis/runner.ts';
import { commonArgs, type Shard } from '../redis/shard.ts';

export interface ReadyWork {
  /** Lanes with work. */
  lanes: number;
  /** The first of them, by name, with their messages. */
  first: { lane: string; length: number; setByOperators: string }[];
  /** The places of drains that were started for it and are at work. */
  taken: number[];
}

export interface Claim {
  /** The place of the drain that asks; left out, it takes one. */
  own?: number | undefined;
  /** Places that are free from now on. */
  back?: readonly number[];
  /** Drains that may be at work, itself included: where others are as many its place is free from now on. */
  most: number;
  /** How many more places it wants. */
  others: number;
  /** That there are. */
  places: number;
  /** How long they are taken. */
  lifeMs: number;
}

export interface Claimed {
  /** Undefined where none was free. */
  own: number | undefined;
  others: number[];
}

/** Lanes whose lengths are looked at: each costs a command. */
const LOOKS = 5;

/** @throws StorageError */
export async function countReady(shard: Shard, pool: string): Promise<ReadyWork> {
  const { keys } = shard;
  const run = makeReplyRunner(shard);
  const read = [keys.ready(pool), keys.drains, keys.config] as const;
  const [lanes, taken, looked] = list(await run(scripts.countReady, [...read], [...commonArgs(shard), digits(LOOKS)]));
  const first: ReadyWork['first'] = [];
  for (let rest = strings(looked); rest.length > 0; rest = rest.slice(3)) {
    const [lane = '', length, setByOperators = ''] = rest;
    first.push({ lane, length: Number(length), setByOperators });
  }
  return {
    lanes: Number(lanes),
    first,
    taken: strings(taken).map(Number),
  };
}

/** @throws StorageError */
export async function claimDrains(
  shard: Shard,
  { own, back = [], most, others, places, lifeMs }: Claim,
): Promise<Claimed> {
  const counts = [digits(most), digits(others), digits(places), digits(lifeMs)] as const;
  const claiming = [shard.now(), own === undefined ? '' : digits(own), back.join(' '), ...counts] as const;
  const claimed = await makeReplyRunner(shard)(scripts.claimDrains, [shard.keys.drains], [...claiming]);
  const [place, ...rest] = strings(claimed);
  return { own: place === '' ? undefined : Number(place), others: rest.map(Number) };
}
