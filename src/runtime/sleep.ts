/** Waiting: for a time, or for work but no longer than that. */

/** Nothing can end this wait. */
export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** What timers count to, ms: one that is set for longer rings at once. */
const MOST_MS = 2 ** 31 - 1;

/** @param work which may not fail @param ms Infinity too @returns whether it has ended within that time */
export async function endsWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), Math.max(0, Math.min(MOST_MS, ms)));
  const isEnded = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return isEnded;
}
