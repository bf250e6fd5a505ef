/** Shards for people: a table of them, and what is left of one in words. Pure. */
import type { ShardList, ShardReport, ShardVerified } from '../client/admin.ts';
import { type Cell, type Screen, tableOf } from './table.ts';

type Holdings = NonNullable<ShardReport['has']>;

const HEADINGS = ['shard', 'state', 'weight', 'ready', 'delayed', 'leased', 'dead', 'parcels', 'others', 'held'];

export function shardTable({ shards, pins, held, epoch }: ShardList, screen: Screen): string {
  const table = tableOf(HEADINGS, shards.map(rowOf), screen);
  const pinned = pins.map(({ queue, shard }) => [queue, shard]);
  const staying = held.map(({ queue, shard, home }) => [queue, shard, home]);
  const lines = [table];
  if (pinned.length > 0) lines.push('', tableOf(['pinned', 'to'], pinned, screen));
  if (staying.length > 0) lines.push('', tableOf(['held', 'on', 'then on'], staying, screen));
  return [...lines, ...(epoch > 0 ? ['', `epoch ${epoch}`] : [])].join('\n');
}

function rowOf({ shard, state, weight, held, has }: ShardReport): Cell[] {
  if (state === 'gone') return [shard, { text: state, style: 'dim' }];
  if (!has) return [shard, { text: `${state}, away`, style: 'red' }, weight];
  const { ready, delayed, leased, dead, parcels, schedules, topics, rings } = has;
  const shown: Cell = state === 'active' ? state : { text: state, style: 'yellow' };
  return [shard, shown, weight, ready, delayed, leased, dead, parcels, schedules + topics + rings, held];
}

/** Such as "3 leased, 1 ring"; '' where nothing is. */
export function holdingsText(has: Holdings): string {
  const kinds: [keyof Holdings, string, string][] = [
    ['ready', 'ready', 'ready'],
    ['delayed', 'delayed', 'delayed'],
    ['leased', 'leased', 'leased'],
    ['dead', 'dead', 'dead'],
    ['parcels', 'parcel', 'parcels'],
    ['schedules', 'schedule', 'schedules'],
    ['topics', 'topic', 'topics'],
    ['rings', 'ring', 'rings'],
  ];
  const some = kinds.filter(([kind]) => has[kind] > 0);
  return some.map(([kind, one, many]) => `${has[kind]} ${has[kind] === 1 ? one : many}`).join(', ');
}

export const countHoldings = (has: Holdings): number => Object.values(has).reduce((sum, count) => sum + count, 0);

/** What keys of a kind hold. */
const KINDS: Record<string, string> = {
  m: 'messages',
  lane: 'lanes with ready messages',
  part: 'parts of long lanes',
  lease: 'leases that hold messages',
  dead: 'dead letters of a queue',
  failures: 'errors of messages',
  callbacks: 'what follows on messages',
  schedules: 'schedules',
  topics: 'names of topics',
  topic: 'subscriptions of a topic',
  rings: 'names of rings',
  ring: 'items of a ring',
  sources: 'counts of webhooks',
  damaged: 'what was no entry of a lane',
};

/** What of a shard would be lost with it. */
export function leftTable({ left }: ShardVerified, screen: Screen): string {
  const rows = Object.entries(left).map(([kind, count]) => [kind, count, KINDS[kind]]);
  return rows.length > 0 ? tableOf(['kind', 'keys', 'what'], rows, screen) : '';
}
