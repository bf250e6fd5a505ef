/** The part over several shards: what they bring where each round trip takes a while, what they cost, and how priority is kept across them. */
import { drainFor } from '../../regressions/engines.ts';
import { pause } from '../contender.ts';
import type { AwayFigures, ShardPriority, ShardRate, ShardsFigures } from '../figures.ts';
import { quantile, spreadOf } from '../figures.ts';
import { type Database, engineOn, type Fleet, fill, openFleet, queueAt } from './fleet.ts';
import { sendTimes } from './sending.ts';

export interface ShardsEffort {
  rounds: number;
  /** Leases of each shard. */
  leases: number[];
  /** Messages of each lease in a short drain and in a long one: the rate is that of what the long one has more. */
  short: number;
  long: number;
  /** Single enqueues with all there, and as many with one away. */
  sends: number;
}

export const SHARDS: ShardsEffort = { rounds: 3, leases: [1, 2, 4], short: 2_000, long: 6_000, sends: 300 };
export const SHARDS_QUICK: ShardsEffort = { rounds: 1, leases: [1], short: 1_500, long: 3_000, sends: 40 };

/** How far away all of them are, ms. */
const FAR_MS = 20;
const MOST_SHARDS = 4;
const MOST_MS = 120_000;
/** At once, in each row: shards share what a drain may hold, and fewer would bound what each is asked for. */
const HANDLERS = '400';

/** The case of priority: urgent messages come to a backlog of others, whose handlers take a while. */
const URGENT = 50;
const BACKLOG = 400;
const SLOTS = 5;
const HANDLERS_MS = [20, 100];
const AHEAD_MS = 400;

export async function measureShards(effort: ShardsEffort, say: (step: string) => void): Promise<ShardsFigures> {
  const fleet = await openFleet(MOST_SHARDS);
  try {
    const rates = await measureRates(fleet, effort, say);
    const priority = await measurePriority(fleet, effort, say);
    const away = await measureAway(fleet, effort, say);
    return { ms: FAR_MS, rates, priority, away };
  } finally {
    await fleet.close();
  }
}

async function measureRates(fleet: Fleet, effort: ShardsEffort, say: (step: string) => void): Promise<ShardRate[]> {
  const rows = [
    ...[1, 3].flatMap((shards) => effort.leases.map((leases) => ({ ms: FAR_MS, shards, leases }))),
    ...[1, 3].map((shards) => ({ ms: 0, shards, leases: 1 })),
  ].map((row) => ({ ...row, values: [] as number[] }));
  for (let round = -1; round < effort.rounds; round++) {
    for (let turn = 0; turn < rows.length; turn++) {
      const row = rows[(turn + round + 1) % rows.length] as (typeof rows)[0]; // none always comes first
      say(`${row.shards} shards, ${row.leases} leases each, ${row.ms} ms away, round ${round + 1}`);
      const rate = await marginalRate(fleet, row, effort);
      if (round >= 0) row.values.push(rate);
    }
  }
  return rows.map(({ values, ...row }) => ({ ...row, rate: spreadOf(values) }));
}

interface Row {
  ms: number;
  shards: number;
  leases: number;
}

/** Of a long drain, what it takes longer than a short one: how it begins and how it ends are in both. */
async function marginalRate(fleet: Fleet, row: Row, { short, long }: ShardsEffort): Promise<number> {
  const shortMs = await drainOnce(fleet, row, short * row.leases);
  const longMs = await drainOnce(fleet, row, long * row.leases);
  return (((long - short) * row.leases * row.shards) / Math.max(1, longMs - shortMs)) * 1_000;
}

/** @param each messages of each shard @returns how long it took, ms */
async function drainOnce(fleet: Fleet, { ms, shards, leases }: Row, each: number): Promise<number> {
  const databases = fleet.databases.slice(0, shards);
  const queues = databases.map((database) => queueAt(databases, database, 'work'));
  await fleet.setRoundTrip(0);
  await fleet.clear();
  for (const [i, database] of databases.entries()) await fill(database, queues[i] as string, each);
  const settings = { SLUICE_BATCH: '100', SLUICE_LEASES: String(leases), SLUICE_CONCURRENCY: HANDLERS };
  const total = each * shards;
  let handled = 0;
  let endedAt = 0;
  const engine = engineOn(databases, queues, { ...settings, SLUICE_DRAIN_MESSAGES: String(total) }, () => {
    handled += 1;
    if (handled === total) endedAt = performance.now();
  });
  await engine.fleet.ready();
  await fleet.setRoundTrip(ms);
  const start = performance.now();
  const { acked } = await drainFor(engine, MOST_MS);
  if (acked !== total) throw new Error(`a drain of ${shards} shards acknowledged ${acked} of ${total}`);
  return endedAt - start;
}

async function measurePriority(
  fleet: Fleet,
  { rounds }: ShardsEffort,
  say: (step: string) => void,
): Promise<ShardPriority[]> {
  const figures: ShardPriority[] = [];
  for (const handlerMs of HANDLERS_MS) {
    for (const shards of [1, 2, 4]) {
      const found: Overtaken[] = [];
      for (let round = 0; round < rounds; round++) {
        say(`urgent messages come to a backlog: ${shards} shards, handlers of ${handlerMs} ms, round ${round + 1}`);
        found.push(await overtakeOnce(fleet, fleet.databases.slice(0, shards), handlerMs));
      }
      figures.push({
        ...{ shards, handlerMs },
        before: found.map(({ before }) => before),
        behindFirst: found.map(({ behindFirst }) => behindFirst),
        lastMs: spreadOf(found.map(({ lastMs }) => lastMs)),
        rate: spreadOf(found.map(({ rate }) => rate)),
      });
    }
  }
  return figures;
}

interface Overtaken {
  /** Less urgent ones that began while urgent ones waited, and of them those that began behind the first urgent one. */
  before: number;
  behindFirst: number;
  /** From the enqueue of the urgent ones until the last of them began. */
  lastMs: number;
  /** Of all, messages per second. */
  rate: number;
}

async function overtakeOnce(fleet: Fleet, databases: Database[], handlerMs: number): Promise<Overtaken> {
  const others = databases.map((database) => queueAt(databases, database, 'later'));
  const [first] = databases as [Database];
  const urgent = queueAt(databases, first, 'urgent');
  await fleet.setRoundTrip(0);
  await fleet.clear();
  const each = BACKLOG / databases.length;
  for (const [i, database] of databases.entries()) await fill(database, others[i] as string, each, 7);
  const begun: { isUrgent: boolean; at: number }[] = [];
  const settings = {
    ...{ SLUICE_CONCURRENCY: String(SLOTS), SLUICE_CONNECTIONS: '6', SLUICE_LEASES: '1' },
    SLUICE_DRAIN_MESSAGES: String(BACKLOG + URGENT),
  };
  const engine = engineOn(databases, [...others, urgent], settings, async ({ queue }) => {
    begun.push({ isUrgent: queue === urgent, at: performance.now() });
    await pause(handlerMs);
  });
  const start = performance.now();
  const draining = drainFor(engine, MOST_MS);
  await pause(AHEAD_MS);
  await fill(first, urgent, URGENT, 0);
  const cameAt = performance.now();
  const { acked } = await draining;
  const rate = (acked / (performance.now() - start)) * 1_000;
  if (acked !== BACKLOG + URGENT) throw new Error(`a drain acknowledged ${acked} of ${BACKLOG + URGENT}`);
  const ofUrgent = begun.filter(({ isUrgent }) => isUrgent).map(({ at }) => at);
  const [firstAt = 0, lastAt = 0] = [ofUrgent[0], ofUrgent.at(-1)];
  const among = begun.filter(({ isUrgent, at }) => !isUrgent && at > cameAt && at < lastAt);
  const behindFirst = among.filter(({ at }) => at > firstAt).length;
  return { before: among.length, behindFirst, lastMs: lastAt - cameAt, rate };
}

/** One of three is gone from its port: what it is to the others. */
async function measureAway(fleet: Fleet, { sends }: ShardsEffort, say: (step: string) => void): Promise<AwayFigures> {
  const databases = fleet.databases.slice(0, 3);
  const [away, ...others] = databases as [Database, Database, Database];
  const queues = others.map((database) => queueAt(databases, database, 'work'));
  const own = queueAt(databases, away, 'work');
  await fleet.setRoundTrip(0);
  await fleet.clear();
  await fleet.setRoundTrip(FAR_MS);
  say('one of three shards is away: single enqueues with all there');
  const all = await sendTimes(databases, queues, sends);
  await fleet.end(away);
  say('one of three shards is away: single enqueues to the others');
  const without = await sendTimes(databases, queues, sends, own);
  return {
    p50: [quantile(all.ms, 0.5), quantile(without.ms, 0.5)],
    p99: [quantile(all.ms, 0.99), quantile(without.ms, 0.99)],
    firstRefusalMs: without.refusedMs[0] ?? 0,
    laterRefusalMs: quantile(
      without.refusedMs.slice(1).toSorted((a, b) => a - b),
      0.5,
    ),
  };
}
