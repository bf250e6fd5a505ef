/** Messages per second that a backlog is worked off: handed to a handler that does nothing, and acknowledged. */
import type { Run } from '../run.ts';

export async function drainRate(run: Run, messages: number): Promise<number> {
  await run.fill(messages);
  return (messages / (await run.drain())) * 1_000;
}
