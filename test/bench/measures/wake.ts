/** How long a message takes from the call that enqueues it to its handler, where nothing else goes on. */
import { pause } from '../contender.ts';
import type { Run } from '../run.ts';

/** Long enough for every consumer to have gone to sleep, and never in step with one that polls. */
const IDLE_MS = 15;
const JITTER_MS = 30;
const WARM_UP = 5;

/** @returns the pause before one, ms */
export const pauseBefore = (idleMs = IDLE_MS) => idleMs + Math.random() * JITTER_MS;

/** Whoever polls takes long for each: fewer samples of it say as much. */
const MOST_MS = 20_000;

/**
 * @param idleMs between two messages, for what the consumer does behind the handler
 * @returns one time for each message, ms: so many, or as many as there is time for
 */
export async function wakeTimes(run: Run, samples: number, idleMs = IDLE_MS): Promise<number[]> {
  const { session, ledger } = run;
  const times: number[] = [];
  const end = performance.now() + MOST_MS;
  const consumer = await session.consume(ledger, 'lone');
  for (let i = -WARM_UP; i < samples && performance.now() < end; i++) {
    const [body] = run.next(1);
    const { promise, resolve } = Promise.withResolvers<number>();
    ledger.onFirst = () => resolve(performance.now());
    const start = performance.now();
    if (body) await session.enqueue({ ...body, report: true });
    await ledger.until(() => ledger.distinct >= run.sent);
    const at = ledger.distinct >= run.sent ? await promise : Number.POSITIVE_INFINITY;
    if (i >= 0) times.push(at - start);
    await pause(pauseBefore(idleMs));
  }
  await consumer.stop();
  return times;
}
