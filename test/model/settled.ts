// The end of a run: pauses are over, time passes, and everything comes out, by its events alone or once policies are lifted.
import { idOf } from '../support/settling.ts';
import { QUEUES, type Real } from './commands.ts';
import type { Model } from './model.ts';

/** More turns than any run can need: what has not come by then never will. */
const TURNS = 400;

/**
 * @param lifts a deployment without limits takes over, and sweeps look at every key; else nothing but events brings lanes back
 * @returns the lanes and leases that are left although nothing holds them back
 */
export async function drainAll(model: Model, { bench }: Real, lifts: boolean): Promise<string[]> {
  const isLifted = lifts || model.loosened.size > 0;
  if (isLifted) bench.store = bench.openStore(() => bench.now, bench.prefix, QUEUES, '');
  for (const queue of QUEUES) {
    await bench.adminStore().resume(queue, '*');
    if (isLifted) await bench.adminStore().limit(queue, '*', { concurrency: '', rate: '' });
  }
  for (let turn = 0; turn < TURNS; turn++) {
    await sweep(bench, isLifted);
    const { taken } = await bench.store.sync(request(`end${turn}`, 5));
    const settlements = taken.map(({ entry }) => ({ entry, outcome: 'ack' as const, result: 'null' }));
    await bench.store.sync({ ...request(`end${turn}`, 0), settlements });
    const { lanes, leases, timers, dead } = await bench.shard();
    const open = [
      ...Object.keys(lanes).filter((lane) => isLifted || !isHeldBack(lane, model, dead)),
      ...Object.keys(leases),
    ];
    const waits = Object.entries(timers).filter(([member]) => !member.startsWith('q '));
    if (open.length === 0 && waits.length === 0) return [];
    if (turn === TURNS - 1) return [...open, ...Object.keys(timers)];
    if (taken.length === 0) bench.now = Math.max(bench.now + 1, Math.min(...Object.values(timers)));
  }
  return [];
}

const request = (lease: string, want: number) => {
  return { lease, leaseMs: 10_000, held: 0, want, pools: ['*'], settlements: [] };
};

async function sweep(bench: Real['bench'], deep: boolean): Promise<void> {
  let cursor = deep ? '0' : '';
  do cursor = (await bench.store.sweep('*', { cursor })).cursor;
  while (cursor !== '0' && cursor !== '');
}

/** Held back by a dead letter that keeps its slot. */
function isHeldBack(lane: string, model: Model, dead: Record<string, Record<string, number>>): boolean {
  const queue = lane.slice(2).split('/')[0] ?? '';
  const letters = Object.keys(dead[queue] ?? {}).map(idOf);
  return / [b] /.test(` ${model.policies[queue]} `) && letters.length > 0;
}
