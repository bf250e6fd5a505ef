/** Purging, with the progress of it. */
import { type Purged, purgeAll } from '../client/admin.ts';
import { startProgress } from './progress.ts';

/** @param step one call, with where the last ended. @returns how many went. @throws SluiceError */
export async function purgeWithProgress(
  step: (from: { cursor?: string }) => Promise<Purged>,
  expected: number,
): Promise<number> {
  const progress = startProgress();
  try {
    return await purgeAll(step, (gone) => progress.at(`${gone} gone`, expected > 0 ? gone / expected : undefined));
  } finally {
    progress.end();
  }
}
