/** The reliable queue of the Redis documentation over HTTP: LPUSH; LMOVE to a processing list, LREM when done. */
import { Redis } from '@upstash/redis';
import { type Body, type Contender, poll, SLOW } from '../contender.ts';

export const textbookReliable = (consumers: number): Contender => ({
  name: `textbook reliable, ${consumers === 1 ? 'one consumer' : `${consumers} consumers`}`,
  settings:
    `the body is the list's element; @upstash/redis as it comes; batches as one LPUSH; ${consumers} loops, each with a ` +
    'processing list of its own and a look every 100 ms while there is nothing. Nobody gives back what a dead one held',
  ...(consumers > 1 ? { consumerOnly: true } : {}),
  most: SLOW,
  async prepare({ emulator }) {
    const { url, token } = emulator;
    const redis = new Redis({ url, token, enableTelemetry: false, automaticDeserialization: false });
    return {
      async open(run) {
        const list = `${run}:list`;
        let loops = 0;
        return {
          enqueue: (body) => redis.lpush(list, JSON.stringify(body)),
          enqueueMany: (bodies) => redis.lpush(list, ...bodies.map((body) => JSON.stringify(body))),
          async consume(watch) {
            const consumer = () => {
              const mine = `${run}:processing:${loops++}`;
              return poll(1, watch, async () => {
                const text = await redis.lmove<string>(list, mine, 'right', 'left');
                if (text === null) return undefined;
                const { n } = JSON.parse(text) as Body;
                await redis.lrem(mine, 1, text);
                return n;
              });
            };
            const all = Array.from({ length: consumers }, consumer);
            return { stop: async () => void (await Promise.all(all.map(({ stop }) => stop()))) };
          },
          close: async () => {},
        };
      },
      close: async () => {},
    };
  },
});
