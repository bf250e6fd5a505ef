/** The shards of a machine: how they are called, which database each has, and that none is left out whose data is there. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface LocalShard {
  name: string;
  /** `joining`: it came to data that was there before. */
  state: 'active' | 'joining';
}

/** As many databases as one Redis has, where nobody has set it otherwise. */
const MOST_SHARDS = 16;

/** In the folder of the data: the shards that have been there, where there were several. */
const LIST = 'shards';

/** Of one shard without a list of them, the name is what the settings call it. */
const ONE: readonly LocalShard[] = [{ name: 'main', state: 'active' }];

/**
 * @param wanted how many; undefined: as many as the data has, or one
 * @param data the folder where it is kept, if it is
 * @throws RangeError where there may not be so many; Error where the data has more of them
 */
export async function planShards(wanted: number | undefined, data: string | undefined): Promise<readonly LocalShard[]> {
  const known = data === undefined ? [] : await knownIn(data);
  const count = checkCount(wanted ?? Math.max(known.length, 1));
  if (count < known.length) {
    const others = `${known.length} shards, and what all but ${count} of them hold would be out of reach`;
    throw new Error(`${data} has the data of ${others}: --shards ${known.length} takes all, --fresh begins anew`);
  }
  if (count === 1) return ONE;
  const first = 'a'.charCodeAt(0);
  return Array.from({ length: count }, (_, place) => {
    const state = known.length === 0 || place < known.length ? 'active' : 'joining';
    return known[place] ?? { name: String.fromCharCode(first + place), state };
  });
}

/** What `--shards` says. @throws RangeError */
export const shardCount = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : checkCount(Number(text));

function checkCount(count: number): number {
  if (Number.isInteger(count) && 1 <= count && count <= MOST_SHARDS) return count;
  throw new RangeError(`--shards must be a whole number from 1 to ${MOST_SHARDS}; got ${count}`);
}

/** Data without a list is that of one. */
async function knownIn(data: string): Promise<LocalShard[]> {
  const list = await readFile(join(data, LIST), 'utf8').catch(() => '');
  if (list !== '') return JSON.parse(list);
  const files = await readdir(data).catch(() => []);
  return files.length > 0 ? [{ name: 'a', state: 'active' }] : [];
}

/** For the next plan. */
export async function rememberShards(shards: readonly LocalShard[], data: string): Promise<void> {
  if (shards.length > 1) await writeFile(join(data, LIST), JSON.stringify(shards), { mode: 0o600 });
}

export const isCluster = (redis: string | undefined) => redis?.startsWith('redis+cluster:') ?? false;

/** Whether it is a Redis that runs already, and is not ended by who uses it. */
export const isTheirs = (redis: string | undefined) => redis !== undefined && redis !== 'auto';

/** @returns the Redis of the shard in this place: of one that runs already each has a database, from that of the URL on */
export function redisFor(redis: string | undefined, place: number): string | undefined {
  if (place === 0 || redis === undefined || !URL.canParse(redis)) return redis;
  const url = new URL(redis);
  const first = Number(url.pathname.slice(1) || 0);
  url.pathname = `/${first + place}`;
  return url.href;
}

/** The first shard has the folder itself, as the only one has: so others may come to its data. */
export const folderFor = (data: string | undefined, { name }: LocalShard, place: number) =>
  data === undefined || place === 0 ? data : join(data, name);
