/**
 * The queue of the Redis textbook over HTTP: INCR, HSET, LPUSH; RPOP, HGETALL, DEL. A consumer that dies after RPOP loses
 * its message.
 */
import { Redis } from '@upstash/redis';
import { type Body, type Contender, poll, SLOW } from '../contender.ts';

export const textbook = (consumers: number): Contender => ({
  name: `textbook, ${consumers === 1 ? 'one consumer' : `${consumers} consumers`}`,
  settings:
    `@upstash/redis as it comes; batches as one pipeline; ${consumers} loops, each a look every 100 ms ` +
    'while there is nothing. At most once',
  ...(consumers > 1 ? { consumerOnly: true } : {}),
  most: SLOW,
  async prepare({ emulator }) {
    const redis = new Redis({ url: emulator.url, token: emulator.token, enableTelemetry: false });
    return {
      async open(run) {
        const list = `${run}:list`;
        const key = (id: number) => `${run}:${id}`;
        const write = async (first: number, bodies: Body[]) => {
          const pipeline = redis.pipeline();
          bodies.forEach((body, i) => {
            pipeline.hset(key(first + i), { body: JSON.stringify(body) });
            pipeline.lpush(list, first + i);
          });
          await pipeline.exec();
        };
        return {
          async enqueue(body) {
            const id = await redis.incr(`${run}:id`);
            await redis.hset(key(id), { body: JSON.stringify(body) });
            await redis.lpush(list, id);
          },
          async enqueueMany(bodies) {
            const last = await redis.incrby(`${run}:id`, bodies.length);
            await write(last - bodies.length + 1, bodies);
          },
          async consume(watch) {
            return poll(consumers, watch, async () => {
              const id = await redis.rpop<number>(list);
              if (id === null) return undefined;
              const fields = await redis.hgetall<{ body: Body }>(key(id));
              await redis.del(key(id));
              return fields?.body.n;
            });
          },
          close: async () => {},
        };
      },
      close: async () => {},
    };
  },
});
