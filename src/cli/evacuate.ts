/** Evacuating a shard: call after call until nothing is left or nothing goes any more, and what an operator can do about the rest. */
import type { Admin, ShardEvacuated, ShardList } from '../client/admin.ts';
import { SluiceError } from '../client/error.ts';
import type { Output } from './output.ts';
import { looks, untilStopped } from './poll.ts';
import { startProgress } from './progress.ts';
import { countHoldings } from './shard-table.ts';

/**
 * So often it is asked for more though there is no less: what is leased comes back, and parcels arrive. What is held there goes on
 * meanwhile, and may make parcels again and again.
 */
const IDLE_CALLS = 5;
const IDLE_MS = 1_000;

/** Of what is held. */
const MOST_NAMED = 10;

export interface Evacuation {
  /** By all calls. */
  moved: number;
  last: ShardEvacuated;
  /** Whether somebody ended it. */
  isStopped: boolean;
}

/** @param unpin by the first call: what it has lifted stays lifted @throws SluiceError, of which it was said what had moved before */
export async function evacuateShard(
  { shards }: Admin,
  out: Output,
  shard: string,
  unpin: boolean,
): Promise<Evacuation> {
  const signal = untilStopped();
  const progress = startProgress();
  let moved = 0;
  let idle = 0;
  let least = Number.POSITIVE_INFINITY;
  try {
    for (let isFirst = true; ; isFirst = false) {
      const last = await shards.evacuate(shard, { unpin: unpin && isFirst });
      moved += last.moved;
      const left = countHoldings(last.has);
      progress.at(`${moved} moved, ${left} left`, moved / Math.max(1, moved + left));
      idle = left < least ? 0 : idle + 1;
      least = Math.min(least, left);
      if (!last.more || idle === IDLE_CALLS || signal.aborted) return { moved, last, isStopped: signal.aborted };
      if (idle > 0) for await (const _ of looks(async () => undefined, { intervalMs: IDLE_MS, count: 2, signal }));
    }
  } catch (error) {
    progress.end();
    if (error instanceof SluiceError && moved > 0) out.say(`${moved} moved before this; the same command goes on`);
    throw error;
  } finally {
    progress.end();
  }
}

/** What to do about what stays, a line for each reason. Pure. */
export function adviceOn({ shard, has, held }: ShardEvacuated, list: ShardList): string[] {
  const names = list.held.filter((one) => one.shard === shard).map(({ queue }) => queue);
  const advice: string[] = [];
  if (held > 0) {
    const shown = names.slice(0, MOST_NAMED).join(', ');
    const more = names.length > MOST_NAMED || names.length === 0 ? ` (${held} in all)` : '';
    advice.push(
      `held there until it is empty of them: ${shown}${more}. Their handlers and consumers empty it;`,
      `or \`sluice shards evacuate ${shard} --unpin\` moves queues all the same, without their order and their limits`,
    );
  }
  if (has.leased > 0) advice.push('what is leased comes back when it is settled, or its lease expires');
  if (has.parcels > 0) advice.push('parcels go when their shards answer: `sluice shards` says which are away');
  return [...advice, 'the same command goes on'];
}
