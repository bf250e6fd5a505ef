/** Purging: the server works in bounded steps, so it is asked until nothing is left. */
import type { Purged } from './answers.ts';
import { startProgress } from './progress.ts';

/** @param step one call, with where the last ended. @returns how many went. @throws SluiceError */
export async function purgeAll(
  step: (from: { cursor?: string }) => Promise<Purged>,
  expected: number,
): Promise<number> {
  const progress = startProgress();
  let total = 0;
  let from: { cursor?: string } = {};
  try {
    for (let more = true; more; ) {
      const purged = await step(from);
      total += purged.purged;
      more = purged.more;
      from = purged.cursor === undefined ? {} : { cursor: purged.cursor };
      progress.at(`${total} gone`, expected > 0 ? total / expected : undefined);
    }
  } finally {
    progress.end();
  }
  return total;
}
