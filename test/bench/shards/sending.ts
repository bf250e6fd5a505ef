/** Single enqueues over several shards, and what those meet whose shard is away. */
import { createSluice, defineQueue } from '../../../src/index.ts';
import { type Database, settingsOn } from './fleet.ts';

export interface SendTimes {
  /** Of those that were taken, from the least, ms. */
  ms: number[];
  /** Of those that were refused, in their order, ms. */
  refusedMs: number[];
}

/** One of those that are refused comes with so many others. */
const AMONG = 10;
const BODY = { text: 'x'.repeat(250) };

/** @param away a queue whose shard is away, if one is: it is tried all the while */
export async function sendTimes(
  databases: readonly Database[],
  queues: readonly string[],
  count: number,
  away?: string,
): Promise<SendTimes> {
  const defined = [...queues, ...(away === undefined ? [] : [away])].map((name) => defineQueue(name, { handler() {} }));
  const sluice = createSluice<Record<string, string>>({ queues: defined });
  const producer = sluice.named(settingsOn(databases)); // it wakes no drain
  const times: SendTimes = { ms: [], refusedMs: [] };
  const trying: Promise<void>[] = [];
  for (let i = -AMONG; i < count; i++) {
    if (away !== undefined && i % AMONG === 0) trying.push(refusal(() => producer.enqueue(away, BODY), times));
    const start = performance.now();
    await producer.enqueue(queues[Math.abs(i) % queues.length] as string, BODY);
    if (i >= 0) times.ms.push(performance.now() - start); // the first open connections
  }
  await Promise.all(trying);
  times.ms.sort((a, b) => a - b);
  return times;
}

async function refusal(send: () => Promise<unknown>, { refusedMs }: SendTimes): Promise<void> {
  const start = performance.now();
  await send().then(
    () => {
      throw new Error('a shard that is away took a message');
    },
    () => void refusedMs.push(performance.now() - start),
  );
}
