/** Purging: the server works in bounded steps, so it is asked until nothing is left. */
import type { Purged } from './answers.ts';
import { startProgress } from './progress.ts';

/** @returns how many went. @throws SluiceError */
export async function purgeAll(step: () => Promise<Purged>, expected: number): Promise<number> {
  const progress = startProgress();
  let total = 0;
  let more = true;
  try {
    while (more) {
      const purged = await step();
      total += purged.purged;
      more = purged.more;
      progress.at(`${total} gone`, expected > 0 ? total / expected : undefined);
    }
  } finally {
    progress.end();
  }
  return total;
}
