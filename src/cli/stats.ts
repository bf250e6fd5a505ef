/** Figures of the last hour, where the deployment keeps them. */
import { SluiceError } from '../client/index.ts';
import type { Stats } from './answers.ts';
import { type Api, MissingRoute } from './api.ts';

/** @returns undefined where it does not, or not for this token. @throws SluiceError */
export async function statsOf(api: Api): Promise<Stats | undefined> {
  try {
    return await api.get<Stats>('/v1/stats?range=1h');
  } catch (error) {
    if (error instanceof MissingRoute || (error instanceof SluiceError && error.code === 'forbidden')) return undefined;
    throw error;
  }
}
