/** Work that outlives its caller: where one hangs up, the platform cancels whatever is not behind waitUntil. */
import type { Context } from 'hono';

export function outliving<Result>(c: Context, work: Promise<Result>): Promise<Result> {
  c.executionCtx.waitUntil(work.catch(() => {})); // its failure is the caller's to hear
  return work;
}
