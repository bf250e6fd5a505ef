/** Work that outlives its caller: where one hangs up, the platform cancels whatever is not behind waitUntil. */
import type { Context } from 'hono';
import type { SluiceEnv } from './context.ts';

export function outliving<Result>(c: Context<SluiceEnv>, work: Promise<Result>): Promise<Result> {
  c.get('engine').keepAlive(work.catch(() => {})); // its failure is the caller's to hear
  return work;
}
