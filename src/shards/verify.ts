/** Verifying: what of a shard would be lost with it. */
import type { Shard } from '../redis/shard.ts';
import { readStanding } from '../store/moving.ts';
import { bodyOf } from './evacuate.ts';
import type { Fleet } from './fleet.ts';
import { openParcel, PARCEL_QUEUE } from './parcel.ts';

export interface Verified {
  shard: string;
  isEmpty: boolean;
  /** Keys by their kinds, but for those that nobody misses. */
  left: Record<string, number>;
  /** What other shards hold for it. */
  parcels: number;
  /** Messages that another shard has under the same id: as after one of the two was brought back from a copy. */
  twice: number;
}

/**
 * Keys that may stay: which shards there are, what all shards have, what runs out by itself (requests, dedup keys, results, sessions and
 * figures of the last day), what there is only as long as somebody drains, and indexes, which say where something stands that has keys of
 * its own.
 */
const MAY_STAY = new Set([
  ...['map', 'config', 'breakers', 'policies'],
  ...['req', 'dedup', 'result', 'session', 'stats', 'commands', 'health'],
  ...['awake', 'sleeper', 'busy', 'drains', 'rate', 'inflight', 'strays'],
  ...['ready', 'blocked', 'timers'],
]);

const KEYS = '1000';
const PAGE = 500;
/** Asked for at once. */
const IDS = 5_000;

/** @throws StorageError where it, or another shard, does not answer */
export async function verifyShard(fleet: Fleet, shard: Shard): Promise<Verified> {
  await fleet.ready();
  const { name } = shard.identity;
  const keys = await findKeys(shard);
  const left = countKinds(keys);
  const ids = keys.filter((key) => key.startsWith('m:')).map((key) => key.slice(2));
  let [parcels, twice] = [0, 0];
  for (const other of fleet.all) {
    if (other === shard) continue;
    parcels += await countParcels(other, name);
    twice += await countMessages(other, ids);
  }
  return { shard: name, isEmpty: parcels === 0 && Object.keys(left).length === 0, left, parcels, twice };
}

/** Without what each begins with. */
async function findKeys({ send, keys: { root } }: Shard): Promise<string[]> {
  const pattern = `${root.replace(/[{}]/g, '\\$&')}*`; // to some globs bare braces are alternatives
  const found = new Set<string>();
  let cursor = '0';
  do {
    const [next, page] = (await send(['SCAN', cursor, 'MATCH', pattern, 'COUNT', KEYS])) as [string, string[]];
    for (const key of page) if (key.startsWith(root)) found.add(key.slice(root.length));
    cursor = String(next);
  } while (cursor !== '0');
  return [...found];
}

function countKinds(keys: readonly string[]): Record<string, number> {
  const left: Record<string, number> = {};
  for (const key of keys) {
    const kind = key.split(':', 1)[0] as string;
    if (!MAY_STAY.has(kind)) left[kind] = (left[kind] ?? 0) + 1;
  }
  return left;
}

async function countMessages({ send, keys }: Shard, ids: readonly string[]): Promise<number> {
  let count = 0;
  for (let from = 0; from < ids.length; from += IDS)
    count += Number(await send(['EXISTS', ...ids.slice(from, from + IDS).map(keys.message)]));
  return count;
}

async function countParcels(shard: Shard, to: string): Promise<number> {
  let count = 0;
  for (const state of ['ready', 'delayed'] as const) {
    let cursor = '';
    do {
      const page = await readStanding(shard, PARCEL_QUEUE, state, PAGE, cursor);
      count += page.messages.filter(({ id, envelope }) => openParcel(id, bodyOf(envelope)).to === to).length;
      cursor = page.cursor;
    } while (cursor !== '');
  }
  return count;
}
