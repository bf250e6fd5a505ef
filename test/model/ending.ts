// The end of a run: what operators set is taken back, time passes, and everything comes out by its own events alone.
import { expect } from 'vitest';
import { parseEntry } from '../../src/message/ids.ts';
import { PUSH_POOL } from '../../src/message/lane.ts';
import type { Shard } from '../support/shard.ts';
import { purge, redrive, type Side, type World } from './calls.ts';
import { type Deployment, POOLS, QUEUES } from './deployments.ts';

/** More turns than any run can need: what has not come by then never will. */
const TURNS = 600;

export interface Ending {
  /** Limits in code are gone on both sides, too. */
  lifted: boolean;
  /** Dead letters are redriven once before they are purged. */
  redriven: boolean;
}

/** No sweep looks at keys here: nothing but events brings lanes back. */
export async function drainAll(world: World, { lifted, redriven }: Ending): Promise<void> {
  if (lifted) for (const side of [0, 1] as const) world.deploy(side, withoutPolicies(world.deployments[side]));
  for (const queue of QUEUES) {
    await world.adminStore.resume(queue, POOLS[queue] ?? '');
    await world.adminStore.limit(queue, POOLS[queue] ?? '', { concurrency: '', rate: '' });
  }
  await comesToRest(world);
  if (redriven) {
    await redriveAll(world);
    await comesToRest(world);
  }
  while (Object.keys((await world.bench.shard()).dead).length > 0) {
    for (const queue of QUEUES) await purge(world, queue, ['dead']);
    await comesToRest(world); // what a dead letter held back, of which some may be too late
  }
  await world.scheduler.remove();
  expect(await left(world)).toEqual([]);
}

const withoutPolicies = (deployed: Deployment): Deployment =>
  Object.fromEntries(Object.entries(deployed).map(([queue, definition]) => [queue, { ...definition, policy: '' }]));

/** Takes and acks by turns of both sides until nothing waits but what dead letters hold back. */
async function comesToRest(world: World): Promise<void> {
  const consumers = [...new Set(Object.values(POOLS))].map((pool) => ({ pool, lease: world.name('end') }));
  for (let turn = 0; turn < TURNS; turn++) {
    const side = (turn % 2) as Side;
    while ((await world.sweep(side, '')).fired > 0);
    let isBusy = false;
    for (const consumer of consumers) isBusy = (await takeAndAck(world, side, consumer)) || isBusy;
    expect(await world.faults()).toEqual([]);
    const shard = await world.bench.shard();
    if (isBusy) continue;
    const dues = Object.values(shard.timers);
    if (dues.length === 0) return expect(strandedIn(shard)).toEqual([]);
    world.bench.now = Math.max(world.bench.now + 1, Math.min(...dues));
  }
  const { lanes, leases, timers, blocked } = await world.bench.shard();
  expect({ lanes, leases, timers, blocked }).toBe('at rest');
}

/** @returns whether there may be more */
async function takeAndAck(
  world: World,
  side: Side,
  { pool, lease }: { pool: string; lease: string },
): Promise<boolean> {
  const drain = pool === PUSH_POOL ? { drain: { ending: false, sleepMs: 0 } } : {};
  const request = { lease, leaseMs: 10_000, held: 0, want: 5, pools: [pool], settlements: [], ...drain };
  const { taken, unseen, wake, schedules } = await world.sync(side, request);
  await world.fire(schedules);
  world.ledger.given(taken, lease, world.bench.now);
  const settlements = taken.map(({ entry }) => ({ entry, outcome: 'ack' as const, result: 'null' }));
  const settled = await world.sync(side, { ...request, want: 0, settlements });
  return taken.length > 0 || unseen || wake || settled.wake;
}

/** Lanes that wait although nothing holds them back: a dead letter that has the slot of their group. */
function strandedIn({ lanes, slots }: Shard): string[] {
  return Object.keys(lanes).filter((lane) => {
    const group = lane.slice(2);
    return !slots[group.includes('/') ? group : `${group}/`];
  });
}

async function redriveAll(world: World): Promise<void> {
  const { dead } = await world.bench.shard();
  for (const queue of QUEUES) {
    const ids = Object.keys(dead[queue] ?? {}).map((entry) => parseEntry(entry).id);
    for (let from = 0; from < ids.length; from += 200) await redrive(world, queue, ids.slice(from, from + 200), ids);
  }
}

/** What is left of a run after which nothing should be: every key but those that end by themselves, and marks of pools. */
async function left({ bench }: World): Promise<string[]> {
  const { raw } = bench.redises;
  const keys = 'nodes' in raw ? [] : await raw.keys(`${bench.root}*`);
  const found: string[] = [];
  for (const key of keys) {
    const name = key.slice(bench.root.length);
    const mayStay = /^(stats|breakers|config|awake|sleeper)/.test(name) || (await raw.pttl(key)) > 0;
    const isMark = name.startsWith('ready:') && (await raw.zrange(key, 0, -1)).join() === '!';
    if (!mayStay && !isMark) found.push(`${name} is left`);
  }
  return found;
}
