/** Figures of the last hour, where the deployment keeps them. */
import type { Admin, StatsReport } from '../client/admin.ts';
import { SluiceError } from '../client/index.ts';
import { MissingRoute } from './missing-route.ts';

/** @returns undefined where it does not, or not for this token. @throws SluiceError */
export async function readStats(admin: Admin): Promise<StatsReport | undefined> {
  try {
    return await admin.stats({ range: '1h' });
  } catch (error) {
    if (error instanceof MissingRoute || (error instanceof SluiceError && error.code === 'forbidden')) return undefined;
    throw error;
  }
}
