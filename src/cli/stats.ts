/** Figures of the last hour, where the deployment keeps them. */
import type { Stats } from './answers.ts';
import { type Api, MissingRoute } from './api.ts';

/** @returns undefined where it does not. @throws SluiceError */
export async function statsOf(api: Api): Promise<Stats | undefined> {
  try {
    return await api.get<Stats>('/v1/stats?range=1h');
  } catch (error) {
    if (error instanceof MissingRoute) return undefined;
    throw error;
  }
}
