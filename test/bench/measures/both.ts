/** Messages per second that go through while they come in and are handled at once, from the first enqueue to the last handler. */
import type { Run } from '../run.ts';

const BATCH = 100;

export async function throughRate(run: Run, messages: number): Promise<number> {
  const { session, ledger } = run;
  const consumer = await session.consume(ledger, 'arrivals');
  const start = performance.now();
  while (run.sent < messages) {
    const count = Math.min(BATCH, messages - run.sent);
    if (session.enqueueMany) await session.enqueueMany(run.next(count));
    else await Promise.all(run.next(count).map((body) => session.enqueue(body)));
  }
  await ledger.until(() => ledger.distinct >= messages);
  const ms = performance.now() - start;
  await consumer.stop();
  return (messages / ms) * 1_000;
}
